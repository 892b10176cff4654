//! Peaks of each phase, or of each family's load, where they were asked for: by lowering
//! the kernel's marks of the tree's own processes when it begins.
//!
//! Between the reading of a mark and its reset lie some microseconds. What rises and
//! falls again within these is in no peak.

use std::collections::BTreeMap;

use super::Tree;
use crate::clock::Timestamp;
use crate::profiler::source::{ProcessSource, Reading};
use crate::sample::{PhasePeaks, Window};
use crate::units::ByteSize;

impl<S: ProcessSource> Tree<S> {
    /// The peaks since the window began, read once more, and the end of it.
    pub(in crate::profiler) fn end_window(&mut self, at: Timestamp, window: Window) -> PhasePeaks {
        for index in self.alive.clone() {
            self.renew(index);
            if let Some(memory) = self.read_memory(index) {
                self.members[index].take_memory(memory, at);
            }
        }
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

    /// Lowers the marks of all members to what they have now.
    pub(in crate::profiler) fn begin_window(&mut self, at: Timestamp) {
        self.not_reset = 0;
        for index in self.alive.clone() {
            self.renew(index);
            let member = &mut self.members[index];
            let pid = member.glance.identity.pid;
            // Of a pid alone nobody knows whose it is by now.
            let Some(Reading::Memory(memory)) =
                member.handle().map(|handle| self.source.read(handle))
            else {
                continue;
            };
            member.take_memory(memory, at);
            if self.source.reset_mark(pid) {
                member.forget_mark();
                _ = member.take_window_peak();
                self.renew(index);
            } else {
                self.not_reset += 1;
            }
        }
    }
}
