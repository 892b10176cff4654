//! Peak of a process over several readings of its high-water mark.

/// Largest of several readings, in bytes: over the whole profile, and in the current window.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Peak {
    pub(super) whole: Option<u64>,
    window: Option<u64>,
}

impl Peak {
    /// Raises both peaks to `bytes`, if that is larger.
    pub(super) fn raise(&mut self, bytes: u64) {
        self.merge(Self { whole: Some(bytes), window: Some(bytes) });
    }

    /// Raises both peaks to those of `other`, if they are larger.
    pub(super) fn merge(&mut self, other: Self) {
        self.whole = self.whole.max(other.whole);
        self.window = self.window.max(other.window);
    }

    /// Peak of the current window; the next window starts without one.
    pub(super) fn take_window(&mut self) -> Option<u64> {
        self.window.take()
    }
}
