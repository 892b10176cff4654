//! What the user sees while measuring takes its time: lines on standard error, in the form
//! of those of xtask's own steps.

use std::cell::Cell;
use std::io::{Write as _, stderr};
use std::time::{Duration, Instant};

/// A step that is under way speaks up this often.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// A step that is under way.
pub(crate) struct Step {
    what: String,
    began: Instant,
    last_line: Cell<Instant>,
}

impl Step {
    /// Begins a step. It ends with [`Step::done`], or unsaid when dropped.
    pub(crate) fn begin(what: impl Into<String>) -> Self {
        let (what, now) = (what.into(), Instant::now());
        line(&format!("{what} .."));
        Self { what, began: now, last_line: Cell::new(now) }
    }

    /// Says how far it is.
    pub(crate) fn update(&self, state: impl AsRef<str>) {
        if self.last_line.get().elapsed() >= LINE_EVERY {
            self.last_line.set(Instant::now());
            let seconds = self.began.elapsed().as_secs_f64();
            line(&format!("{}: {} ({seconds:.0} s)", self.what, state.as_ref()));
        }
    }

    /// Ends it with its result.
    pub(crate) fn done(self, result: impl AsRef<str>) {
        let seconds = self.began.elapsed().as_secs_f64();
        line(&format!("{}: {} ({seconds:.1} s)", self.what, result.as_ref()));
    }
}

/// One line. A terminal that has gone must not end the measurement.
fn line(text: &str) {
    _ = writeln!(stderr(), "{text}");
}
