//! The machine as a whole: the figures that the original tool printed, and the
//! memory that is left.

use std::time::{Duration, Instant};

use sysinfo::{MemoryRefreshKind, System};

use crate::limits::MemoryGroups;
use crate::record::profile::SystemSample;
use crate::units::ByteSize;

/// A CPU percentage is a difference, and sysinfo gives the old one again when
/// asked sooner than this.
const PERIOD: Duration = sysinfo::MINIMUM_CPU_UPDATE_INTERVAL;

#[derive(Debug)]
pub(super) struct Machine {
    system: System,
    /// Whose memory limits leave the server less than the machine has.
    groups: MemoryGroups,
    read: Instant,
}

impl Machine {
    /// Takes the first reading, from which the first percentage will count.
    pub(super) fn new(groups: MemoryGroups) -> Result<Self, sysinfo::Error> {
        let mut machine = Self { system: System::new()?, groups, read: Instant::now() };
        machine.refresh();
        Ok(machine)
    }

    /// All of its memory.
    pub(super) fn memory_total(&self) -> ByteSize {
        ByteSize(self.system.total_memory())
    }

    /// How many CPUs it has.
    pub(super) fn cpus(&self) -> usize {
        self.system.cpus().len()
    }

    /// Its present state, or nothing when it was read just now.
    pub(super) fn tick(&mut self) -> Option<SystemSample> {
        if self.read.elapsed() < PERIOD {
            return None;
        }
        self.refresh();
        Some(SystemSample {
            cpu_percent: self.system.global_cpu_usage(),
            memory_used: ByteSize(self.system.used_memory()),
            memory_available: self.memory_available(),
        })
    }

    /// What can be had of its memory, or below the memory limit of the server's control
    /// group, whichever is less: the kernel ends processes at either.
    fn memory_available(&self) -> ByteSize {
        let available = ByteSize(self.system.available_memory());
        self.groups.available().map_or(available, |memory| available.min(memory.available))
    }

    fn refresh(&mut self) {
        self.system.refresh_cpu_usage();
        self.system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
        // Taken last, so that sysinfo's own clock is never found too young.
        self.read = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_read_no_more_often_than_its_figures_change() {
        let mut machine = Machine::new(MemoryGroups::here()).unwrap();
        assert_eq!(machine.tick(), None);
        std::thread::sleep(PERIOD);
        let tick = machine.tick().expect("the period is over");
        assert!(tick.memory_available <= machine.memory_total());
        assert!((0.0..=100.0).contains(&tick.cpu_percent));
        assert!(machine.cpus() > 0);
    }

    #[test]
    fn what_a_control_group_leaves_is_what_is_available() {
        let folder = tempfile::tempdir().unwrap();
        let files = [
            ("proc/self/cgroup", "0::/\n"),
            ("proc/self/mountinfo", "30 23 0:26 / /groups rw - cgroup2 cgroup2 rw\n"),
            ("groups/memory.max", "5000000\n"),
            ("groups/memory.current", "3000000\n"),
        ];
        for (file, text) in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let machine = Machine::new(MemoryGroups::below(folder.path(), "self")).unwrap();
        assert_eq!(machine.memory_available(), ByteSize(2_000_000));
    }
}
