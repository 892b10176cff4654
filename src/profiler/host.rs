//! Samples of the whole machine: the figures that upstream's tool printed (CPU and memory
//! in use), and the available memory.

use std::time::{Duration, Instant};

use sysinfo::{MemoryRefreshKind, System};

use crate::limits::MemoryGroups;
use crate::record::profile::SystemSample;
use crate::units::ByteSize;

/// Minimum time between two samples. A CPU percentage is a difference of two readings, and
/// sysinfo repeats the last one if it is asked sooner.
const PERIOD: Duration = sysinfo::MINIMUM_CPU_UPDATE_INTERVAL;

/// Reader of the machine's CPU and memory use.
#[derive(Debug)]
pub(super) struct HostSampler {
    system: System,
    /// Control groups of the server, whose memory limits may be below the machine's memory.
    groups: MemoryGroups,
    last_read: Instant,
}

impl HostSampler {
    /// Takes the first reading, the basis of the first CPU percentage.
    pub(super) fn new(groups: MemoryGroups) -> Result<Self, sysinfo::Error> {
        let mut sampler = Self { system: System::new()?, groups, last_read: Instant::now() };
        sampler.refresh();
        Ok(sampler)
    }

    /// Total memory of the machine.
    pub(super) fn memory_total(&self) -> ByteSize {
        ByteSize(self.system.total_memory())
    }

    /// Number of CPUs of the machine.
    pub(super) fn cpus(&self) -> usize {
        self.system.cpus().len()
    }

    /// Sample of the machine; `None` less than [`PERIOD`] after the last one.
    pub(super) fn sample(&mut self) -> Option<SystemSample> {
        if self.last_read.elapsed() < PERIOD {
            return None;
        }
        self.refresh();
        Some(SystemSample {
            cpu_percent: self.system.global_cpu_usage(),
            memory_used: ByteSize(self.system.used_memory()),
            memory_available: self.memory_available(),
        })
    }

    /// Available memory: the machine's, or the rest up to the memory limit of the server's
    /// control groups if that is less. At either limit the kernel kills processes.
    fn memory_available(&self) -> ByteSize {
        let available = ByteSize(self.system.available_memory());
        self.groups.available().map_or(available, |memory| available.min(memory.available))
    }

    fn refresh(&mut self) {
        self.system.refresh_cpu_usage();
        self.system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
        // Taken last, so that `PERIOD` after it has passed on sysinfo's clock as well.
        self.last_read = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_sampled_once_per_period() {
        let mut machine = HostSampler::new(MemoryGroups::here()).unwrap();
        assert_eq!(machine.sample(), None);
        std::thread::sleep(PERIOD);
        let sample = machine.sample().expect("the period is over");
        assert!(sample.memory_available <= machine.memory_total());
        assert!((0.0..=100.0).contains(&sample.cpu_percent));
        assert!(machine.cpus() > 0);
    }

    #[test]
    fn available_memory_is_limited_by_the_control_group() {
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
        let machine = HostSampler::new(MemoryGroups::below(folder.path(), "self")).unwrap();
        assert_eq!(machine.memory_available(), ByteSize(2_000_000));
    }
}
