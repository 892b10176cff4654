//! State of a run in progress, from the rows that the good run's processes write.

use std::collections::BTreeMap;
use std::time::Duration;

use skyload::analysis::{Evidence, Verdict};
use skyload::class::ProcessClass;
use skyload::live::{Follower, LiveState, LoadState, View};
use skyload::record::events::{Event, StopReason};
use skyload::record::outcome::{ScenarioProgress, WindowLatency};
use skyload::record::profile::{ClassSample, ProcessReading, ProfileLine, Readings, Sample};
use skyload::record::{Estimate, RunDir, write_json};
use skyload::render::html::{live_charts, live_view, render_live_page};
use skyload::scenario::ScenarioId;
use skyload::units::ByteSize;

use super::evidence::{ALL_ENDED, LOAD_BEGAN, at, four_users, good_run};

const MIB: u64 = 1 << 20;

fn new(evidence: &Evidence) -> LiveState {
    LiveState::new(evidence.run.clone(), evidence.plan.clone(), evidence.facts.clone())
}

/// State after all rows of a run until a time, remembered every second.
fn until(evidence: &Evidence, millis: u64) -> LiveState {
    let mut state = new(evidence);
    state.set_environment(evidence.environment.as_ref().expect("the run has one"));
    let sampled = |line: &&ProfileLine| match line {
        ProfileLine::Sample(sample) => sample.at <= at(millis),
        ProfileLine::Snapshot(snapshot) => snapshot.at <= at(millis),
        _ => false,
    };
    for event in evidence.events.iter().filter(|logged| logged.at <= at(millis)) {
        state.add_event(event);
    }
    for line in evidence.profile.iter().filter(sampled) {
        state.add_profile_line(line);
        if let ProfileLine::Sample(sample) = line {
            state.remember(sample.at);
        }
    }
    state
}

fn peak(view: &View, class: ProcessClass) -> Option<u64> {
    let row = view.memory.iter().find(|row| row.class == class)?;
    Some(row.peak?.as_u64() / MIB)
}

fn progress(active: u64, ended: u64, failed: u64) -> ScenarioProgress {
    let latency = Duration::from_millis(20);
    let latency = Some(WindowLatency { p50: latency, p95: latency, max: 2 * latency });
    let started = active + ended;
    ScenarioProgress { at: at(LOAD_BEGAN), started, ended, failed, dropped: 0, active, latency }
}

/// Events that the page of a run in its load is sent; with the end of the run, if it `has_ended`.
/// The version of SkyPilot is `version`.
pub(crate) fn events(version: &str, has_ended: bool) -> String {
    let mut evidence = good_run(&four_users());
    let environment = evidence.environment.as_mut().expect("the run has one");
    version.clone_into(&mut environment.sky.version);
    let mut state = until(&evidence, 8_000);
    state.set_processes(evidence.processes.as_ref().expect("the run has some"));
    state.set_progress(ScenarioId::ApiStatus, progress(3, 5, 1));
    state.set_progress(ScenarioId::ProbeHealth, progress(0, 12, 0));
    state.remember(at(8_000));
    let charts = live_charts(&state, at(8_000)).expect("memory is enough");
    let now = live_view(&state.view(at(8_000))).expect("memory is enough");
    let running = format!("event: charts\ndata: {charts}\n\nevent: state\ndata: {now}\n\n");
    if !has_ended {
        return running;
    }
    state.conclude(Verdict::OverBudget, "a budget was exceeded.".to_owned(), "r.html".to_owned());
    let end = live_view(&state.view(at(14_000))).expect("memory is enough");
    format!(
        "{running}event: charts\ndata: {charts}\n\nevent: state\ndata: {end}\n\nevent: end\ndata: {{}}\n\n"
    )
}

/// Page of a run in progress.
pub(crate) fn live_page() -> String {
    let mut page = Vec::new();
    render_live_page(&mut page).expect("memory is enough");
    String::from_utf8(page).expect("it is text")
}

#[test]
fn a_run_in_its_load_has_phase_memory_against_budgets_and_what_scenarios_do() {
    let mut evidence = good_run(&four_users());
    let facts = evidence.facts.as_mut().expect("the run has some");
    facts.estimate = Some(Estimate {
        duration: Duration::from_secs(60),
        cpu: Duration::from_secs(60),
        cpus: 2,
        load: Some(Duration::from_secs(10)),
        cpu_quota: None,
    });
    let mut state = until(&evidence, 8_000);
    state.set_progress(ScenarioId::ApiStatus, progress(3, 5, 1));
    state.set_progress(ScenarioId::ProbeHealth, progress(0, 12, 0));
    let view = state.view(at(8_500));
    assert_eq!((view.phase, view.in_phase.as_millis()), ("load", 6_500));
    let left = Duration::from_millis(3_500) + evidence.plan.cooldown;
    assert_eq!(view.left, Some(left), "the rest of the load, and the cooldown");
    let row = view.memory.iter().find(|row| row.class == ProcessClass::ShortExecutor);
    let row = row.expect("executors run");
    assert_eq!((row.count, row.threads), (2, 6));
    assert_eq!((row.largest, row.rss_sum), (ByteSize::mib(140), ByteSize::mib(280)));
    assert_eq!(row.budget, evidence.environment.and_then(|it| it.sky.constants.short));
    let totals = view.totals.expect("there were samples");
    assert_eq!((totals.executors, totals.processes, totals.threads), (2, 3, 9));
    assert_eq!(totals.age, Duration::from_millis(500));
    assert_eq!(totals.pss.map(|pss| (pss.phase, pss.size.as_u64() / MIB)), Some(("baseline", 400)));
    let [scenario, probe] = &view.scenarios[..] else { panic!("{:#?}", view.scenarios) };
    assert_eq!((scenario.active, scenario.failed, scenario.state), (3, 1, LoadState::Running));
    assert!(probe.is_probe && probe.latency.is_some());
    assert_eq!([scenario, probe].map(|one| one.accompanies_load), [false, true]);
}

#[test]
fn a_peak_is_the_largest_of_high_water_marks_and_samples_so_far() {
    let evidence = good_run(&four_users());
    let mut state = until(&evidence, 8_000);
    let short = ProcessClass::ShortExecutor;
    assert_eq!(peak(&state.view(at(8_000)), short), Some(140), "samples alone");
    state.set_processes(evidence.processes.as_ref().expect("the run has some"));
    let view = state.view(at(8_000));
    assert_eq!(peak(&view, short), Some(180));
    assert_eq!(peak(&view, ProcessClass::StartingExecutor), Some(165), "none starts any more");
    assert_eq!(peak(&view, ProcessClass::LongExecutor), None, "none ran");
}

/// Readings of the run's two executors, and of a process that no table has.
fn readings(seconds: u64) -> ProfileLine {
    let read = |pid: u32, mib: u64, high: Option<u64>| ProcessReading {
        pid,
        started: pid.into(),
        rss: ByteSize::mib(mib),
        anonymous: None,
        low: None,
        high: high.map(ByteSize::mib),
        threads: 4,
        open_files: None,
    };
    let processes = vec![read(2, 150, None), read(3, 120, Some(250)), read(99, 900, None)];
    ProfileLine::Readings(Readings {
        at: at(1000 * seconds),
        processes,
        databases: BTreeMap::new(),
    })
}

#[test]
fn readings_are_used_where_samples_are_written_late() {
    let evidence = good_run(&four_users());
    let mut state = until(&evidence, 8_000);
    state.set_processes(evidence.processes.as_ref().expect("the run has some"));
    let mut add = |seconds: u64| {
        state.add_profile_line(&readings(seconds));
        state.view(at(1000 * seconds))
    };
    let count = |view: &View| view.totals.map(|totals| (totals.processes, totals.age));
    assert_eq!(count(&add(9)), Some((3, Duration::from_secs(1))), "the sample is new enough");
    let late = add(60);
    assert_eq!(count(&late), Some((2, Duration::ZERO)), "a process of no known class waits");
    let row = late.memory.iter().find(|row| row.class == ProcessClass::ShortExecutor);
    let row = row.expect("executors run");
    assert_eq!((row.largest, row.rss_sum), (ByteSize::mib(150), ByteSize::mib(270)));
    assert_eq!(peak(&late, ProcessClass::ShortExecutor), Some(250), "seen between readings");
}

#[test]
fn samples_that_are_older_than_a_reading_change_peaks_alone() {
    let evidence = good_run(&four_users());
    let mut state = until(&evidence, 8_000);
    state.set_processes(evidence.processes.as_ref().expect("the run has some"));
    state.add_profile_line(&readings(60));
    state.remember(at(60_000));
    let short = ProcessClass::ShortExecutor;
    for seconds in 0..60 {
        let figures = ClassSample {
            count: 5,
            rss_sum: ByteSize::mib(900),
            rss_max: ByteSize::mib(300),
            threads: 10,
        };
        state.add_profile_line(&ProfileLine::Sample(Sample {
            at: at(1000 * seconds),
            late_micros: 0,
            classes: BTreeMap::from([(short, figures)]),
            zombies: 0,
            left_out: 0,
            system: None,
        }));
    }
    state.remember(at(61_000));
    let view = state.view(at(61_000));
    let totals = view.totals.expect("there were readings");
    assert_eq!((totals.age, totals.rss_sum), (Duration::from_secs(1), ByteSize::mib(270)));
    assert_eq!(peak(&view, short), Some(300));
    let (_, last) = state.history().points().last().expect("two were added");
    assert_eq!(last.largest[&short], ByteSize::mib(150));
    assert_eq!((last.processes[&short], last.rss_sum), (2, Some(ByteSize::mib(270))));
}

#[test]
fn events_that_no_run_has_by_itself_are_named_and_the_verdict_stays() {
    let mut evidence = good_run(&four_users());
    evidence.events[2].event = Event::LoadStopped(StopReason::Interrupted);
    let mut state = until(&evidence, ALL_ENDED);
    let notes = state.view(at(ALL_ENDED)).notes;
    assert_eq!(notes, ["after 12 s: interrupted"]);
    assert_eq!(state.view(at(ALL_ENDED)).phase, "stopping the server");
    state.conclude(Verdict::Inconclusive, "interrupted.".to_owned(), "report.html".to_owned());
    let json = live_view(&state.view(at(ALL_ENDED))).expect("memory is enough");
    let verdict = r#""verdict":{"name":"INCONCLUSIVE","mood":"doubtful"}"#;
    assert!(json.contains(verdict) && json.contains(r#""left":null"#), "{json}");
    assert!(!json.contains('\n'), "an event is a line");
}

#[test]
fn charts_have_budgets_phases_and_the_points_so_far() {
    let evidence = good_run(&four_users());
    let json = live_charts(&until(&evidence, 8_000), at(8_000)).expect("memory is enough");
    let charts: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
    let names = |list: &serde_json::Value| -> Vec<String> {
        let all = list.as_array().into_iter().flatten();
        all.filter_map(|one| Some(one["name"].as_str()?.to_owned())).collect()
    };
    assert_eq!((&charts["run"], &charts["until"]), (&evidence.run.to_string().into(), &8.0.into()));
    assert_eq!(names(&charts["phases"]), ["baseline", "load"]);
    let largest = &charts["charts"][0];
    assert_eq!(names(&largest["series"]), ["server", "short-executor"]);
    assert_eq!(names(&largest["limits"]), ["budget: server", "budget: short-executor"]);
    let values = largest["series"][1]["values"].as_array().expect("a list");
    assert_eq!(values.first(), Some(&serde_json::Value::Null), "no executor in the baseline");
    assert_eq!(values.last(), Some(&140.0.into()));
    assert_eq!(values.len(), largest["times"].as_array().map_or(0, Vec::len));
}

#[test]
fn a_state_without_rows_can_be_shown() {
    let state = new(&good_run(&four_users()));
    let view = state.view(at(0));
    assert_eq!(
        (view.phase, view.elapsed, view.left),
        ("starting the server", Duration::ZERO, None)
    );
    assert!(view.totals.is_none() && view.memory.is_empty());
    assert_eq!(view.scenarios[0].state, LoadState::Waiting);
    live_charts(&state, at(0)).expect("memory is enough");
}

#[test]
fn the_page_has_a_place_for_each_chart_and_is_below_100_kb() {
    let page = live_page();
    assert!(page.len() < 100_000, "{}", page.len());
    let charts = live_charts(&new(&good_run(&four_users())), at(0)).expect("memory is enough");
    let charts: serde_json::Value = serde_json::from_str(&charts).expect("it is JSON");
    for chart in charts["charts"].as_array().expect("a list") {
        let place = format!(r#"data-chart={}"#, chart["id"]);
        assert!(page.contains(&place), "{place}");
    }
    for outside in ["http://", "https://", "innerHTML", "src="] {
        // The drawing library names its own site in a comment.
        let own = page.split("<script>").last().expect("the page has scripts");
        assert!(!own.contains(outside), "{outside}");
    }
}

#[test]
fn a_follower_reads_what_is_added_and_asks_for_progress_while_it_exists() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let run = RunDir::create(&folder.path().join("20261101-120000-ab12"))?;
    let evidence = good_run(&four_users());
    write_json(&run.plan(), &evidence.plan)?;
    let mut follower = Follower::begin(run.clone())?;
    follower.read_new();
    assert_eq!(follower.state().view(at(0)).phase, "starting the server");
    write_json(&run.environment(), evidence.environment.as_ref().expect("the run has one"))?;
    write_json(&run.processes(), evidence.processes.as_ref().expect("the run has some"))?;
    let mut log = skyload::record::events::EventLog::begin(&run)?;
    evidence.events[..2].iter().try_for_each(|event| log.note(event.clone()))?;
    write_json(&run.scenario_progress(ScenarioId::ApiStatus), &progress(0, 4, 0))?;
    write_json(&run.outcome(ScenarioId::ApiStatus), &evidence.outcomes[&ScenarioId::ApiStatus])?;
    follower.read_new();
    let view = follower.state().view(at(LOAD_BEGAN));
    assert_eq!((view.phase, view.sky.as_deref()), ("load", Some("0.14.1")));
    assert_eq!((view.scenarios[0].ended, view.scenarios[0].state), (4, LoadState::Done));
    assert_eq!(peak(&view, ProcessClass::Server), Some(200));
    drop(follower);
    assert!(!run.progress().exists());
    Ok(())
}
