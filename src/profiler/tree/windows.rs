//! Peaks of each phase, or of each group's load, where they were asked for: by lowering
//! the kernel's marks of the tree's own processes when it begins.
//!
//! A window ends where the next one begins, process by process: a mark is read for the one
//! and lowered for the other. Between the two lie some microseconds. What rises and falls
//! again within these is in no peak.
//!
//! The kernel is heard before that and after it: of execs, so that marks are counted as
//! whose they are, and of exits, whose marks are of the window that ends.

use std::collections::BTreeMap;

use super::Tree;
use crate::clock::Timestamp;
use crate::profiler::source::ProcessSource;
use crate::record::profile::{PhasePeaks, Window};
use crate::units::ByteSize;

impl<S: ProcessSource> Tree<S> {
    /// The peaks since the window began, read once more, and the end of it.
    pub(in crate::profiler) fn end_window(&mut self, at: Timestamp, window: Window) -> PhasePeaks {
        self.read_all_marks(at, |_, _| ());
        self.take_peaks(at, window)
    }

    /// Lowers the marks of all members to what they have now. Ends the window before, if
    /// there was one: its peaks.
    pub(in crate::profiler) fn begin_window(
        &mut self,
        at: Timestamp,
        before: Option<Window>,
    ) -> Option<PhasePeaks> {
        let mut not_reset = 0;
        self.read_all_marks(at, |tree, index| {
            let member = &mut tree.members[index];
            // Nobody knows yet whether its mark is its own. If it is, nothing else tells it.
            if member.is_artefact(at) {
                return;
            }
            // It was read just now, so the pid is still its own.
            if tree.source.reset_mark(member.glance.identity.pid) {
                member.forget_mark();
                tree.renew(index);
            } else {
                not_reset += 1;
            }
        });
        let peaks = before.map(|before| self.take_peaks(at, before));
        for member in &mut self.members {
            _ = member.take_window_peak();
        }
        self.not_reset = not_reset;
        peaks
    }

    /// Reads the marks of all members that live, does `then` with each, and leaves nothing
    /// unheard of those that do not.
    fn read_all_marks(&mut self, at: Timestamp, mut then: impl FnMut(&mut Self, usize)) {
        self.hear(at);
        let mut alive = std::mem::take(&mut self.alive);
        alive.retain(|&index| {
            self.renew(index);
            let lives = self.visit(index, at).is_some();
            if lives {
                then(self, index);
            }
            lives
        });
        self.alive = alive;
        self.hear(at);
    }

    fn take_peaks(&mut self, at: Timestamp, window: Window) -> PhasePeaks {
        let mut peaks =
            PhasePeaks { at, window, classes: BTreeMap::new(), not_reset: self.not_reset };
        for member in &mut self.members {
            if let Some((class, peak)) = member.take_window_peak() {
                let largest = peaks.classes.entry(class).or_insert(ByteSize(0));
                *largest = peak.max(*largest);
            }
        }
        peaks
    }
}
