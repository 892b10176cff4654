//! Progress of long steps, on standard error: standard output has the result alone.

use std::cell::{Cell, RefCell};
use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Display of one step after the other.
#[derive(Clone, Copy)]
pub struct Progress {
    live: bool,
    verbose: bool,
}

/// Running step.
pub struct Step {
    what: String,
    bar: Option<ProgressBar>,
    began: Instant,
    /// Time between two lines without a terminal.
    line_every: Duration,
    last_line: Cell<Instant>,
    milestone: RefCell<String>,
}

/// Time between two lines of a running step without a terminal.
const LINE_EVERY: Duration = Duration::from_secs(60);

/// Time between two lines of a running step without a terminal, for a verbose display.
const LINE_EVERY_IF_VERBOSE: Duration = Duration::from_secs(10);

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Progress {
    /// Display with spinners and bars on a terminal, and with lines elsewhere.
    pub fn new() -> Self {
        Self { live: stderr().is_terminal(), verbose: false }
    }

    /// Display with details, if `verbose`.
    #[must_use]
    pub fn verbose(self, verbose: bool) -> Self {
        Self { verbose, ..self }
    }

    /// Begins a step. The step ends with [`Step::done`], or without a line when dropped.
    pub fn step(&self, what: impl Into<String>) -> Step {
        self.begin(what.into(), None)
    }

    /// Begins a step that is expected to take `estimate`, which a bar shows on a terminal.
    pub fn step_of(&self, what: impl Into<String>, estimate: Duration) -> Step {
        self.begin(what.into(), Some(estimate))
    }

    fn begin(&self, what: String, estimate: Option<Duration>) -> Step {
        let bar = self.live.then(|| bar(&what, estimate));
        if bar.is_none() {
            line(&format!("{what} .."));
        }
        let line_every = if self.verbose { LINE_EVERY_IF_VERBOSE } else { LINE_EVERY };
        // The line above counts as the first, so the next one follows after `line_every`.
        let (began, milestone) = (Instant::now(), RefCell::default());
        Step { what, bar, began, line_every, last_line: Cell::new(began), milestone }
    }

    /// Whether the display has details.
    pub const fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// Writes a line that belongs to no step.
    pub fn note(&self, what: impl AsRef<str>) {
        line(what.as_ref());
    }

    /// Writes a line that only a verbose display has.
    pub fn detail(&self, what: impl AsRef<str>) {
        if self.verbose {
            line(what.as_ref());
        }
    }
}

fn bar(what: &str, estimate: Option<Duration>) -> ProgressBar {
    let (bar, template) = match estimate {
        None => (ProgressBar::new_spinner(), "{spinner} {wide_msg} {elapsed}".to_owned()),
        Some(estimate) => (
            // A bar of length 0 is always full.
            ProgressBar::new(estimate.as_secs().max(1)),
            format!("{{bar:20}} {{wide_msg}} {{elapsed}} of about {} s", estimate.as_secs()),
        ),
    };
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    // Redraws between updates as well, so that the elapsed time does not stand still.
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

impl Step {
    /// Shows the step's present state. Without a terminal that is a line now and then.
    pub fn update(&self, state: impl AsRef<str>) {
        let text = format!("{}: {}", self.what, state.as_ref());
        match &self.bar {
            Some(bar) => show(bar, text, self.began),
            None if self.last_line.get().elapsed() >= self.line_every => self.write(&text),
            None => {}
        }
    }

    /// Shows the step's present state, and without a terminal at once if `milestone` is another
    /// than before.
    pub fn reach(&self, milestone: &str, state: impl AsRef<str>) {
        if self.bar.is_none() && *self.milestone.borrow() != milestone {
            milestone.clone_into(&mut self.milestone.borrow_mut());
            return self.write(&format!("{}: {}", self.what, state.as_ref()));
        }
        self.update(state);
    }

    fn write(&self, text: &str) {
        self.last_line.set(Instant::now());
        line(&format!("{text} ({:.0} s)", self.began.elapsed().as_secs_f64()));
    }

    /// Ends the step with its result.
    pub fn done(mut self, result: impl AsRef<str>) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let took = self.began.elapsed().as_secs_f64();
        line(&format!("{}: {} ({took:.1} s)", self.what, result.as_ref()));
    }
}

fn show(bar: &ProgressBar, text: String, began: Instant) {
    // A step that takes longer than its estimate has a full bar, not a longer one.
    // A spinner has no length, and its position is not shown.
    bar.set_position(began.elapsed().as_secs().min(bar.length().unwrap_or(u64::MAX)));
    bar.set_message(text);
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// Writes one line to standard error. A terminal that has gone must not end the run.
fn line(text: &str) {
    _ = writeln!(stderr(), "{text}");
}
