//! Tests of thinned samples: what stays of a made day, and its size.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use super::*;
use crate::ids::ProcessIdentity;
use crate::record::profile::{
    ClassSample, ExecutorMemory, ExecutorReading, Output, ProcessReading, Readings, SystemSample,
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
    // The time after `UNTHINNED` is thinned evenly, so that ten minutes of it stand for all.
    let part = Duration::from_secs(600);
    let samples = (0..1).chain(ticks(UNTHINNED)..ticks(UNTHINNED + part)).map(sample);
    let thinned = size(&written(samples));
    let whole: Vec<Sample> = (0..1_000).map(sample).collect();
    let [parts, full] =
        [(DAY - UNTHINNED).div_duration_f64(part), UNTHINNED.div_duration_f64(TICK) / 1e3];
    let day = f64::from(u32::try_from(thinned).unwrap()) * parts
        + f64::from(u32::try_from(size(&whole)).unwrap()) * full;
    assert!(day < 100e6, "{day}");
}

#[test]
fn spikes_and_troughs_of_one_sample_stay() {
    let (class, first) = (ProcessClass::ShortExecutor, ticks(UNTHINNED));
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
    let first = ticks(UNTHINNED);
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
    let first = ticks(UNTHINNED);
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
    let first = ticks(UNTHINNED);
    for index in (0..1).chain(first..first + 6_000) {
        thinner.add(sample(index));
        assert!(thinner.window.len() <= 1_200);
    }
}

#[test]
fn other_lines_are_written_at_once_and_readings_of_executors_end_no_window() {
    let mut thinner = LineThinner::default();
    let mut written = Vec::new();
    // A minute beyond the time that is written whole.
    for index in std::iter::once(0).chain(ticks(UNTHINNED)..ticks(UNTHINNED + THINNED_TOGETHER)) {
        written.extend(thinner.add(ProfileLine::Sample(sample(index))));
        for pid in 1..=3 {
            written.extend(thinner.add(ProfileLine::Executor(reading(index, pid, None))));
        }
        let readings = Readings { at: at(index), ..Readings::default() };
        let line = ProfileLine::Readings(readings);
        assert_eq!(thinner.add(line.clone()), [line]);
    }
    let of_executors = |line: &&ProfileLine| matches!(line, ProfileLine::Executor(_));
    assert_eq!(written.iter().filter(of_executors).count(), 3, "those of the first sample");
    let kept = thinner.end_samples().len();
    assert!((60..200).contains(&kept), "{kept} of 1200 samples");
}

/// Reading of an executor: its RSS changes with every one.
fn reading(index: u64, pid: u32, request: Option<String>) -> ExecutorReading {
    let random = (index * 31 + u64::from(pid)) * 2_654_435_761 % 9_000;
    let memory = |random: u64| ExecutorMemory {
        rss: ByteSize((200_000 + random) << 10),
        peak: ByteSize(210_000 << 10),
    };
    ExecutorReading {
        at: at(index),
        process: ProcessIdentity { pid: 2_000_000 + pid, started: 1_234_567_890 },
        output: request.map_or(Output::NoRequest, Output::Request),
        memory: memory(random),
        before: Some(memory(random / 2)),
        since: Some(at(index)),
        cpu: Some(Duration::from_millis(index * 10)),
        thinned: false,
    }
}

/// Lines of 50 executors that run 5 requests a second between these samples: samples, readings of
/// executors, and of all processes.
fn lines_of(samples: Range<u64>) -> impl Iterator<Item = ProfileLine> {
    const EXECUTORS: u32 = 50;
    samples.flat_map(|index| {
        let mut lines = vec![ProfileLine::Sample(sample(index))];
        // Each fourth sample, an executor begins a request; two samples later, it ends.
        let (number, step) = (index / 4, index % 4);
        let pid = u32::try_from(number).unwrap() % EXECUTORS;
        let id = format!("7f3a9c12-4be1-4f6a-9d0e-{number:012}");
        match step {
            0 => lines.push(ProfileLine::Executor(reading(index, pid, Some(id)))),
            2 => lines.push(ProfileLine::Executor(reading(index, pid, None))),
            _ => {}
        }
        if index.is_multiple_of(200) {
            let process = |pid| ProcessReading {
                pid: 2_000_000 + pid,
                started: 1_234_567_890,
                rss: ByteSize::mib(200),
                anonymous: Some(ByteSize(150 << 20 | 0xf000)),
                low: Some(ByteSize(200 << 20 | 0xf000)),
                high: Some(ByteSize(230 << 20 | 0xf000)),
                threads: 12,
                open_files: Some(123),
            };
            lines.push(ProfileLine::Readings(Readings {
                at: at(index),
                processes: (0..EXECUTORS + 10).map(process).collect(),
                databases: BTreeMap::from([("requests.db".to_owned(), ByteSize::gib(1))]),
            }));
        }
        lines
    })
}

/// Number of bytes that a profile takes.
fn bytes(lines: &[ProfileLine]) -> f64 {
    let line = |line: &ProfileLine| serde_json::to_string(line).unwrap().len() + 1;
    f64::from(u32::try_from(lines.iter().map(line).sum::<usize>()).unwrap())
}

#[test]
fn a_day_of_5_requests_a_second_in_50_executors_takes_less_than_200_megabytes() {
    // Time that is written whole, and thinned time, are even, so that parts stand for all.
    let whole_part = Duration::from_secs(20);
    let whole: Vec<ProfileLine> = lines_of(0..ticks(whole_part)).collect();
    let mut thinner = LineThinner::default();
    for line in lines_of(0..1) {
        thinner.add(line);
    }
    // The largest RSS of each ten minutes stays, so that twenty minutes have two or three.
    let part = Duration::from_secs(20 * 60);
    let mut thinned = 0.0;
    let mut written = 0;
    for line in lines_of(ticks(UNTHINNED)..ticks(UNTHINNED + part)) {
        let lines = thinner.add(line);
        written += lines.iter().filter(|line| matches!(line, ProfileLine::Requests(_))).count();
        thinned += bytes(&lines);
    }
    assert!(written >= 19, "{written}");
    let day = bytes(&whole) * UNTHINNED.div_duration_f64(whole_part)
        + thinned * (DAY - UNTHINNED).div_duration_f64(part);
    assert!(day < 200e6, "{day}");
}
