//! Evidence of a run without any problem: 2 s of baseline, 10 s of load, 2 s of cooldown, one API
//! scenario of four users, the health probe, and a small server.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use skyload::analysis::Evidence;
use skyload::class::ProcessClass;
use skyload::clock::Timestamp;
use skyload::config::Config;
use skyload::fact::Fact;
use skyload::ids::{ProcessIdentity, RunId};
use skyload::limits::MachineLimits;
use skyload::plan::{LoadPlan, Machine, PlannedScenario, UsageErrors};
use skyload::record::environment::{
    ClientSettings, Environment, Inherited, MachineFacts, ServerEnvironment, ServerUnderTest,
    SkyUnderTest, WorkerConstants,
};
use skyload::record::events::{Event, LoggedEvent};
use skyload::record::outcome::{
    Ended, LoadGeneratorOverhead, ScenarioOutcome, SegmentKind, SegmentOutcome,
};
use skyload::record::profile::{
    ClassSample, ClassSnapshot, Ending, Phase, ProcessRecord, ProcessTable, ProfileHeader,
    ProfileLine, ProfilerLevel, ProfilerOverhead, Sample, Snapshot, SystemSample,
};
use skyload::record::request::LoadRequest;
use skyload::record::{RunFacts, Version};
use skyload::shape::Timed;
use skyload::units::{ByteSize, gib};

pub(crate) const LOAD_BEGAN: u64 = 2_000;
pub(crate) const LOAD_ENDED: u64 = 12_000;
pub(crate) const ALL_ENDED: u64 = 14_000;

/// Timestamp, in ms after the start of the run.
pub(crate) fn at(millis: u64) -> Timestamp {
    Timestamp::from_micros(1_795_000_000_000_000 + millis * 1_000)
}

const NAME: &str = "20261124-080000-test";

/// Evidence of a run without any problem.
pub(crate) fn good_run(request: &LoadRequest) -> Evidence {
    good_run_of(&config(), request)
}

/// Evidence of a run without any problem, of a plan of `config`.
pub(crate) fn good_run_of(config: &Config, request: &LoadRequest) -> Evidence {
    let plan = plan(config, request).expect("the test's data is valid");
    let outcomes = plan.scenarios.iter().map(|planned| (planned.id, outcome(planned)));
    Evidence {
        run: RunId::of_directory(Path::new(NAME)),
        name: NAME.to_owned(),
        request: Some(request.clone()),
        facts: Some(RunFacts {
            version: Version,
            coordinator: None,
            estimate: None,
            memory_before: None,
            set: None,
        }),
        environment: Some(environment()),
        events: [
            (0, Event::PhaseBegan(Phase::Baseline)),
            (LOAD_BEGAN, Event::PhaseBegan(Phase::Load)),
            (LOAD_ENDED, Event::PhaseBegan(Phase::Cooldown)),
            (ALL_ENDED, Event::PhasesEnded),
        ]
        .map(|(millis, event)| LoggedEvent { at: at(millis), event })
        .to_vec(),
        profile: profile(),
        processes: Some(processes()),
        server_metrics: Vec::new(),
        resources: None,
        server_requests: None,
        server_size: None,
        nodes: None,
        outcomes: outcomes.collect(),
        damage: Vec::new(),
        plan,
    }
}

/// Evidence of a run that was killed right after its plan was written.
pub(crate) fn run_with_only_a_plan() -> Evidence {
    Evidence {
        environment: None,
        events: Vec::new(),
        profile: Vec::new(),
        processes: None,
        outcomes: BTreeMap::new(),
        ..good_run(&four_users())
    }
}

/// Request for four users of `api:status`, one iteration each.
pub(crate) fn four_users() -> LoadRequest {
    LoadRequest {
        api: vec!["status".to_owned()],
        users: Some("4".to_owned()),
        iterations: Some("1".to_owned()),
        ..LoadRequest::default()
    }
}

/// The checkout's `skyload.toml`.
pub(crate) fn config() -> Config {
    Config::parse(include_str!("../../../skyload.toml"), "skyload.toml")
        .expect("the test's data is valid")
}

/// Plan of a request, or its usage errors.
pub(crate) fn plan(config: &Config, request: &LoadRequest) -> Result<LoadPlan, UsageErrors> {
    let machine = Machine {
        memory_total: ByteSize::gib(16),
        memory_available: ByteSize::gib(15),
        limits: MachineLimits::NONE,
        obstacles: std::collections::BTreeMap::new(),
        without_nodes: std::collections::BTreeMap::new(),
        speed: None,
        shell: Vec::new(),
    };
    LoadPlan::resolve(request, config, &machine)
}

fn environment() -> Environment {
    Environment {
        version: Version,
        skyload: "0.1.0".to_owned(),
        sky: SkyUnderTest {
            version: "0.14.1".to_owned(),
            commit: None,
            constants: WorkerConstants {
                long: Some(gib(0.4)),
                short: Some(gib(0.3)),
                server: Some(gib(0.4)),
            },
            constants_source: "sky/server/config.py".to_owned(),
            counted: None,
            extras: None,
            source: None,
            packages: None,
        },
        server: ServerUnderTest {
            identity: Some(process(1)),
            version: "0.14.1".to_owned(),
            commit: None,
            api_version: "62".to_owned(),
            workers: None,
            consolidation: Fact::Yes,
            serve_consolidation: Fact::Yes,
            clouds: Fact::No,
        },
        server_environment: ServerEnvironment::Unrecorded,
        infrastructure: Vec::new(),
        modifications: Vec::new(),
        catalog: None,
        client: ClientSettings {
            endpoint: "http://127.0.0.1:46600".parse().expect("the test's data is valid"),
            sky: "sky".into(),
            variables: Vec::new(),
            without: Vec::new(),
            inherits: Inherited::All,
        },
        fingerprint: None,
        machine: MachineFacts {
            cpu_model: None,
            cpus: 2,
            memory_total: ByteSize::gib(16),
            system: "a test".to_owned(),
            page_size: None,
            limits: MachineLimits::NONE,
        },
    }
}

fn process(pid: u32) -> ProcessIdentity {
    ProcessIdentity { pid, started: u64::from(pid) }
}

/// Profile with samples every 200 ms: a server, and from the load on two short executors whose
/// RSS grows with time. CPU use of the machine is 10 % before the load and 90 % after that.
fn profile() -> Vec<ProfileLine> {
    let mut lines = vec![ProfileLine::Header(ProfileHeader {
        version: Version,
        at: at(0),
        root: process(1),
        interval: Duration::from_millis(200),
        level: ProfilerLevel::ExitRecords,
        kernel_events: true,
        threads_and_sockets: Some(true),
        memory_total: ByteSize::gib(16),
        cpus: 2,
    })];
    for millis in (0..=ALL_ENDED).step_by(200) {
        lines.push(ProfileLine::Sample(sample(millis)));
        let ended = match millis {
            LOAD_BEGAN => Phase::Baseline,
            LOAD_ENDED => Phase::Load,
            ALL_ENDED => Phase::Cooldown,
            _ => continue,
        };
        lines.push(ProfileLine::Snapshot(snapshot(millis, ended)));
    }
    lines.push(ProfileLine::Footer { at: at(ALL_ENDED), wrote: None });
    lines
}

fn sample(millis: u64) -> Sample {
    let under_load = millis > LOAD_BEGAN;
    let rss = |count, each: u64| ClassSample {
        count,
        rss_sum: ByteSize::mib(each * u64::from(count)),
        rss_max: ByteSize::mib(each),
        threads: 3 * count,
    };
    let mut classes = BTreeMap::from([(ProcessClass::Server, rss(1, 190))]);
    if under_load {
        classes.insert(ProcessClass::ShortExecutor, rss(2, 100 + millis / 200));
    }
    let (cpu_percent, used) = if under_load { (90.0, 6) } else { (10.0, 2) };
    Sample {
        at: at(millis),
        late_micros: 0,
        classes,
        system: Some(SystemSample {
            cpu_percent,
            memory_used: ByteSize::gib(used),
            memory_available: ByteSize::gib(16 - used),
        }),
        zombies: 0,
        left_out: 0,
    }
}

fn snapshot(millis: u64, phase: Phase) -> Snapshot {
    let memory =
        ClassSnapshot { count: 3, threads: 9, pss: ByteSize::mib(400), uss: ByteSize::mib(300) };
    Snapshot {
        at: at(millis),
        until: at(millis + 10),
        phase,
        classes: BTreeMap::from([(ProcessClass::ShortExecutor, memory)]),
        unread: 0,
        cpu: Some(Duration::from_millis(millis)),
    }
}

fn processes() -> ProcessTable {
    let record = |pid, class, peak: u64, starting: Option<u64>| ProcessRecord {
        identity: process(pid),
        parent: 1,
        class,
        title: "python".to_owned(),
        kind: None,
        first_seen: at(0),
        last_read: Some(at(ALL_ENDED)),
        peak: Some(ByteSize::mib(peak)),
        peak_while_starting: starting.map(ByteSize::mib),
        swapped: None,
        threads: 3,
        fastest_growth: Some(ByteSize::mib(100)),
        exited: None,
        signal: None,
        ending: Ending::Alive,
    };
    ProcessTable {
        version: Version,
        processes: vec![
            record(1, ProcessClass::Server, 200, None),
            record(2, ProcessClass::ShortExecutor, 170, Some(165)),
            record(3, ProcessClass::ShortExecutor, 180, None),
        ],
        dropped_events: 0,
        profiler: ProfilerOverhead {
            samples: 71,
            missed_samples: 0,
            rate_hz: 5.0,
            cpu: Duration::from_millis(100),
            peak: ByteSize::mib(4),
            longest_gap: Duration::from_millis(200),
        },
    }
}

/// Outcome of a scenario whose users ran one iteration each, in each stage if there are stages.
fn outcome(planned: &PlannedScenario) -> ScenarioOutcome {
    let users = u64::from(planned.users);
    let mut segment = SegmentOutcome::begin(at(LOAD_BEGAN), users);
    segment.ended = at(LOAD_ENDED);
    segment.succeeded = users;
    for iteration in 1..=users {
        segment.iteration_duration.record(Duration::from_secs(iteration));
        segment.send_lateness.record(Duration::from_millis(1));
    }
    let stages = planned.shape.timed().map(Timed::loaded_stages);
    let of_stage = |(number, text)| {
        let kind = SegmentKind::Stage { number, text };
        SegmentOutcome { kind, ..segment.clone() }
    };
    let segments = stages.map(|stages| stages.into_iter().map(of_stage).collect());
    ScenarioOutcome {
        version: Version,
        scenario: planned.id,
        process: Some(process(9)),
        segments: segments.unwrap_or_else(|| vec![segment.clone()]),
        ended: Ended::Finished,
        cost: LoadGeneratorOverhead::default(),
        activity: None,
    }
}
