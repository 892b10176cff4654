//! What the user sees while things take their time: on standard error, so that
//! standard output is the result alone.

use std::cell::Cell;
use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Shows one step after the other.
#[derive(Clone, Copy)]
pub struct Progress {
    live: bool,
}

/// A step that is under way.
pub struct Step {
    what: String,
    bar: Option<ProgressBar>,
    began: Instant,
    last_line: Cell<Instant>,
}

/// Without a terminal, a step under way speaks up this often.
const LINE_EVERY: Duration = Duration::from_secs(10);

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Progress {
    /// As a spinner on a terminal, and line by line elsewhere.
    pub fn new() -> Self {
        Self { live: stderr().is_terminal() }
    }

    /// Begins a step. It ends with [`Step::done`], or unsaid when dropped.
    pub fn step(&self, what: impl Into<String>) -> Step {
        let what = what.into();
        let bar = self.live.then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}") {
                bar.set_style(style);
            }
            bar.set_message(what.clone());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        if bar.is_none() {
            line(&format!("{what} .."));
        }
        let now = Instant::now();
        Step { what, bar, began: now, last_line: Cell::new(now) }
    }

    /// Says something that is no step.
    pub fn note(&self, what: impl AsRef<str>) {
        line(what.as_ref());
    }
}

impl Step {
    /// Says how far it is.
    pub fn update(&self, state: impl AsRef<str>) {
        let text = format!("{}: {}", self.what, state.as_ref());
        match &self.bar {
            Some(bar) => bar.set_message(text),
            None if self.last_line.get().elapsed() >= LINE_EVERY => {
                self.last_line.set(Instant::now());
                line(&format!("{text} ({:.0} s)", self.began.elapsed().as_secs_f64()));
            }
            None => {}
        }
    }

    /// Ends it with its result.
    pub fn done(mut self, result: impl AsRef<str>) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let took = self.began.elapsed().as_secs_f64();
        line(&format!("{}: {} ({took:.1} s)", self.what, result.as_ref()));
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// One line on standard error. A terminal that has gone must not end the run.
fn line(text: &str) {
    _ = writeln!(stderr(), "{text}");
}
