//! Gains of a class: the memory that its processes gain while they live, added up over processes
//! that come and go.
//!
//! The memory of a class rises with every executor that starts and falls with every one that ends,
//! which is no growth of any of them. So from one reading to the next, only the processes in both
//! count: a process neither adds what it starts with nor takes what it held when it exits.

use std::collections::BTreeMap;

use super::trend::{self, Point};
use super::{ClassGrowthRate, GrowingMemory, Starts, point};
use crate::class::ProcessClass;
use crate::clock::Timestamp;
use crate::ids::ProcessIdentity;
use crate::record::profile::Readings;
use crate::units::ByteSize;

/// Gains of a class so far.
#[derive(Default)]
struct Gains {
    /// Sum of all gains at each reading, in bytes.
    points: Vec<Point>,
    total: f64,
    /// Processes that count, each with its last size.
    last: BTreeMap<ProcessIdentity, ByteSize>,
    processes: u32,
}

/// Growth by class over readings in the order of time.
pub(super) fn by_class(
    memory: GrowingMemory,
    readings: &[&Readings],
    starts: &Starts,
) -> Vec<ClassGrowthRate> {
    let mut classes: BTreeMap<ProcessClass, Gains> = BTreeMap::new();
    for one in readings {
        let mut now: BTreeMap<ProcessClass, BTreeMap<ProcessIdentity, ByteSize>> = BTreeMap::new();
        for process in &one.processes {
            let identity = process.identity();
            if let Some(start) = starts.get(&identity)
                && start.from <= one.at
                && let Some(size) = memory.size(process)
            {
                now.entry(start.class).or_default().insert(identity, size);
            }
        }
        for (class, sizes) in now {
            classes.entry(class).or_default().add(readings[0].at, one.at, sizes);
        }
    }
    let growth = |(class, gains): (ProcessClass, Gains)| ClassGrowthRate {
        class,
        processes: gains.processes,
        growth: trend::of(&gains.points),
    };
    classes.into_iter().map(growth).collect()
}

impl Gains {
    fn add(&mut self, first: Timestamp, at: Timestamp, sizes: BTreeMap<ProcessIdentity, ByteSize>) {
        for (identity, now) in &sizes {
            let bytes = |size: ByteSize| point(first, at, size).bytes;
            match self.last.get(identity) {
                Some(before) => self.total += bytes(*now) - bytes(*before),
                None => self.processes = self.processes.saturating_add(1),
            }
        }
        self.last = sizes;
        self.points.push(Point { bytes: self.total, ..point(first, at, ByteSize(0)) });
    }
}
