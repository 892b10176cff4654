//! Progress of a command, on standard error: standard output has only the result.

use std::cell::Cell;
use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Display of steps that run one after the other.
#[derive(Clone, Copy)]
pub struct Progress {
    live: bool,
}

/// Step that is running.
pub struct Step {
    what: String,
    bar: Option<ProgressBar>,
    began: Instant,
    last_line: Cell<Instant>,
}

/// Interval of a running step's lines when standard error is not a terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Progress {
    /// Progress shown as a spinner on a terminal, else line by line.
    pub fn new() -> Self {
        Self { live: stderr().is_terminal() }
    }

    /// Begins a step, which ends with [`Step::done`], or without a line when dropped.
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
            // A log shows the running step too, not only finished ones.
            line(&format!("{what} .."));
        }
        let now = Instant::now();
        Step { what, bar, began: now, last_line: Cell::new(now) }
    }

    /// Writes a line that belongs to no step.
    pub fn note(&self, what: impl AsRef<str>) {
        line(what.as_ref());
    }
}

impl Step {
    /// Shows the step's current state.
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

    /// Ends the step and shows its result.
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

/// Writes a line to standard error. Errors are ignored: a closed terminal must not end the run.
fn line(text: &str) {
    _ = writeln!(stderr(), "{text}");
}
