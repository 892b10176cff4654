//! Fuzz tests: no content of a file makes reading, judging or rendering panic.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use serde::de::DeserializeOwned;
use skyload::analysis::{ChartData, Evidence, ProfileEvidence, ProfileReport, Report};
use skyload::config::Config;
use skyload::limits::{Cpus, MachineLimits};
use skyload::plan::{LoadPlan, Machine, Speed};
use skyload::recommend::Recommendation;
use skyload::record::events::{Event, EventLine, LoggedEvent};
use skyload::record::nodes::NodeFigures;
use skyload::record::profile::{PhasePeaks, ProcessTable, ProfileLine, Window};
use skyload::record::request::{LoadRequest, RequestFile};
use skyload::record::resources::{ResourceLog, ResourceStep, SharedResources, Stage};
use skyload::record::server_metrics::{MetricsLine, MetricsSnapshot};
use skyload::record::{RunDir, RunFacts};
use skyload::render::text::Detail;
use skyload::render::{github, html, junit, markdown, text};
use skyload::scenario::{Need, ScenarioId};
use skyload::units::ByteSize;

use crate::changes::{changed, changes, try_all, try_changes};
use crate::judging::attribution::attributed_run;
use crate::judging::changes::{Change, resource_fails};
use crate::judging::evidence::{LOAD_BEGAN, at, four_users, good_run};
use crate::judging::server_views::metrics;
use crate::judging::thinned::{largest_numbers, lines_of_hours};
use crate::run_files::{write_profile, write_run};
use proptest::prelude::*;

/// Small run with every kind of record.
fn small_run() -> Evidence {
    let cli = vec!["launch".to_owned()];
    let request = LoadRequest { cli, phase_peaks: true, metrics: true, ..four_users() };
    let mut run = good_run(&request);
    run.server_metrics = metrics();
    // A tenth of the samples: changes then also hit the other kinds of lines.
    let mut samples = 0;
    run.profile.retain(|line| match line {
        ProfileLine::Sample(_) => {
            samples += 1;
            samples % 10 == 1
        }
        _ => true,
    });
    run.profile.insert(
        5,
        ProfileLine::PhasePeaks(PhasePeaks {
            at: at(LOAD_BEGAN),
            window: Window::Phase(skyload::record::profile::Phase::Baseline),
            classes: BTreeMap::from([(skyload::class::ProcessClass::Server, ByteSize::mib(9))]),
            not_reset: 1,
        }),
    );
    resource_fails(&mut run, Stage::TearDown, "not removed");
    let log = run.resources.as_mut().expect("the log was just added");
    let infra = "slurm/loop".to_owned();
    log.shared = vec![SharedResources { infra, job_id: Some(1), ..SharedResources::default() }];
    log.steps.push(ResourceStep {
        need: Some(Need::Cluster),
        failure: None,
        ..log.steps[0].clone()
    });
    run.nodes = Some(NodeFigures::default());
    let attributed = attributed_run();
    let readings = attributed.profile.into_iter();
    let readings = readings.filter(|line| matches!(line, ProfileLine::Executor(_)));
    run.profile.splice(5..5, readings.chain(lines_of_hours(&run)));
    run.server_requests = attributed.server_requests;
    run.fail_iterations(1);
    run.happens(LOAD_BEGAN, Event::LeakedProcesses(vec!["python".to_owned()]));
    run
}

/// Names of the files of a small run.
const FILES: [&str; 13] = [
    "request.json",
    "plan.json",
    "run.json",
    "environment.json",
    "events.jsonl",
    "samples.jsonl",
    "processes.json",
    "resources.json",
    "nodes.json",
    "outcomes/api-status.json",
    "outcomes/cli-launch.json",
    "server-metrics.jsonl",
    "server-requests.json",
];

fn files() -> Vec<Vec<u8>> {
    let (_folder, run) = write_run(&small_run());
    let read = |name: &&str| fs::read(run.path().join(name)).expect("the file was just written");
    FILES.iter().map(read).collect()
}

fn lines<T: DeserializeOwned>(text: &[u8]) -> Vec<T> {
    let lines = text.split(|byte| *byte == b'\n');
    lines.filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

fn events(text: &[u8]) -> Vec<LoggedEvent> {
    let of_line = |line| match line {
        EventLine::Event(event) => Some(event),
        EventLine::Header { .. } => None,
    };
    lines(text).into_iter().filter_map(of_line).collect()
}

/// Evidence from the contents of all files, as by [`Evidence::read`] but without a disk.
/// Unreadable files and lines are left out.
fn evidence(files: &[Vec<u8>], good: &Evidence) -> Option<Evidence> {
    fn whole<T: DeserializeOwned>(text: &[u8]) -> Option<T> {
        serde_json::from_slice(text).ok()
    }
    let outcome = |id, text: &Vec<u8>| Some((id, whole(text)?));
    let outcomes =
        [outcome(ScenarioId::ApiStatus, &files[9]), outcome(ScenarioId::CliLaunch, &files[10])];
    let evidence = Evidence {
        request: whole::<RequestFile>(&files[0]).map(|file| file.request),
        plan: whole(&files[1])?,
        facts: whole(&files[2]),
        environment: whole(&files[3]),
        events: events(&files[4]),
        profile: lines(&files[5]),
        processes: whole(&files[6]),
        server_metrics: lines(&files[11]),
        server_requests: whole(&files[12]),
        resources: whole(&files[7]),
        nodes: whole(&files[8]),
        outcomes: outcomes.into_iter().flatten().collect(),
        ..good.clone()
    };
    Some(evidence.on_local_clock())
}

/// Assembles, judges and renders a run in all output formats.
fn all_forms(evidence: &Evidence) {
    let report = Report::assemble(evidence);
    let mut out = Vec::new();
    for detail in [Detail::Compact, Detail::Full] {
        text::render(&report, detail, None, &mut out).expect("writing to memory cannot fail");
    }
    markdown::render(&report, &mut out).expect("writing to memory cannot fail");
    junit::render(&report, &mut out).expect("writing to memory cannot fail");
    github::annotations(&report, &mut out).expect("writing to memory cannot fail");
    let data = ChartData::assemble(&report, evidence);
    html::render(&report, &data, &mut out).expect("writing to memory cannot fail");
    let json = serde_json::to_vec(&report).expect("serialization cannot fail");
    _ = serde_json::from_slice::<Report>(&json);
    _ = Recommendation::assemble(&[report.clone(), report]);
}

fn all_forms_of_profile(lines: Vec<ProfileLine>, processes: Option<ProcessTable>, good: &Evidence) {
    let evidence =
        ProfileEvidence { profile: good.run.clone(), lines, processes, damage: Vec::new() };
    let report = ProfileReport::assemble(&evidence);
    text::render_profile(&report, &mut Vec::new()).expect("writing to memory cannot fail");
}

#[test]
fn no_run_is_too_odd_to_be_judged_and_shown() {
    let (files, good) = (files(), small_run());
    let inputs: Vec<&[u8]> = files.iter().map(Vec::as_slice).collect();
    let unchanged = evidence(&files, &good).expect("the files are complete");
    all_forms(&unchanged);
    try_all(&inputs, |files| {
        if let Some(evidence) = evidence(files, &good) {
            all_forms(&evidence);
        }
    });
}

/// Overflows that were found by fuzzing, and similar ones.
#[test]
fn the_largest_numbers_can_be_judged_and_shown() {
    let mut run = small_run();
    for line in &mut run.profile {
        if let ProfileLine::Requests(requests) = line {
            requests.executors.iter_mut().for_each(largest_numbers);
        }
        let ProfileLine::Sample(sample) = line else { continue };
        sample.zombies = u32::MAX;
        sample.system.as_mut().expect("every sample has one").memory_used = ByteSize(u64::MAX);
        for class in sample.classes.values_mut() {
            (class.count, class.threads) = (u32::MAX, u32::MAX);
            (class.rss_sum, class.rss_max) = (ByteSize(u64::MAX), ByteSize(u64::MAX));
        }
    }
    for record in &mut run.processes.as_mut().expect("a good run has one").processes {
        (record.peak, record.fastest_growth) = (Some(ByteSize(u64::MAX)), Some(ByteSize(u64::MAX)));
        record.ending =
            skyload::record::profile::Ending::Unread { unseen: Some(std::time::Duration::MAX) };
    }
    for outcome in run.outcomes.values_mut() {
        outcome.cost.own_cpu = std::time::Duration::MAX;
        for segment in &mut outcome.segments {
            (segment.succeeded, segment.expected_errors, segment.failed) =
                (u64::MAX, u64::MAX, u64::MAX);
            segment.ended = skyload::clock::Timestamp::from_micros(u64::MAX);
        }
    }
    for line in &mut run.server_metrics {
        let MetricsLine::Snapshot(MetricsSnapshot { rss, lag, .. }) = line else { continue };
        rss.iter_mut().for_each(|gauge| gauge.rss = ByteSize(u64::MAX));
        if let Some(histogram) = lag {
            histogram.count = u64::MAX;
            histogram.buckets.iter_mut().for_each(|bucket| bucket.count = u64::MAX);
        }
    }
    run.events.last_mut().expect("a good run has one").at =
        skyload::clock::Timestamp::from_micros(u64::MAX);
    all_forms(&run);
}

/// Parses changed contents of one file, and of its lines, and writes back what could be parsed.
fn reads<T: DeserializeOwned + serde::Serialize>(name: &str) {
    let which = FILES.iter().position(|file| *file == name).expect("a file of FILES");
    try_changes(&files()[which], |text| {
        if let Ok(value) = serde_json::from_slice::<T>(text) {
            _ = serde_json::to_vec(&value);
        }
        for value in lines::<T>(text) {
            _ = serde_json::to_vec(&value);
        }
    });
}

#[test]
fn no_request_is_too_odd_to_be_read() {
    reads::<RequestFile>("request.json");
}

#[test]
fn no_plan_is_too_odd_to_be_read() {
    reads::<LoadPlan>("plan.json");
}

#[test]
fn no_facts_of_a_run_are_too_odd_to_be_read() {
    reads::<RunFacts>("run.json");
}

#[test]
fn no_environment_is_too_odd_to_be_read() {
    reads::<skyload::record::environment::Environment>("environment.json");
}

#[test]
fn no_event_is_too_odd_to_be_read() {
    reads::<EventLine>("events.jsonl");
}

#[test]
fn no_samples_are_too_odd_to_be_read() {
    reads::<ProfileLine>("samples.jsonl");
}

#[test]
fn no_processes_are_too_odd_to_be_read() {
    reads::<ProcessTable>("processes.json");
}

#[test]
fn no_server_metrics_are_too_odd_to_be_read() {
    reads::<MetricsLine>("server-metrics.jsonl");
}

#[test]
fn no_resource_log_is_too_odd_to_be_read() {
    reads::<ResourceLog>("resources.json");
}

#[test]
fn no_figures_of_nodes_are_too_odd_to_be_read() {
    reads::<NodeFigures>("nodes.json");
}

#[test]
fn no_outcome_is_too_odd_to_be_read() {
    reads::<skyload::record::outcome::ScenarioOutcome>("outcomes/api-status.json");
}

#[test]
fn no_report_is_too_odd_to_be_shown_again() {
    let run = small_run();
    let report = serde_json::to_vec(&Report::assemble(&run)).expect("serialization cannot fail");
    try_changes(&report, |text| {
        let Ok(report) = serde_json::from_slice::<Report>(text) else { return };
        let mut out = Vec::new();
        for detail in [Detail::Compact, Detail::Full] {
            text::render(&report, detail, None, &mut out).expect("writing to memory cannot fail");
        }
        markdown::render(&report, &mut out).expect("writing to memory cannot fail");
        junit::render(&report, &mut out).expect("writing to memory cannot fail");
        let data = ChartData::assemble(&report, &run);
        html::render(&report, &data, &mut out).expect("writing to memory cannot fail");
        _ = Recommendation::assemble(&[report]);
    });
}

#[test]
fn no_profile_is_too_odd_to_be_shown() {
    let (files, good) = (files(), small_run());
    try_all(&[&files[5], &files[6]], |files| {
        all_forms_of_profile(lines(&files[0]), serde_json::from_slice(&files[1]).ok(), &good);
    });
}

const MACHINE: Machine = Machine {
    memory_total: ByteSize::gib(16),
    memory_available: ByteSize::gib(15),
    limits: MachineLimits::NONE,
    obstacles: std::collections::BTreeMap::new(),
    without_nodes: std::collections::BTreeMap::new(),
    speed: Some(Speed {
        cpus: Cpus { allowed: 2, quota: None },
        import: Duration::from_secs(1),
        elapsed: Duration::from_secs(3),
        concurrency: 2,
        others: Some(0.5),
    }),
    shell: Vec::new(),
};

#[test]
fn no_configuration_is_too_odd_to_be_planned_with() {
    let config = include_str!("../../skyload.toml");
    try_changes(config.as_bytes(), |text| {
        let Ok(config) = Config::parse(&String::from_utf8_lossy(text), "skyload.toml") else {
            return;
        };
        // A machine with a known speed: the estimate and the fit are part of the plan then.
        _ = LoadPlan::resolve(&LoadRequest::default(), &config, &MACHINE);
    });
}

#[test]
fn no_request_is_too_odd_to_be_planned() {
    let config = Config::parse(include_str!("../../skyload.toml"), "skyload.toml")
        .expect("the repository's file is valid");
    let request = RequestFile::of(LoadRequest {
        users: Some("4".to_owned()),
        cli: vec!["launch".to_owned()],
        api: vec!["status".to_owned()],
        infra: vec!["aws/us".to_owned(), "k8s".to_owned()],
        iterations: Some("2".to_owned()),
        sky: Some("0.14.1".to_owned()),
        server: Some("http://127.0.0.1:1".to_owned()),
        budgets: vec!["tree-rss=1GiB".to_owned(), "threads=4".to_owned()],
        ..LoadRequest::default()
    });
    let text = serde_json::to_vec(&request).expect("serialization cannot fail");
    try_changes(&text, |text| {
        let Ok(file) = serde_json::from_slice::<RequestFile>(text) else { return };
        _ = LoadPlan::resolve(&file.request, &config, &MACHINE);
        _ = file.request.command();
    });
}

#[test]
fn no_directory_of_a_run_or_profile_is_too_odd_to_be_read() {
    let (_run_folder, run) = write_run(&small_run());
    let (_profile_folder, profile) = write_profile(&small_run());
    let files = files();
    // Fewer cases than in other tests, since each one writes to the disk.
    let cases = ProptestConfig::default().cases.div_ceil(20);
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let which = any::<prop::sample::Index>();
    proptest!(config, |(which in which, changes in changes())| {
        let at = which.index(FILES.len());
        let path = run.path().join(FILES[at]);
        fs::write(&path, changed(&files[at], &changes)).expect("the file can be written");
        if let Ok(evidence) = Evidence::read(&run) {
            all_forms(&evidence);
        }
        fs::write(&path, &files[at]).expect("the file can be written");
        fs::write(&profile.files().samples, changed(&files[5], &changes)).expect("the file can be written");
        if let Ok(evidence) = ProfileEvidence::read(&profile) {
            _ = ProfileReport::assemble(&evidence);
        }
        _ = profile.files().header();
        _ = RunDir::open(run.path());
    });
}
