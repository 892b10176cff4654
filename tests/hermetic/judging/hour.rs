//! Evidence of a run of one hour: a hundred processes of all classes, 20 samples per second, and
//! a server whose names and errors contain markup.

use std::collections::BTreeMap;
use std::time::Duration;

use skyload::analysis::Evidence;
use skyload::class::ProcessClass;
use skyload::ids::ProcessIdentity;
use skyload::record::events::{Event, LoggedEvent};
use skyload::record::outcome::{Failure, SegmentOutcome};
use skyload::record::profile::{
    ClassSample, ExecutorMemory, ExecutorReading, Output, Phase, ProcessRecord, ProfileLine,
    Sample, SystemSample,
};
use skyload::record::request::LoadRequest;
use skyload::record::resources::{ResourceLog, ResourceStep, Stage};
use skyload::record::{ServerRequest, ServerRequests, Version};
use skyload::units::ByteSize;

use super::evidence::{at, good_run};

/// Markup in the names of clusters and the errors of the server.
pub(crate) const MARKUP: &str = "<script>alert(1)</script>";

/// RSS of one process in one of 72,000 samples.
pub(crate) const SPIKE: ByteSize = ByteSize::mib(777);

/// Number of executors, each with a line on the page.
pub(crate) const EXECUTORS: u32 = 100;

const SAMPLES: u64 = 72_000;
const INTERVAL: u64 = 50;
const MINUTE: u64 = 60_000;

/// Evidence of a run of one hour.
pub(crate) fn hour_run() -> Evidence {
    let request = LoadRequest { api: vec!["all".to_owned()], ..LoadRequest::default() };
    let mut run = good_run(&request);
    run.events = [
        (0, Event::PhaseBegan(Phase::Baseline)),
        (2 * MINUTE, Event::PhaseBegan(Phase::SetUp)),
        (10 * MINUTE, Event::PhaseBegan(Phase::Load)),
        (50 * MINUTE, Event::PhaseBegan(Phase::TearDown)),
        (55 * MINUTE, Event::PhaseBegan(Phase::Cooldown)),
        (60 * MINUTE, Event::PhasesEnded),
    ]
    .map(|(millis, event)| LoggedEvent { at: at(millis), event })
    .to_vec();
    let header = run.profile.remove(0);
    run.profile = std::iter::once(header).chain((0..SAMPLES).map(sample)).collect();
    add_executors(&mut run);
    run.profile.push(ProfileLine::Footer { at: at(60 * MINUTE), wrote: None });
    for (index, outcome) in (0_u64..).zip(run.outcomes.values_mut()) {
        let segments =
            [10 * MINUTE, 30 * MINUTE].map(|began| segment(began + index * 1_000, index));
        outcome.segments = segments.to_vec();
    }
    let failure = Failure {
        step: format!("submit {MARKUP}"),
        status: Some(500),
        error_type: MARKUP.to_owned(),
        message: format!("cluster {MARKUP} & 'others' \"exist\""),
    };
    for outcome in run.outcomes.values_mut().take(1) {
        let segment = &mut outcome.segments[1];
        segment.tally.add(segment.began, failure.clone(), None);
        (segment.succeeded, segment.failed) = (199, 1);
    }
    run.resources = Some(ResourceLog {
        steps: vec![ResourceStep {
            stage: Stage::SetUp,
            need: None,
            what: format!("a cluster ({MARKUP})"),
            infra: MARKUP.to_owned(),
            took: Duration::from_secs(90),
            ended: None,
            failure: None,
        }],
        verified: true,
        ..ResourceLog::default()
    });
    run
}

fn sample(index: u64) -> ProfileLine {
    let class = |position: u64| {
        // Pseudo-random values, so that the page is not smaller than that of a real run.
        let wobble = index.wrapping_mul(7_919).wrapping_add(position * 104_729) % 50_000;
        let each = ByteSize((90 + 10 * position) * 1024 * 1024 + wobble * 1024);
        let count = u32::try_from(5 + (index / 97 + position) % 9).expect("the number is small");
        ClassSample {
            count,
            rss_sum: ByteSize(each.as_u64() * u64::from(count)),
            rss_max: if (index, position) == (54_321, 3) { SPIKE } else { each },
            threads: 3 * count,
        }
    };
    let classes: BTreeMap<ProcessClass, ClassSample> =
        (0..).zip(ProcessClass::ALL).map(|(position, name)| (name, class(position))).collect();
    let system = index.is_multiple_of(4).then(|| SystemSample {
        cpu_percent: f32::from(u16::try_from(index * 31 % 1000).expect("the number is small"))
            / 10.0,
        memory_used: ByteSize::mib(4_000 + index * 13 % 3_000),
        memory_available: ByteSize::mib(8_000),
    });
    ProfileLine::Sample(Sample {
        at: at(index * INTERVAL),
        late_micros: 0,
        classes,
        zombies: 0,
        left_out: 0,
        system,
    })
}

/// Adds [`EXECUTORS`] executors with a request each half a minute.
fn add_executors(run: &mut Evidence) {
    let table = run.processes.as_mut().expect("a good run has one");
    let record = table.processes.last().expect("a good run has executors").clone();
    let mut requests = Vec::new();
    for pid in 1_000..1_000 + EXECUTORS {
        let identity = ProcessIdentity { pid, started: 1 };
        let class = match pid % 4 {
            0 => ProcessClass::LongExecutor,
            _ => ProcessClass::ShortExecutor,
        };
        table.processes.push(ProcessRecord { identity, class, ..record.clone() });
        let mut before = 100;
        for (number, millis) in (0..).zip((0..60 * MINUTE).step_by(30_000)) {
            let id = format!("{pid}-{number}");
            let from = millis + u64::from(pid) * 13 % 20_000;
            let grown = 100 + number / 10 + u64::from(pid) * 31 % 60;
            let readings = [
                (from, Output::Request(id.clone()), grown),
                (from + 900, Output::Request(id.clone()), grown + 20),
                (from + 1_500, Output::NoRequest, 100 + number / 10),
            ];
            for (millis, output, rss) in readings {
                run.profile.push(reading(identity, millis, output, before, rss));
                before = rss;
            }
            let kind = match number % 3 {
                0 => "status",
                1 => "launch",
                _ => MARKUP,
            };
            requests.push(ServerRequest {
                name: format!("sky.{kind}"),
                user: "3fa90001".to_owned(),
                cluster: Some(format!("skyload-3fa9-launch-{number}")),
                queue: None,
                created: Some(at(from)),
                finished: Some(at(from + 1_500)),
                id,
            });
        }
    }
    run.server_requests = Some(ServerRequests { version: Version, requests, is_cut: false });
}

fn reading(
    process: ProcessIdentity,
    millis: u64,
    output: Output,
    before: u64,
    rss: u64,
) -> ProfileLine {
    let memory = |rss| ExecutorMemory { rss: ByteSize::mib(rss), peak: ByteSize::mib(200) };
    ProfileLine::Executor(ExecutorReading {
        at: at(millis),
        process,
        output,
        memory: memory(rss),
        before: Some(memory(before)),
        since: Some(at(millis.saturating_sub(50))),
        cpu: Some(Duration::from_millis(millis)),
        thinned: false,
    })
}

fn segment(began: u64, scenario: u64) -> SegmentOutcome {
    let mut segment = SegmentOutcome::begin(at(began), 200);
    segment.ended = at(began + 15 * MINUTE);
    segment.succeeded = 200;
    for iteration in 1..=200 {
        let took = Duration::from_millis(iteration * iteration * (scenario + 1));
        segment.iteration_duration.record(took);
        segment.send_lateness.record(Duration::from_millis(1));
        for (part, step) in (2..).zip(["health", MARKUP, "queue+run", "stream", "get"]) {
            segment.steps.entry(step.to_owned()).or_default().record(took / part);
        }
    }
    segment
}
