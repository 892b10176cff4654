//! Tests of thinned readings of executors: which stay, and what is listed of the others.

use super::*;
use crate::record::profile::{ExecutorMemory, Output};

const PROCESS: ProcessIdentity = ProcessIdentity { pid: 11, started: 100 };

const BEGAN: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

/// Time in milliseconds after the time that is written whole.
fn at(millis: u64) -> Timestamp {
    BEGAN.plus(UNTHINNED).plus(Duration::from_millis(millis))
}

/// Thinner that has begun to thin, and its next reading.
#[derive(Default)]
struct Feed {
    thinner: ExecutorThinner,
    memory: Option<ExecutorMemory>,
    lines: Vec<ProfileLine>,
}

impl Feed {
    fn thinning() -> Self {
        Self::thinning_since(None)
    }

    /// Thinner that has begun to thin while this request runs.
    fn thinning_since(request: Option<&str>) -> Self {
        let mut feed = Self::default();
        _ = feed.thinner.advance(BEGAN);
        // A first reading that is written.
        feed.reads(0, request, 100, 100);
        assert_eq!(feed.lines.len(), 1);
        feed.lines.clear();
        feed.advances(0);
        feed
    }

    /// Adds a reading of RSS and high-water mark in MiB.
    fn reads(&mut self, millis: u64, request: Option<&str>, rss: u64, peak: u64) {
        let memory = ExecutorMemory { rss: ByteSize::mib(rss), peak: ByteSize::mib(peak) };
        let reading = ExecutorReading {
            at: at(millis),
            process: PROCESS,
            output: request.map_or(Output::NoRequest, |id| Output::Request(id.to_owned())),
            memory,
            before: self.memory.replace(memory),
            since: None,
            cpu: Some(Duration::from_millis(millis)),
            thinned: false,
        };
        self.lines.extend(self.thinner.add(reading).map(ProfileLine::Executor));
    }

    fn advances(&mut self, millis: u64) {
        self.lines.extend(self.thinner.advance(at(millis)));
    }

    fn finish(&mut self, millis: u64) {
        self.lines.extend(self.thinner.finish(at(millis)));
    }

    /// Times in milliseconds of the readings that are written.
    fn written(&self) -> Vec<u64> {
        let readings = self.lines.iter().filter_map(|line| match line {
            ProfileLine::Executor(reading) => Some(reading),
            _ => None,
        });
        let millis = readings.map(|reading| reading.at.since(at(0)).as_millis());
        millis.map(|millis| u64::try_from(millis).unwrap()).collect()
    }

    fn listed(&self) -> Vec<&ExecutorRequests> {
        let lines = self.lines.iter().filter_map(|line| match line {
            ProfileLine::Requests(requests) => Some(&requests.executors),
            _ => None,
        });
        lines.flatten().collect()
    }
}

#[test]
fn a_rise_stays_with_its_request_and_the_readings_around_it() {
    let mut feed = Feed::thinning();
    // The largest RSS of the part stays, so that the others are left out.
    feed.reads(1_000, Some("a"), 100, 100);
    feed.reads(2_000, None, 100, 100);
    feed.reads(3_000, Some("b"), 99, 100);
    feed.reads(4_000, None, 99, 100);
    feed.reads(5_000, Some("c"), 98, 100);
    feed.reads(6_000, Some("c"), 98, 100);
    feed.reads(7_000, Some("c"), 98, 100);
    feed.reads(8_000, Some("c"), 99, 102);
    feed.reads(9_000, Some("c"), 98, 102);
    feed.reads(10_000, None, 98, 102);
    feed.reads(11_000, Some("d"), 98, 102);
    feed.reads(12_000, None, 98, 102);
    feed.reads(13_000, Some("e"), 98, 102);
    feed.advances(60_000);
    // Of c: the reading before it, its first, the one before the rise, the rise, and its end.
    let of_largest = [1_000, 2_000];
    let written = feed.written();
    assert_eq!(written[..2], of_largest, "{written:?}");
    assert_eq!(written[2..], [4_000, 5_000, 7_000, 8_000, 10_000]);
}

#[test]
fn a_rise_in_a_later_window_stays_with_the_start_of_its_request() {
    let mut feed = Feed::thinning();
    feed.reads(1_000, Some("a"), 100, 100);
    feed.reads(2_000, None, 100, 100);
    feed.reads(3_000, Some("daemon"), 99, 100);
    for millis in (4_000..60_000).step_by(1_000) {
        feed.reads(millis, Some("daemon"), 98, 100);
    }
    feed.advances(60_000);
    feed.lines.clear();
    feed.reads(61_000, Some("daemon"), 99, 110);
    feed.advances(120_000);
    assert_eq!(feed.written(), [3_000, 59_000, 61_000], "the reading before is already written");
}

#[test]
fn the_last_reading_stays_with_its_request() {
    let mut feed = Feed::thinning();
    feed.reads(1_000, None, 100, 100);
    feed.advances(60_000);
    feed.lines.clear();
    feed.reads(61_000, Some("a"), 99, 100);
    feed.reads(62_000, Some("a"), 99, 100);
    feed.reads(63_000, Some("a"), 99, 100);
    feed.finish(64_000);
    assert_eq!(feed.written(), [61_000, 62_000, 63_000]);
    let listed = feed.listed();
    let [ended] = &listed[..] else { panic!("one line: {listed:?}") };
    assert_eq!(ended.running_since_mark, Some(ByteSize::mib(100)));
    assert_eq!(ended.requests[0].id, "a");
}

#[test]
fn an_hour_of_requests_that_follow_at_once_is_thinned() {
    let mut feed = Feed::thinning_since(Some("whole"));
    for minute in 0..60 {
        for second in 0..60 {
            let millis = (minute * 60 + second) * 1_000;
            feed.reads(millis + 500, Some(&format!("{minute}-{second}")), 100, 100);
        }
        feed.advances((minute + 1) * 60_000);
    }
    // Of each part, the largest RSS with the two readings before it and its end.
    let written = feed.written();
    assert!((20..=30).contains(&written.len()), "{written:?}");
}

#[test]
fn a_rise_of_a_request_that_took_over_stays_with_its_end() {
    let mut feed = Feed::thinning();
    // The largest RSS of the part.
    feed.reads(1_000, Some("a"), 100, 100);
    // The end of a, and the start of a rise.
    feed.reads(2_000, Some("b"), 99, 100);
    feed.reads(3_000, Some("b"), 99, 110);
    feed.reads(4_000, Some("c"), 98, 110);
    feed.reads(5_000, Some("d"), 98, 110);
    feed.reads(6_000, Some("e"), 98, 110);
    feed.advances(60_000);
    assert_eq!(feed.written(), [1_000, 2_000, 3_000, 4_000]);
}

#[test]
fn an_executor_that_has_exited_is_written_with_the_window_and_forgotten() {
    let mut feed = Feed::thinning();
    feed.reads(1_000, Some("a"), 100, 100);
    feed.advances(60_000);
    feed.lines.clear();
    feed.reads(61_000, Some("a"), 99, 100);
    feed.advances(120_000);
    // Without a reading in the window of its exit.
    feed.thinner.end(&[PROCESS]);
    feed.lines.clear();
    feed.advances(180_000);
    assert_eq!(feed.written(), [61_000], "the last reading of the executor");
    let [exited] = &feed.listed()[..] else { panic!("one executor") };
    assert_eq!((exited.requests.len(), exited.requests[0].id.as_str()), (1, "a"));
    assert_eq!(exited.running_since_mark, Some(ByteSize::mib(100)));
    assert!(feed.thinner.executors.is_empty());
    feed.lines.clear();
    feed.finish(190_000);
    assert!(feed.lines.is_empty(), "{:?}", feed.lines);
}

#[test]
fn an_executor_that_exits_while_all_is_written_is_forgotten_at_once() {
    let mut feed = Feed::default();
    _ = feed.thinner.advance(BEGAN);
    feed.reads(0, Some("a"), 100, 100);
    feed.thinner.end(&[PROCESS]);
    assert!(feed.thinner.executors.is_empty());
}

#[test]
fn every_request_is_listed_with_its_cost_once_it_is_complete() {
    let mut feed = Feed::thinning();
    feed.reads(1_000, Some("a"), 110, 110);
    feed.reads(2_000, Some("a"), 130, 140);
    feed.reads(3_000, None, 120, 150);
    feed.reads(4_000, None, 104, 150);
    feed.advances(60_000);
    assert!(feed.listed()[0].requests.is_empty(), "memory may still be freed");
    feed.reads(61_000, Some("b"), 120, 150);
    feed.advances(120_000);
    let listed = feed.listed();
    let mib = |size: i64| size << 20;
    assert_eq!(
        listed[1].requests,
        [ExecutedRequest {
            id: "a".to_owned(),
            growth: Some(ByteSize::mib(50)),
            stayed: Some(mib(4)),
            cpu: Some(Duration::from_secs(2)),
        }]
    );
    assert_eq!(listed[1].peak, ByteSize::mib(150));
}

#[test]
fn requests_beyond_the_limit_are_summed_up_those_with_the_least_growth() {
    let mut feed = Feed::thinning();
    let requests = u64::try_from(MAX_LISTED).unwrap() + 5;
    let mut peak = 100;
    for number in 0..=requests {
        let millis = 1_000 + number * 50;
        peak += u64::from(number.is_multiple_of(2));
        feed.reads(millis, Some(&number.to_string()), 100, peak);
        feed.reads(millis + 20, None, 101, peak);
    }
    feed.advances(60_000);
    let listed = feed.listed();
    let [executor] = &listed[..] else { panic!("one executor") };
    assert_eq!(executor.requests.len(), MAX_LISTED);
    let grown = executor.requests.iter().filter(|one| one.growth > Some(ByteSize(0))).count();
    assert_eq!(u64::try_from(grown).unwrap(), requests.div_ceil(2));
    let unlisted = executor.unlisted.expect("five are not listed");
    let cpu = Duration::from_millis(5 * 20);
    assert_eq!((unlisted.requests, unlisted.growth_max), (5, ByteSize(0)));
    assert_eq!((unlisted.cpu, unlisted.cpu_requests), (cpu, 5));
}

#[test]
fn a_request_that_still_runs_is_listed_however_many_have_grown_more() {
    let mut feed = Feed::thinning();
    let requests = u64::try_from(MAX_LISTED).unwrap() + 5;
    for number in 0..requests {
        feed.reads(1_000 + number * 50, Some(&number.to_string()), 100, 101 + number);
        feed.reads(1_020 + number * 50, None, 100, 101 + number);
    }
    feed.reads(50_000, Some("last"), 100, 100 + requests);
    feed.finish(51_000);
    let [executor] = &feed.listed()[..] else { panic!("one executor") };
    assert_eq!(executor.requests.len(), MAX_LISTED);
    assert_eq!(executor.requests.last().map(|request| request.id.as_str()), Some("last"));
    assert_eq!(executor.running_since_mark, Some(ByteSize::mib(100 + requests)));
    assert_eq!(executor.unlisted.map(|unlisted| unlisted.requests), Some(6));
}

#[test]
fn what_is_held_of_an_executor_is_bounded() {
    let mut feed = Feed::thinning();
    for minute in 0..10 {
        for second in 0..60 {
            feed.reads((minute * 60 + second) * 1_000, Some("daemon"), 90 + second % 7, 100);
        }
        feed.advances((minute + 1) * 60_000);
        assert!(feed.thinner.executors[&PROCESS].held.len() <= 3);
    }
    assert!(feed.written().len() <= 4, "{:?}", feed.written());
}
