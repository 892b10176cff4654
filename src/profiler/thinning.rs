//! Thinning of samples: a profile of a day stays small, and keeps every extreme.
//!
//! Samples are written as they come for [`UNTHINNED`], longer than most runs. After that they are
//! collected for [`THINNED_TOGETHER`], and of each window two kinds are written: those without which
//! two samples would be more than [`SPACING`] apart, and those with an extreme of any figure, of a
//! class or of the whole. Each written sample has the number of samples that were left out before
//! it. Peaks of processes are high-water marks, which do not depend on samples. Readings of
//! executors are thinned by the requests that they show (`executors`).

mod executors;

use self::executors::ExecutorThinner;
use crate::class::ProcessClass;
use crate::clock::Timestamp;
use crate::ids::ProcessIdentity;
use crate::record::profile::{ProfileLine, SPACING, Sample, THINNED_TOGETHER, UNTHINNED};
use crate::units::total;

/// Thinner of the lines of one profile.
#[derive(Debug, Default)]
pub(super) struct LineThinner {
    samples: Thinner,
    executors: ExecutorThinner,
}

impl LineThinner {
    /// Adds a line, and returns those that are to be written now.
    pub(super) fn add(&mut self, line: ProfileLine) -> Vec<ProfileLine> {
        match line {
            ProfileLine::Sample(sample) => {
                let mut written = self.executors.advance(sample.at);
                written.extend(self.samples.add(sample).into_iter().map(ProfileLine::Sample));
                written
            }
            ProfileLine::Executor(reading) => {
                self.executors.add(reading).map(ProfileLine::Executor).into_iter().collect()
            }
            // Read apart from samples, so that their order does not matter.
            ProfileLine::Requests(_) | ProfileLine::Readings(_) | ProfileLine::Upstream(_) => {
                vec![line]
            }
            _ => {
                let mut written = self.end_samples();
                written.push(line);
                written
            }
        }
    }

    /// Ends the readings of executors that have exited.
    pub(super) fn end_executors(&mut self, exited: &[ProcessIdentity]) {
        self.executors.end(exited);
    }

    /// Ends the window of samples early, and returns those that are to be written.
    pub(super) fn end_samples(&mut self) -> Vec<ProfileLine> {
        self.samples.end_window().into_iter().map(ProfileLine::Sample).collect()
    }

    /// Ends the profile, and returns the lines that are still to be written.
    pub(super) fn finish(&mut self, at: Timestamp) -> Vec<ProfileLine> {
        let mut written = self.end_samples();
        written.extend(self.executors.finish(at));
        written
    }
}

/// Thinner of the samples of one profile.
#[derive(Debug, Default)]
struct Thinner {
    began: Option<Timestamp>,
    /// Samples of the current window, in the order of time.
    window: Vec<Sample>,
}

impl Thinner {
    /// Adds a sample, and returns those that are to be written now.
    fn add(&mut self, sample: Sample) -> Vec<Sample> {
        let began = *self.began.get_or_insert(sample.at);
        if sample.at.since(began) < UNTHINNED {
            return vec![sample];
        }
        let is_over =
            self.window.first().is_some_and(|first| sample.at.since(first.at) >= THINNED_TOGETHER);
        let written = if is_over { self.end_window() } else { Vec::new() };
        self.window.push(sample);
        written
    }

    /// Ends the window early, and returns the samples of it that are to be written.
    fn end_window(&mut self) -> Vec<Sample> {
        let mut kept = extremes(&self.window);
        keep_spacing(&self.window, &mut kept);
        let (mut written, mut left_out) = (Vec::new(), 0);
        for (mut sample, is_kept) in self.window.drain(..).zip(kept) {
            if is_kept {
                sample.left_out = std::mem::take(&mut left_out);
                written.push(sample);
            } else {
                left_out += 1;
            }
        }
        written
    }
}

/// Marks the first and the last sample, and those without which two kept ones would be more than
/// [`SPACING`] apart. Of those that could be kept, one with figures of the machine is preferred.
fn keep_spacing(samples: &[Sample], kept: &mut [bool]) {
    let Some(last) = kept.len().checked_sub(1) else { return };
    (kept[0], kept[last]) = (true, true);
    let mut last_kept = 0;
    let mut with_system = None;
    for index in 1..samples.len() {
        let since_kept = samples[index].at.since(samples[last_kept].at);
        if since_kept > SPACING && index - 1 > last_kept {
            last_kept = with_system.unwrap_or(index - 1);
            kept[last_kept] = true;
            with_system = None;
        }
        // After a gap in the sampling, both of its ends are kept.
        if samples[index].at.since(samples[index - 1].at) > SPACING {
            kept[index - 1] = true;
            kept[index] = true;
        }
        if kept[index] {
            (last_kept, with_system) = (index, None);
        } else if samples[index].system.is_some() {
            with_system = Some(index);
        }
    }
}

/// Number of figures of a class, and of the whole.
const OF_CLASS: usize = 4;
const OF_WHOLE: usize = 7;

/// Smallest and largest value of a figure, with their samples.
#[derive(Clone, Copy)]
struct Extremes {
    low: (u64, usize),
    high: (u64, usize),
}

/// Marks the samples with the smallest or the largest value of a figure, the first of equal ones.
fn extremes(samples: &[Sample]) -> Vec<bool> {
    let mut found: [Option<Extremes>; OF_CLASS * ProcessClass::ALL.len() + OF_WHOLE] =
        [None; OF_CLASS * ProcessClass::ALL.len() + OF_WHOLE];
    for (index, sample) in samples.iter().enumerate() {
        figures(sample, |figure, value| {
            let now = (value, index);
            match &mut found[figure] {
                None => found[figure] = Some(Extremes { low: now, high: now }),
                Some(known) => {
                    if value < known.low.0 {
                        known.low = now;
                    }
                    if value > known.high.0 {
                        known.high = now;
                    }
                }
            }
        });
    }
    let mut kept = vec![false; samples.len()];
    for Extremes { low, high } in found.into_iter().flatten() {
        kept[low.1] = true;
        kept[high.1] = true;
    }
    kept
}

/// Calls `add` with each figure of a sample, by its number.
fn figures(sample: &Sample, mut add: impl FnMut(usize, u64)) {
    for (class, figures) in &sample.classes {
        let first = OF_WHOLE + OF_CLASS * *class as usize;
        let (sum, count) = (figures.rss_sum.as_u64(), u64::from(figures.count));
        let mean = sum.checked_div(count).unwrap_or_default();
        for (figure, value) in (first..).zip([sum, figures.rss_max.as_u64(), count, mean]) {
            add(figure, value);
        }
    }
    let classes = || sample.classes.values();
    add(0, total(classes().map(|class| class.rss_sum.as_u64())));
    add(1, total(classes().map(|class| u64::from(class.count))));
    add(2, total(classes().map(|class| u64::from(class.threads))));
    add(3, u64::from(sample.zombies));
    if let Some(system) = sample.system {
        // Not negative, so that the order of the bits is that of the numbers.
        add(4, u64::from(system.cpu_percent.max(0.0).to_bits()));
        add(5, system.memory_used.as_u64());
        add(6, system.memory_available.as_u64());
    }
}

#[cfg(test)]
mod tests;
