//! Memory of the server's processes as last read, and their peaks so far.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::view::Pss;
use crate::analysis::peaks_by_class;
use crate::class::ProcessClass;
use crate::clock::Timestamp;
use crate::ids::ProcessIdentity;
use crate::record::profile::{
    ClassSample, ProcessTable, ProfileLine, Readings, Sample, Snapshot, SystemSample,
};
use crate::units::{ByteSize, total};

/// Age of the latest sample from which on readings of single processes are used in its place. After
/// half an hour samples are thinned, and written up to a minute late; readings are not.
const LATE: Duration = Duration::from_secs(5);

/// Memory of the server's processes.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    latest: Option<Latest>,
    system: Option<SystemSample>,
    pss: Option<Pss>,
    zombies: u32,
    /// Largest RSS of a process of each class in any sample or reading.
    seen: BTreeMap<ProcessClass, ByteSize>,
    /// Largest RSS of a process of each class since it was taken last, without that of samples
    /// that are older than what was known.
    recent: BTreeMap<ProcessClass, ByteSize>,
    /// Largest high-water mark of each class in the process table.
    marks: BTreeMap<ProcessClass, ByteSize>,
    classes: HashMap<ProcessIdentity, ProcessClass>,
}

/// Processes by class at one time.
#[derive(Clone, Debug)]
pub struct Latest {
    /// Time of the sample, or of the readings of single processes.
    pub at: Timestamp,
    /// Processes of each class that has any.
    pub classes: BTreeMap<ProcessClass, ClassSample>,
}

impl Memory {
    pub(super) fn add(&mut self, line: &ProfileLine) {
        match line {
            ProfileLine::Sample(sample) => self.add_sample(sample),
            ProfileLine::Readings(readings) => self.add_readings(readings),
            ProfileLine::Snapshot(snapshot) => self.add_snapshot(snapshot),
            ProfileLine::Header(_)
            | ProfileLine::Executor(_)
            | ProfileLine::PhasePeaks(_)
            | ProfileLine::Upstream(_)
            | ProfileLine::ServerGone { .. }
            | ProfileLine::Requests(_)
            | ProfileLine::Footer { .. } => {}
        }
    }

    /// Replaces what is known from the process table.
    pub(super) fn set_table(&mut self, table: &ProcessTable) {
        self.marks = peaks_by_class(table);
        let records = table.processes.iter();
        self.classes = records.map(|record| (record.identity, record.class)).collect();
    }

    fn add_sample(&mut self, sample: &Sample) {
        let is_late = self.latest.as_ref().is_some_and(|latest| sample.at < latest.at);
        for (class, figures) in &sample.classes {
            if is_late {
                see(&mut self.seen, *class, figures.rss_max);
            } else {
                self.see(*class, figures.rss_max);
            }
        }
        self.zombies = sample.zombies;
        self.system = sample.system.or(self.system);
        self.replace(Latest { at: sample.at, classes: sample.classes.clone() }, Duration::ZERO);
    }

    fn add_readings(&mut self, readings: &Readings) {
        let mut classes: BTreeMap<ProcessClass, ClassSample> = BTreeMap::new();
        for reading in &readings.processes {
            // A process that has started since the table was written counts from the next one on.
            let Some(class) = self.classes.get(&reading.identity()).copied() else { continue };
            self.see(class, reading.high.unwrap_or(reading.rss));
            let of_class = classes.entry(class).or_default();
            of_class.count += 1;
            of_class.rss_sum += reading.rss;
            of_class.rss_max = of_class.rss_max.max(reading.rss);
            of_class.threads = of_class.threads.saturating_add(reading.threads);
        }
        self.replace(Latest { at: readings.at, classes }, LATE);
    }

    fn add_snapshot(&mut self, snapshot: &Snapshot) {
        let size = snapshot.classes.values().map(|class| class.pss).sum();
        self.pss = Some(Pss { phase: snapshot.phase.name(), size });
    }

    fn see(&mut self, class: ProcessClass, rss: ByteSize) {
        see(&mut self.seen, class, rss);
        see(&mut self.recent, class, rss);
    }

    /// Largest RSS of a process of each class since the last call.
    pub(super) fn take_recent(&mut self) -> BTreeMap<ProcessClass, ByteSize> {
        std::mem::take(&mut self.recent)
    }

    /// Keeps what is later than the latest by at least `margin`.
    fn replace(&mut self, new: Latest, margin: Duration) {
        if self.latest.as_ref().is_none_or(|latest| new.at >= latest.at.plus(margin)) {
            self.latest = Some(new);
        }
    }

    /// Processes as last read; `None` before the first sample.
    pub(super) const fn latest(&self) -> Option<&Latest> {
        self.latest.as_ref()
    }

    /// Largest peak of a process of each class so far.
    pub(super) fn peaks(&self) -> BTreeMap<ProcessClass, ByteSize> {
        let mut peaks = self.marks.clone();
        for (class, rss) in &self.seen {
            let peak = peaks.entry(*class).or_default();
            *peak = (*rss).max(*peak);
        }
        peaks
    }

    pub(super) const fn pss(&self) -> Option<Pss> {
        self.pss
    }

    pub(super) const fn system(&self) -> Option<SystemSample> {
        self.system
    }

    pub(super) const fn zombies(&self) -> u32 {
        self.zombies
    }
}

fn see(largest: &mut BTreeMap<ProcessClass, ByteSize>, class: ProcessClass, rss: ByteSize) {
    let largest = largest.entry(class).or_default();
    *largest = rss.max(*largest);
}

impl Latest {
    /// Sum of a figure over all classes.
    pub(super) fn count(&self, figure: impl Fn(&ClassSample) -> u32) -> u32 {
        total(self.classes.values().map(figure))
    }

    /// Number of processes.
    pub fn processes(&self) -> u32 {
        self.count(|class| class.count)
    }

    /// RSS sum of all processes.
    pub fn rss_sum(&self) -> ByteSize {
        self.classes.values().map(|class| class.rss_sum).sum()
    }

    /// Number of executors, those that still start included.
    pub(super) fn executors(&self) -> u32 {
        let executors = self.classes.iter().filter(|(class, _)| class.is_executor());
        total(executors.map(|(_, figures)| figures.count))
    }
}
