//! How large a process was, by the high-water marks that were read of it.

/// The largest mark of several: over the whole profile, and since marks were last lowered.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Peak {
    pub(super) whole: Option<u64>,
    window: Option<u64>,
}

impl Peak {
    /// Takes note of a mark.
    pub(super) fn raise(&mut self, mark: u64) {
        self.absorb(Self { whole: Some(mark), window: Some(mark) });
    }

    /// Becomes the larger of both.
    pub(super) fn absorb(&mut self, other: Self) {
        self.whole = self.whole.max(other.whole);
        self.window = self.window.max(other.window);
    }

    /// The largest since marks were last lowered; from here on it is of the time from now
    /// on.
    pub(super) fn take_window(&mut self) -> Option<u64> {
        self.window.take()
    }
}
