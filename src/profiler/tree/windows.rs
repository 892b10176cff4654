//! Peaks of each window (a phase, or the load of a scenario group), measured by resetting
//! the high-water marks of the tree's processes when the window begins.
//!
//! A window ends where the next one begins, process by process: the high-water mark is read
//! for the one and reset for the other. Some microseconds pass in between; a spike within
//! them is in neither peak.
//!
//! Events are drained before and after: execs, so that each high-water mark counts for the
//! right image, and exits, whose records belong to the window that ends.

use std::collections::BTreeMap;

use super::Tree;
use crate::clock::Timestamp;
use crate::profiler::source::ProcessSource;
use crate::record::profile::{PhasePeaks, Window};
use crate::units::ByteSize;

impl<S: ProcessSource> Tree<S> {
    /// Ends the window, and returns its peaks after a last reading.
    pub(in crate::profiler) fn end_window(&mut self, at: Timestamp, window: Window) -> PhasePeaks {
        self.read_all_peaks(at, |_, _| ());
        self.take_peaks(at, window)
    }

    /// Begins a window: resets the peaks of all members. Ends the window `before`, if there
    /// is one, and returns its peaks.
    pub(in crate::profiler) fn begin_window(
        &mut self,
        at: Timestamp,
        before: Option<Window>,
    ) -> Option<PhasePeaks> {
        let mut not_reset = 0;
        for &index in &self.alive {
            self.members[index].watch.expect_reset();
        }
        self.read_all_peaks(at, |tree, index| {
            let member = &mut tree.members[index];
            // The fork may turn out to work without an exec. Then its high-water mark is its
            // own, and a reset would discard it.
            if member.is_pre_exec(at) {
                return;
            }
            // Read a moment ago, so the pid was not reused.
            if tree.source.reset_peak(member.stat.identity.pid) {
                member.clear_high_water();
                member.watch.reset_peak();
                tree.invalidate(index);
            } else {
                not_reset += 1;
            }
        });
        let peaks = before.map(|before| self.take_peaks(at, before));
        // Discards the peaks up to now, so that the window starts empty.
        for member in &mut self.members {
            _ = member.take_window_peak();
        }
        // After `take_peaks`, which reports this number for the window that ends.
        self.not_reset = not_reset;
        peaks
    }

    /// Reads the high-water marks of all members that run and calls `then` for each, and
    /// drains the events of those that have exited.
    fn read_all_peaks(&mut self, at: Timestamp, mut then: impl FnMut(&mut Self, usize)) {
        self.drain_events(at);
        let mut alive = std::mem::take(&mut self.alive);
        alive.retain(|&index| {
            // A cached high-water mark may be older than the boundary of the window.
            self.invalidate(index);
            let lives = self.sample_member(index, at).is_some();
            if lives {
                then(self, index);
            }
            lives
        });
        // Overwrites nothing: neither readings nor resets add members.
        self.alive = alive;
        self.drain_events(at);
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
