//! The machine as a whole: the figures that the original tool printed, and the
//! memory that is left.

use std::time::{Duration, Instant};

use sysinfo::{MemoryRefreshKind, System};

use crate::sample::SystemTick;
use crate::units::ByteSize;

/// A CPU percentage is a difference, and sysinfo gives the old one again when
/// asked sooner than this.
const PERIOD: Duration = sysinfo::MINIMUM_CPU_UPDATE_INTERVAL;

#[derive(Debug)]
pub(super) struct Machine {
    system: System,
    read: Instant,
}

impl Machine {
    /// Takes the first reading, from which the first percentage will count.
    pub(super) fn new() -> Result<Self, sysinfo::Error> {
        let mut machine = Self { system: System::new()?, read: Instant::now() };
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
    pub(super) fn tick(&mut self) -> Option<SystemTick> {
        if self.read.elapsed() < PERIOD {
            return None;
        }
        self.refresh();
        Some(SystemTick {
            cpu_percent: self.system.global_cpu_usage(),
            memory_used: ByteSize(self.system.used_memory()),
            memory_available: ByteSize(self.system.available_memory()),
        })
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
        let mut machine = Machine::new().unwrap();
        assert_eq!(machine.tick(), None);
        std::thread::sleep(PERIOD);
        let tick = machine.tick().expect("the period is over");
        assert!(tick.memory_available <= machine.memory_total());
        assert!((0.0..=100.0).contains(&tick.cpu_percent));
        assert!(machine.cpus() > 0);
    }
}
