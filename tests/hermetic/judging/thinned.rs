//! Report of a profile of hours, whose samples and readings of executors are thinned.

use std::collections::BTreeMap;
use std::time::Duration;

use skyload::analysis::{Evidence, ExecutorClass, Report};
use skyload::class::ProcessClass;
use skyload::ids::ProcessIdentity;
use skyload::profiler;
use skyload::record::events::{Event, LoggedEvent};
use skyload::record::profile::{
    EndedRequests, ExecutedRequest, ExecutorMemory, ExecutorReading, ExecutorRequests, Output,
    Phase, ProcessReading, ProcessRecord, ProfileLine, Readings, Sample, UnlistedRequests,
};
use skyload::record::request::LoadRequest;
use skyload::record::{ServerRequest, ServerRequests, Version};
use skyload::units::ByteSize;

use super::evidence::{LOAD_BEGAN, at, four_users, good_run};
use super::server_profiles::{remote_request, with_profile_from_the_server};

const MINUTE: u64 = 60_000;
const END: u64 = 55 * MINUTE;
const EXECUTORS: u32 = 20;
/// Time between the starts of two requests of one executor, in milliseconds.
const EVERY: u64 = 10_000;

/// Readings of single processes, and requests of executors, as a profile of hours has them.
pub(crate) fn lines_of_hours(run: &Evidence) -> [ProfileLine; 2] {
    let records = run.processes.iter().flat_map(|table| &table.processes);
    let process = |record: &ProcessRecord| ProcessReading {
        pid: record.identity.pid,
        started: record.identity.started,
        rss: ByteSize::mib(100),
        anonymous: None,
        low: Some(ByteSize::mib(90)),
        high: Some(ByteSize::mib(110)),
        threads: 3,
        open_files: Some(12),
    };
    let readings = Readings {
        at: at(LOAD_BEGAN),
        processes: records.map(process).collect(),
        databases: BTreeMap::from([("requests.db".to_owned(), ByteSize::mib(1))]),
    };
    let executed = |id: &str| ExecutedRequest {
        id: id.to_owned(),
        growth: Some(ByteSize::mib(2)),
        stayed: Some(-4096),
        cpu: Some(Duration::from_millis(20)),
    };
    let executor = ExecutorRequests {
        pid: 3,
        started: 3,
        peak: ByteSize::mib(180),
        requests: vec![executed("7f-2"), executed("7f-3")],
        running_since_mark: Some(ByteSize::mib(120)),
        unlisted: Some(UnlistedRequests {
            requests: 2,
            growth_max: ByteSize::mib(1),
            stayed: 4096,
            cpu: Duration::from_millis(20),
            cpu_requests: 1,
        }),
    };
    let requests = EndedRequests { at: at(LOAD_BEGAN + 100), executors: vec![executor] };
    [ProfileLine::Readings(readings), ProfileLine::Requests(requests)]
}

/// Sets every figure of an executor's requests to the largest.
pub(crate) fn largest_numbers(executor: &mut ExecutorRequests) {
    executor.peak = ByteSize(u64::MAX);
    for request in &mut executor.requests {
        request.growth = Some(ByteSize(u64::MAX));
        (request.stayed, request.cpu) = (Some(i64::MAX), Some(Duration::MAX));
    }
    executor.unlisted = Some(UnlistedRequests {
        requests: u32::MAX,
        growth_max: ByteSize(u64::MAX),
        stayed: i64::MAX,
        cpu: Duration::MAX,
        cpu_requests: u32::MAX,
    });
}

/// Executor that runs one request after another, of three kinds.
struct Executor {
    process: ProcessIdentity,
    /// Last reading, in KiB.
    memory: Option<(u64, u64)>,
    cpu: u64,
    lines: Vec<ProfileLine>,
}

impl Executor {
    fn reads(&mut self, millis: u64, output: Output, rss: u64) {
        let peak = self.memory.map_or(rss, |(_, peak)| peak.max(rss));
        let memory = |(rss, peak): (u64, u64)| ExecutorMemory {
            rss: ByteSize(rss << 10),
            peak: ByteSize(peak << 10),
        };
        self.cpu += 10;
        self.lines.push(ProfileLine::Executor(ExecutorReading {
            at: at(millis),
            process: self.process,
            output,
            memory: memory((rss, peak)),
            before: self.memory.map(memory),
            since: self.memory.map(|_| at(millis - 50)),
            cpu: Some(Duration::from_millis(self.cpu)),
            thinned: false,
        }));
        self.memory = Some((rss, peak));
    }

    /// Runs requests until the end, and returns the server's record of them.
    fn work(&mut self) -> Vec<ServerRequest> {
        let pid = u64::from(self.process.pid);
        let mut requests = Vec::new();
        self.reads(pid % 97 * 100, Output::NoRequest, 120_000);
        for (number, millis) in (0..).zip((EVERY..END - EVERY).step_by(10_000)) {
            let from = millis + pid * 431 % 5_000;
            let id = format!("{pid}-{number}");
            let ran = || Output::Request(id.clone());
            let random = (pid * 7_919 + number * 104_729) % 1_009;
            // Some requests raise the mark by more than noise, also in the last minutes.
            let step = if random.is_multiple_of(29) { random * 40 } else { 0 };
            let rss = 130_000 + random * 5 + number * 3 + step;
            self.reads(from, ran(), rss);
            self.reads(from + 1_000, ran(), rss + random % 7 * 3_000);
            // Of some, the next one begins at once, and its first reading has the last rise.
            if !random.is_multiple_of(11) {
                self.reads(from + 1_500, Output::NoRequest, rss - 5_000);
            }
            let name = match number % 3 {
                0 => "sky.status",
                1 => "sky.launch",
                _ => "sky.queue",
            };
            requests.push(ServerRequest {
                id,
                name: name.to_owned(),
                user: "ann".to_owned(),
                cluster: None,
                queue: Some("short".to_owned()),
                created: Some(at(from - 40)),
                finished: Some(at(from + 1_490)),
            });
        }
        requests
    }
}

/// Run of 55 minutes with a request of an executor each half a second.
fn long_run() -> Evidence {
    long_run_of(&four_users(), 0, END)
}

/// Run between two times of a profile of 55 minutes with a request of an executor each half a
/// second.
fn long_run_of(request: &LoadRequest, began: u64, ended: u64) -> Evidence {
    let mut run = good_run(request);
    run.events = [
        (began, Event::PhaseBegan(Phase::Baseline)),
        (began + MINUTE, Event::PhaseBegan(Phase::Load)),
        (ended - MINUTE, Event::PhaseBegan(Phase::Cooldown)),
        (ended, Event::PhasesEnded),
    ]
    .map(|(millis, event)| LoggedEvent { at: at(millis), event })
    .to_vec();
    let ProfileLine::Sample(first) = run.profile[1].clone() else { panic!("a sample") };
    let (header, footer) = (run.profile.remove(0), run.profile.pop().expect("a footer"));
    let sample = |millis| ProfileLine::Sample(Sample { at: at(millis), ..first.clone() });
    let mut lines: Vec<ProfileLine> = (0..=END).step_by(2_000).map(sample).collect();
    let table = run.processes.as_mut().expect("a good run has one");
    table.processes.retain(|record| record.class != ProcessClass::ShortExecutor);
    let mut requests = Vec::new();
    for pid in 1_000..1_000 + EXECUTORS {
        let process = ProcessIdentity { pid, started: 1 };
        let mut executor = Executor { process, memory: None, cpu: 0, lines: Vec::new() };
        requests.extend(executor.work());
        let (_, peak) = executor.memory.expect("it was read");
        // One has grown after its last reading.
        let unread = if pid == 1_000 { 3 << 20 } else { 0 };
        table.processes.push(ProcessRecord {
            identity: process,
            class: ProcessClass::ShortExecutor,
            last_read: Some(at(END)),
            peak: Some(ByteSize((peak << 10) + unread)),
            ..table.processes[0].clone()
        });
        lines.append(&mut executor.lines);
    }
    lines.sort_by_key(|line| match line {
        ProfileLine::Sample(sample) => sample.at,
        ProfileLine::Executor(reading) => reading.at,
        _ => panic!("there are no others"),
    });
    run.profile = [vec![header], lines, vec![footer]].concat();
    run.server_requests = Some(ServerRequests { version: Version, requests, is_cut: false });
    run
}

fn readings(run: &Evidence) -> usize {
    run.profile.iter().filter(|line| matches!(line, ProfileLine::Executor(_))).count()
}

#[test]
fn figures_of_executors_are_the_same_with_and_without_thinning() {
    let whole = long_run();
    let mut thin = whole.clone();
    thin.profile = profiler::thinned(whole.profile.clone(), at(END));
    // Most of what is left is from the first half an hour.
    assert!(readings(&thin) < readings(&whole) * 7 / 10, "{}", readings(&thin));
    let [whole, thin] =
        [whole, thin].map(|run| Report::assemble(&run).attribution.expect("executors were read"));
    assert_eq!(whole.costs.len(), 3, "{:?}", whole.costs);
    assert_eq!(thin.costs, whole.costs);
    let short =
        |of: &[ExecutorClass]| of.iter().map(|of| (of.peak, of.cause.clone())).collect::<Vec<_>>();
    assert_eq!(short(&thin.classes), short(&whole.classes));
    assert_eq!(thin, whole);
}

#[test]
fn requests_of_the_first_and_the_last_minute_count_in_a_merged_profile() {
    // At both ends, no executor runs a request. The end is 30 s before that of a window.
    let (began, ended) = (34 * MINUTE + 19_000, 51 * MINUTE + 29_000);
    let mut whole = long_run_of(&remote_request(), began, ended);
    // All whose requests have a reading after them at both ends.
    whole.profile.retain(|line| match line {
        ProfileLine::Executor(reading) => reading.process.pid < 1_016,
        _ => true,
    });
    let mut thin = whole.clone();
    thin.profile = profiler::thinned(whole.profile.clone(), at(END));
    let [whole, thin] = [whole, thin].map(|run| {
        let run = with_profile_from_the_server(run).on_local_clock();
        Report::assemble(&run).attribution.expect("executors were read").costs
    });
    let seen: u32 = whole.iter().map(|cost| cost.seen).sum();
    assert_eq!(seen, 16 * (17 * 6 + 1), "a request each 10 s");
    assert_eq!(thin, whole);
}

#[test]
fn the_cause_of_an_executors_peak_is_the_same_with_and_without_thinning() {
    let run = long_run();
    for pid in (1_000..1_000 + EXECUTORS).step_by(4) {
        let mut whole = run.clone();
        let records = &mut whole.processes.as_mut().expect("a good run has one").processes;
        let is_other = |class| class == ProcessClass::ShortExecutor;
        records.retain(|record| record.identity.pid == pid || !is_other(record.class));
        whole.profile.retain(|line| match line {
            ProfileLine::Executor(reading) => reading.process.pid == pid,
            _ => true,
        });
        let mut thin = whole.clone();
        thin.profile = profiler::thinned(whole.profile.clone(), at(END));
        let cause = |run: &Evidence| {
            let attribution = Report::assemble(run).attribution.expect("it was read");
            attribution.classes[0].cause.clone()
        };
        assert_eq!(cause(&thin), cause(&whole), "{pid}");
    }
}
