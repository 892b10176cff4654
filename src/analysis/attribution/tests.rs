//! Tests of the attribution on made-up readings.

mod costs;

use std::time::Duration;

use super::*;
use crate::clock::Timestamp;
use crate::record::profile::{
    Ending, ExecutorMemory, ExecutorReading, Output, ProcessRecord, ProcessTable, ProfileHeader,
    ProfileLine, ProfilerLevel, ProfilerOverhead, UnreadOutput,
};
use crate::record::{ServerRequest, Version};

const DAEMON: &str = "skypilot-status-refresh-daemon";

/// Executors of a profile with their readings.
#[derive(Default)]
struct Profile {
    lines: Vec<ProfileLine>,
    records: Vec<ProcessRecord>,
}

/// Time in milliseconds since the start of the profile.
fn at(millis: u64) -> Timestamp {
    Timestamp::from_micros(1_000_000 + millis * 1000)
}

fn identity(pid: u32) -> ProcessIdentity {
    ProcessIdentity { pid, started: 1 }
}

/// Memory in MiB: RSS and peak.
fn memory(rss: u64, peak: u64) -> ExecutorMemory {
    ExecutorMemory { rss: ByteSize::mib(rss), peak: ByteSize::mib(peak) }
}

fn request(id: &str) -> Output {
    Output::Request(id.to_owned())
}

impl Profile {
    /// Adds an executor with this peak in the process table.
    fn executor(&mut self, pid: u32, class: ProcessClass, peak: u64) -> &mut Self {
        self.records.push(ProcessRecord {
            identity: identity(pid),
            parent: 1,
            class,
            title: String::new(),
            kind: None,
            first_seen: at(0),
            last_read: Some(at(9000)),
            peak: Some(ByteSize::mib(peak)),
            peak_while_starting: None,
            swapped: None,
            threads: 1,
            fastest_growth: None,
            exited: None,
            signal: None,
            ending: Ending::Alive,
        });
        self
    }

    /// Adds a reading of the last executor, 50 ms after its reading before. Memory is RSS and peak
    /// in MiB.
    fn reads(&mut self, millis: u64, output: Output, now: (u64, u64)) -> &mut Self {
        let process = self.records.last().expect("an executor").identity;
        let of_process = self.lines.iter().rev().find_map(|line| match line {
            ProfileLine::Executor(reading) if reading.process == process => Some(reading.memory),
            _ => None,
        });
        self.lines.push(ProfileLine::Executor(ExecutorReading {
            at: at(millis),
            process,
            output,
            memory: memory(now.0, now.1),
            before: of_process,
            since: of_process.map(|_| at(millis - 50)),
            cpu: Some(Duration::from_millis(millis)),
            thinned: false,
        }));
        self
    }

    fn last(&mut self) -> &mut ExecutorReading {
        match self.lines.last_mut() {
            Some(ProfileLine::Executor(reading)) => reading,
            _ => panic!("a reading"),
        }
    }

    fn attribution(&self, requests: &[ServerRequest]) -> Attribution {
        let requests =
            ServerRequests { version: Version, requests: requests.to_vec(), is_cut: false };
        self.attribution_by(Some(&requests))
    }

    fn attribution_by(&self, requests: Option<&ServerRequests>) -> Attribution {
        self.recorded(|recording| assemble(recording, requests)).expect("there are readings")
    }

    fn recorded<T>(&self, read: impl FnOnce(Recording<'_>) -> T) -> T {
        let table = ProcessTable {
            version: Version,
            processes: self.records.clone(),
            dropped_events: 0,
            profiler: ProfilerOverhead {
                samples: 1,
                missed_samples: 0,
                rate_hz: 20.0,
                cpu: Duration::ZERO,
                peak: ByteSize(0),
                longest_gap: Duration::ZERO,
            },
        };
        read(Recording { lines: &self.lines, processes: Some(&table) })
    }

    fn cause(&self, requests: &[ServerRequest]) -> Cause {
        self.attribution(requests).classes[0].cause.clone()
    }
}

/// Request on the server's record, received and ended at these milliseconds.
fn recorded(id: &str, name: &str, created: u64, finished: u64) -> ServerRequest {
    ServerRequest {
        id: id.to_owned(),
        name: name.to_owned(),
        user: "ann".to_owned(),
        cluster: None,
        queue: Some("short".to_owned()),
        created: Some(at(created)),
        finished: Some(at(finished)),
    }
}

fn ids(cause: &Cause) -> Vec<&str> {
    cause.requests().iter().map(|request| request.id.as_str()).collect()
}

/// Short executor of 100 MiB that is idle.
fn idle() -> Profile {
    let mut profile = Profile::default();
    profile.executor(11, ProcessClass::ShortExecutor, 100);
    profile.reads(0, Output::NoRequest, (100, 100));
    profile
}

fn peaks_at(profile: &mut Profile, peak: u64) {
    profile.records.last_mut().expect("an executor").peak = Some(ByteSize::mib(peak));
}

#[test]
fn the_request_during_the_last_rise_is_the_cause() {
    let mut profile = idle();
    profile.reads(1000, request("a"), (120, 120));
    profile.reads(2800, request("a"), (142, 142)).reads(3000, Output::NoRequest, (110, 142));
    profile.reads(4000, request("b"), (120, 142)).reads(5000, Output::NoRequest, (110, 142));
    peaks_at(&mut profile, 142);
    let requests = [
        ServerRequest { cluster: Some("c".to_owned()), ..recorded("a", "sky.launch", 990, 2990) },
        recorded("b", "sky.status", 3990, 4990),
    ];
    let Cause::Request { request, growth } = profile.cause(&requests) else {
        panic!("one request")
    };
    assert_eq!((request.kind, request.cluster.as_deref()), named("sky.launch", Some("c")));
    let growth = growth.expect("the mark before is known");
    assert_eq!((growth.by, growth.within), (ByteSize::mib(42), Duration::from_millis(1850)));
}

fn named<'a>(name: &str, cluster: Option<&'a str>) -> (RequestKind, Option<&'a str>) {
    (RequestKind::Named(name.to_owned()), cluster)
}

#[test]
fn a_daemon_is_named_as_one_with_and_without_a_record() {
    let mut profile = idle();
    profile.reads(1000, request(DAEMON), (180, 180));
    peaks_at(&mut profile, 180);
    for requests in [&[][..], &[recorded(DAEMON, "sky.status-refresh", 0, 0)]] {
        let cause = profile.cause(requests);
        assert_eq!(cause.kind(), Some(&RequestKind::Daemon(DAEMON.to_owned())));
    }
}

#[test]
fn a_rise_noticed_after_the_end_of_a_request_is_of_that_request() {
    let mut profile = idle();
    profile.reads(1000, request("a"), (110, 110)).reads(1500, Output::NoRequest, (105, 300));
    peaks_at(&mut profile, 300);
    assert_eq!(ids(&profile.cause(&[])), ["a"]);
}

#[test]
fn two_requests_between_readings_of_the_mark_may_both_be_the_cause() {
    let mut profile = idle();
    profile.reads(1000, request("a"), (110, 110)).reads(1500, request("b"), (115, 300));
    profile.last().since = Some(at(1000));
    peaks_at(&mut profile, 300);
    let requests = [recorded("a", "sky.status", 990, 1480), recorded("b", "sky.queue", 1470, 9000)];
    let cause = profile.cause(&requests);
    assert!(matches!(cause, Cause::OneOf { .. }), "{cause:?}");
    assert_eq!((ids(&cause), cause.kind()), (vec!["a", "b"], None));
}

#[test]
fn growth_noticed_at_the_change_to_another_request_counts_once() {
    let mut profile = idle();
    profile.reads(1000, request("a"), (110, 110)).reads(2000, request("b"), (120, 300));
    profile.reads(3000, request("b"), (120, 320)).reads(4000, Output::NoRequest, (110, 320));
    peaks_at(&mut profile, 320);
    let requests = [recorded("a", "sky.status", 990, 1990), recorded("b", "sky.queue", 1995, 3990)];
    let costs = profile.attribution(&requests).costs;
    let growth = costs.iter().map(|cost| (cost.kind.to_string(), cost.growth_max));
    let expected = [("sky.status", ByteSize::mib(200)), ("sky.queue", ByteSize::mib(20))];
    let expected = expected.map(|(kind, growth)| (kind.to_owned(), Some(growth)));
    assert_eq!(growth.collect::<Vec<_>>(), expected);
}

#[test]
fn the_record_excludes_requests_that_ended_before_or_began_after() {
    let mut profile = idle();
    profile.reads(1000, request("a"), (110, 110)).reads(5000, request("b"), (115, 300));
    profile.last().since = Some(at(4900));
    peaks_at(&mut profile, 300);
    let ended = [recorded("a", "sky.status", 990, 1480), recorded("b", "sky.queue", 4950, 9000)];
    let cause = profile.cause(&ended);
    let growth = Some(PeakGrowth { by: ByteSize::mib(190), within: Duration::from_millis(100) });
    assert!(
        matches!(&cause, Cause::Request { growth: found, .. } if *found == growth),
        "{cause:?}"
    );
    assert_eq!(ids(&cause), ["b"]);
    let began = [recorded("a", "sky.status", 990, 4990), recorded("b", "sky.queue", 5001, 9000)];
    assert_eq!(ids(&profile.cause(&began)), ["a"]);
}

#[test]
fn a_request_too_short_to_be_seen_is_found_in_the_record() {
    let mut profile = idle();
    profile.reads(2000, Output::NoRequest, (100, 300));
    profile.last().since = Some(at(1000));
    peaks_at(&mut profile, 300);
    let long = ServerRequest { queue: Some("long".to_owned()), ..recorded("l", "x", 1400, 1500) };
    let requests = [recorded("a", "sky.status", 1400, 1500), recorded("b", "y", 100, 200), long];
    let cause = profile.cause(&requests);
    assert!(matches!(cause, Cause::OneOf { .. }), "it may have run elsewhere: {cause:?}");
    assert_eq!(ids(&cause), ["a"]);
    assert_eq!(profile.cause(&[]), Cause::NoRequest);
    let cut = ServerRequests { version: Version, requests: Vec::new(), is_cut: true };
    for list in [None, Some(&cut)] {
        let cause = &profile.attribution_by(list).classes[0].cause;
        assert_eq!(*cause, Cause::Unknown(UnknownCause::NotListed), "{list:?}");
    }
    // One that was seen may be the one: the profile of hours does not list it.
    let unknown = Cause::Unknown(UnknownCause::NotAllListed);
    costs::leave_out_requests(&mut profile, 11, 2);
    assert_eq!(profile.cause(&requests), unknown);
    // Nor the last one of an executor before the profile has ended.
    profile.lines.pop();
    costs::leave_out_requests(&mut profile, 11, 0);
    assert_eq!(profile.cause(&requests), unknown);
    profile.lines.push(ProfileLine::Footer { at: at(9000), wrote: None });
    assert_eq!(ids(&profile.cause(&requests)), ["a"]);
}

#[test]
fn a_peak_that_the_readings_do_not_have_is_of_the_last_request() {
    let mut profile = idle();
    profile.reads(1000, request("a"), (110, 110));
    peaks_at(&mut profile, 400);
    let Cause::Request { request, growth } = profile.cause(&[]) else { panic!("one request") };
    assert_eq!(
        (request.kind, growth.map(|growth| growth.by)),
        (RequestKind::Unrecorded, Some(ByteSize::mib(300)))
    );
}

#[test]
fn a_peak_of_an_earlier_request_or_with_swap_is_not_of_the_last_request() {
    // The mark was reset, as with a peak for each phase.
    let mut reset = idle();
    reset.reads(1000, request("a"), (110, 300)).reads(2000, Output::NoRequest, (100, 300));
    reset.reads(3000, Output::NoRequest, (100, 100)).reads(4000, request("b"), (120, 120));
    peaks_at(&mut reset, 300);
    let mut swapped = idle();
    swapped.reads(1000, request("a"), (110, 300)).reads(2000, Output::NoRequest, (100, 300));
    swapped.reads(4000, request("b"), (320, 320));
    swapped.records[0].swapped = Some(ByteSize::mib(80));
    peaks_at(&mut swapped, 400);
    let requests =
        [recorded("a", "sky.launch", 990, 1990), recorded("b", "sky.status", 3990, 9000)];
    for (profile, cause) in [(reset, "a"), (swapped, "b")] {
        let attribution = profile.attribution(&requests);
        let status = RequestKind::Named("sky.status".to_owned());
        let cost = attribution.costs.iter().find(|cost| cost.kind == status);
        assert_eq!(cost.and_then(|cost| cost.growth_max), Some(ByteSize::mib(20)));
        assert_eq!(ids(&attribution.classes[0].cause), [cause]);
    }
}

#[test]
fn a_cause_that_cannot_be_told_has_its_reason() {
    let unknown = |change: fn(&mut Profile)| {
        let mut profile = idle();
        change(&mut profile);
        profile.cause(&[])
    };
    let reason = Cause::Unknown;
    assert_eq!(unknown(|_| ()), reason(UnknownCause::BeforeProfile));
    let imported = unknown(|profile| {
        profile.records[0].peak_while_starting = Some(ByteSize::mib(100));
    });
    assert_eq!(imported, Cause::Import);
    let before_the_run = unknown(|profile| {
        profile.records[0].peak_while_starting = Some(ByteSize::mib(60));
        profile.last().before = Some(memory(100, 100));
    });
    assert_eq!(before_the_run, reason(UnknownCause::BeforeProfile));
    let exited = unknown(|profile| peaks_at(profile, 400));
    assert_eq!(exited, reason(UnknownCause::NotRead));
    let of_another_user = unknown(|profile| {
        let output = Output::Unread(UnreadOutput::NotPermitted);
        profile.reads(1000, output, (180, 180));
        peaks_at(profile, 180);
    });
    assert_eq!(of_another_user, reason(UnknownCause::NotPermitted));
    let grown_since_then = unknown(|profile| {
        profile.reads(1000, Output::Unread(UnreadOutput::NotPermitted), (180, 180));
        peaks_at(profile, 200);
    });
    assert_eq!(grown_since_then, reason(UnknownCause::NotPermitted));
}

#[test]
fn a_daemon_from_before_the_profile_is_the_cause_without_its_growth() {
    let mut profile = Profile::default();
    profile.executor(11, ProcessClass::ShortExecutor, 180).reads(0, request(DAEMON), (180, 180));
    let Cause::Request { request, growth } = profile.cause(&[]) else { panic!("the daemon") };
    assert_eq!((request.id.as_str(), growth), (DAEMON, None));

    // The profile began before the run, and saw the import.
    profile.records[0].peak_while_starting = Some(ByteSize::mib(160));
    profile.last().before = Some(memory(180, 180));
    assert_eq!(ids(&profile.cause(&[])), [DAEMON]);
}

#[test]
fn a_profile_without_readings_of_executors_has_no_attribution() {
    let lines = [ProfileLine::Header(ProfileHeader {
        version: Version,
        at: at(0),
        root: identity(1),
        interval: Duration::from_millis(50),
        level: ProfilerLevel::HighWaterMark,
        kernel_events: false,
        threads_and_sockets: Some(true),
        memory_total: ByteSize::gib(1),
        cpus: 1,
    })];
    assert_eq!(assemble(Recording { lines: &lines, processes: None }, None), None);
}
