//! Tests of thinned samples: what stays of a made day, and its size.

use std::collections::BTreeMap;

use super::*;
use crate::ids::ProcessIdentity;
use crate::profiler::journal::Journal;
use crate::record::profile::{
    ClassSample, ExecutorMemory, ExecutorReading, Output, ProfileLine, SystemSample,
};
use crate::units::ByteSize;

const TICK: Duration = Duration::from_millis(50);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn at(index: u64) -> Timestamp {
    Timestamp::from_micros(1_790_000_000_000_000).plus(TICK * u32::try_from(index).unwrap())
}

/// Sample of five classes, whose values change with every tick; the machine is read in each fourth.
fn sample(index: u64) -> Sample {
    let class = |position: u64| {
        let wobble = index.wrapping_mul(2_654_435_761).wrapping_add(position * 104_729) % 50_000;
        let each = ByteSize((160 + 10 * position) * 1024 * 1024 + wobble * 1024);
        let count = u32::try_from(5 + (index / 97 + position) % 9).unwrap();
        let rss_sum = ByteSize(each.as_u64() * u64::from(count));
        ClassSample { count, rss_sum, rss_max: each, threads: 3 * count }
    };
    let classes = ProcessClass::ALL.into_iter().take(5);
    let classes: BTreeMap<_, _> = classes.zip((0..).map(class)).collect();
    let system = index.is_multiple_of(4).then(|| SystemSample {
        cpu_percent: f32::from(u16::try_from(index * 31 % 1000).unwrap()) / 10.0,
        memory_used: ByteSize::mib(4_000 + index * 13 % 3_000),
        memory_available: ByteSize::mib(8_000),
    });
    Sample { at: at(index), late_micros: 70, classes, zombies: 0, left_out: 0, system }
}

/// Samples that are written of these.
fn written(samples: impl Iterator<Item = Sample>) -> Vec<Sample> {
    let mut thinner = Thinner::default();
    let mut written: Vec<Sample> = samples.flat_map(|sample| thinner.add(sample)).collect();
    written.extend(thinner.end_window());
    written
}

fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_micros() / TICK.as_micros()).unwrap()
}

/// Number of bytes in the file.
fn size(samples: &[Sample]) -> usize {
    let line = |sample: &Sample| {
        serde_json::to_string(&ProfileLine::Sample(sample.clone())).unwrap().len() + 1
    };
    samples.iter().map(line).sum()
}

#[test]
fn half_an_hour_is_written_whole() {
    let samples: Vec<Sample> = [0, 1, 35_999].map(sample).to_vec();
    assert_eq!(written(samples.clone().into_iter()), samples);
}

#[test]
fn a_day_of_samples_takes_less_than_100_megabytes() {
    // The time after `FULL` is thinned evenly, so that ten minutes of it stand for all.
    let part = Duration::from_secs(600);
    let samples = (0..1).chain(ticks(FULL)..ticks(FULL + part)).map(sample);
    let thinned = size(&written(samples));
    let whole: Vec<Sample> = (0..1_000).map(sample).collect();
    let [parts, full] = [(DAY - FULL).div_duration_f64(part), FULL.div_duration_f64(TICK) / 1e3];
    let day = f64::from(u32::try_from(thinned).unwrap()) * parts
        + f64::from(u32::try_from(size(&whole)).unwrap()) * full;
    assert!(day < 100e6, "{day}");
}

#[test]
fn spikes_and_troughs_of_one_sample_stay() {
    let (class, first) = (ProcessClass::ShortExecutor, ticks(FULL));
    let change = |index: u64, mib: u64| {
        let mut sample = sample(index);
        sample.classes.get_mut(&class).unwrap().rss_sum = ByteSize::mib(mib);
        sample
    };
    let (spike, trough) = (first + 1_234, first + 1_777);
    let samples = (0..1).chain(first..first + 2_400).map(|index| match index {
        index if index == spike => change(index, 50_000),
        index if index == trough => change(index, 1),
        index => sample(index),
    });
    let written = written(samples);
    for extreme in [spike, trough] {
        assert!(written.iter().any(|sample| sample.at == at(extreme)), "{extreme}");
    }
}

#[test]
fn written_samples_are_at_most_a_second_apart_and_count_those_left_out() {
    let first = ticks(FULL);
    let written = written((0..1).chain(first..first + 6_000).map(sample));
    let apart = written[1..].windows(2).map(|pair| pair[1].at.since(pair[0].at));
    assert!(apart.max().unwrap() <= SPACING + TICK);
    let all: u32 = written.iter().map(|sample| 1 + sample.left_out).sum();
    assert_eq!(all, 6_001);
    let of_machine = written.iter().filter(|sample| sample.system.is_some()).count();
    assert!(of_machine >= 250 && of_machine < written.len(), "{of_machine}");
}

#[test]
fn both_ends_of_a_sampling_gap_stay() {
    let first = ticks(FULL);
    let flat = |index| Sample { at: at(index), ..sample(first) };
    let gap = first + 105..first + 185;
    let samples = (0..1).chain(first..gap.start + 1).chain(gap.end..first + 400).map(flat);
    let written = written(samples);
    let end = written.iter().position(|sample| sample.at == at(gap.end)).unwrap();
    assert_eq!((written[end - 1].at, written[end].left_out), (at(gap.start), 0));
}

#[test]
fn the_window_is_bounded() {
    let mut thinner = Thinner::default();
    let first = ticks(FULL);
    for index in (0..1).chain(first..first + 6_000) {
        thinner.add(sample(index));
        assert!(thinner.window.len() <= 1_200);
    }
}

#[test]
fn readings_of_executors_stay_and_do_not_end_a_window() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("samples.jsonl");
    let mut journal = Journal::open(&path, folder.path().join("processes.json")).unwrap();
    let memory = ExecutorMemory { rss: ByteSize::mib(200), peak: ByteSize::mib(210) };
    let reading = |at| ExecutorReading {
        at,
        process: ProcessIdentity { pid: 11, started: 100 },
        output: Output::NoRequest,
        memory,
        before: None,
        since: None,
        cpu: None,
    };
    // A minute beyond the time that is written whole.
    for index in std::iter::once(0).chain(ticks(FULL)..ticks(FULL + WINDOW)) {
        journal.push(ProfileLine::Sample(sample(index))).unwrap();
        journal.push(ProfileLine::Executor(reading(at(index)))).unwrap();
    }
    journal.flush().unwrap();
    let lines = std::fs::read_to_string(&path).unwrap();
    let of_kind = |kind: &str| lines.lines().filter(|line| line.contains(kind)).count();
    assert_eq!(of_kind(r#""kind":"executor""#), 1_201);
    let samples = of_kind(r#""kind":"sample""#);
    assert!((60..200).contains(&samples), "{samples} of 1201 samples");
}
