//! Classes of several executors: outliers, costs of their requests, lines.

use std::collections::BTreeMap;

use super::*;
use crate::record::profile::{EndedRequests, ExecutorRequests, Sample, UnlistedRequests};

/// Two executors: one peaks by the daemon, the other runs two requests.
fn daemon_and_requests() -> Attribution {
    let mut profile = idle();
    profile.reads(500, request(DAEMON), (310, 310));
    peaks_at(&mut profile, 310);
    profile.executor(12, ProcessClass::ShortExecutor, 228);
    profile.reads(0, Output::NoRequest, (100, 100));
    profile.reads(1000, request("a"), (150, 150)).reads(2000, Output::NoRequest, (120, 160));
    profile.reads(3000, request("b"), (200, 228)).reads(3500, Output::NoRequest, (125, 228));
    let requests = [
        recorded("a", "sky.status", 990, 1990),
        recorded("b", "sky.status", 2990, 3490),
        recorded("c", "sky.status", 5000, 5010),
    ];
    profile.attribution(&requests)
}

#[test]
fn the_largest_peak_without_the_outlier_is_told() {
    let attribution = daemon_and_requests();
    let short = attribution.class(ProcessClass::ShortExecutor).expect("two executors");
    let daemon = RequestKind::Daemon(DAEMON.to_owned());
    let without = PeakWithout { kind: daemon, peak: ByteSize::mib(228) };
    assert_eq!((short.peak, &short.without), (ByteSize::mib(310), &Some(without)));
    let idle = short.idle.expect("one of two was idle at last");
    assert_eq!((short.peaks.p50, idle.processes), (ByteSize::mib(228), 1));
    assert_eq!(idle.max, ByteSize::mib(125));
}

#[test]
fn the_cost_of_a_kind_of_request_is_of_all_its_requests() {
    let costs = daemon_and_requests().costs;
    let kinds: Vec<String> = costs.iter().map(|cost| cost.kind.to_string()).collect();
    assert_eq!(kinds, [format!("daemon {DAEMON}"), "sky.status".to_owned()]);
    let cost = &costs[1];
    assert_eq!((cost.recorded, cost.seen, cost.executors), (Some(3), 2, 1));
    assert_eq!((cost.growth_p50, cost.growth_max), mib(60, 68), "of 0, 60 and 68");
    assert_eq!(cost.stayed_max, Some(ByteSize::mib(25)), "20 of the first, 5 of the second");
    assert_eq!((cost.cpu, cost.cpu_requests), (Some(Duration::from_millis(1500)), 2));
    assert_eq!(costs[0].cpu, None, "the daemon has not ended");
}

#[test]
fn requests_from_before_and_after_the_profile_do_not_count() {
    let mut profile = idle();
    profile.reads(1000, request("a"), (180, 180)).reads(2000, Output::NoRequest, (90, 180));
    peaks_at(&mut profile, 180);
    for millis in [500, 3000] {
        profile.lines.push(ProfileLine::Sample(Sample {
            at: at(millis),
            late_micros: 0,
            classes: BTreeMap::new(),
            zombies: 0,
            left_out: 0,
            system: None,
        }));
    }
    let during = [recorded("a", "sky.status", 990, 1990)];
    let before = (0..9).map(|id| recorded(&format!("before-{id}"), "sky.status", 0, 400));
    let after = (0..9).map(|id| recorded(&format!("after-{id}"), "sky.status", 3100, 3200));
    let requests: Vec<ServerRequest> = before.chain(during).chain(after).collect();
    let cost = &profile.attribution(&requests).costs[0];
    assert_eq!((cost.recorded, cost.growth_p50), (Some(1), Some(ByteSize::mib(80))));
}

#[test]
fn of_very_many_executors_the_largest_are_drawn() {
    let mut profile = Profile::default();
    for pid in 1..=310 {
        let size = u64::from(pid);
        profile.executor(pid, ProcessClass::ShortExecutor, size);
        profile.reads(1000, request(&pid.to_string()), (size, size));
    }
    let lines = profile.recorded(|recording| executor_lines(recording, None));
    let [short] = &lines[..] else { panic!("one class") };
    let pids: Vec<u32> = short.executors.iter().map(|one| one.process.pid).collect();
    assert_eq!(pids, (11..=310).rev().collect::<Vec<_>>());
    assert_eq!((short.executors_left_out, short.requests.len()), (10, 300));
}

/// Adds a line with so many requests of an executor that are not listed, and none that is.
pub(super) fn leave_out_requests(profile: &mut Profile, pid: u32, requests: u32) {
    let executor = ExecutorRequests {
        pid,
        started: 1,
        peak: ByteSize::mib(100),
        requests: Vec::new(),
        running_since_mark: None,
        unlisted: (requests > 0)
            .then(|| UnlistedRequests { requests, ..UnlistedRequests::default() }),
    };
    let line = EndedRequests { at: at(9000), executors: vec![executor] };
    profile.lines.push(ProfileLine::Requests(line));
}

#[test]
fn requests_that_are_not_listed_count_among_those_that_are_not_drawn() {
    let mut profile = idle();
    profile.reads(1000, request("a"), (120, 120)).reads(2000, Output::NoRequest, (110, 120));
    leave_out_requests(&mut profile, 11, 7);
    let lines = profile.recorded(|recording| executor_lines(recording, None));
    assert_eq!((lines[0].requests.len(), lines[0].left_out), (1, 6));
}

#[test]
fn a_request_whose_end_was_thinned_is_not_drawn_until_a_reading_long_after_it() {
    let mut profile = idle();
    profile.reads(1000, request("a"), (120, 120)).reads(2000, request("b"), (110, 120));
    profile.last().thinned = true;
    profile.reads(9000, request("c"), (180, 180));
    profile.last().thinned = true;
    let lines = profile.recorded(|recording| executor_lines(recording, None));
    let [b] =
        lines[0].requests.iter().filter(|one| one.request.ends_with(" b")).collect::<Vec<_>>()[..]
    else {
        panic!("{:?}", lines[0].requests)
    };
    assert_eq!(b.points.last().map(|(at, _)| *at), Some(at(2000)));
}

fn mib(one: u64, other: u64) -> (Option<ByteSize>, Option<ByteSize>) {
    (Some(ByteSize::mib(one)), Some(ByteSize::mib(other)))
}

#[test]
fn memory_that_is_freed_did_not_stay() {
    let mut profile = idle();
    profile.reads(1000, request("a"), (180, 180)).reads(2000, Output::NoRequest, (90, 180));
    peaks_at(&mut profile, 180);
    assert_eq!(profile.attribution(&[]).costs[0].stayed_max, Some(ByteSize(0)));
}
