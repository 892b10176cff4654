//! Lost data of finished runs and profiles: never a pass.

use std::fs;
use std::path::{Path, PathBuf};

use rstest::rstest;
use skyload::analysis::{Evidence, ProfileEvidence, ProfileReport, Report, Verdict};
use skyload::infrastructure::{Infrastructure, LocalInfra};
use skyload::record::events::{Event, LoggedEvent};
use skyload::record::profile::{Phase, ProfileLine};
use skyload::record::request::LoadRequest;
use skyload::record::resources::ResourceLog;
use skyload::record::{ProfileDir, RunDir, ServerRequests, Version, write_json};
use skyload::scenario::ScenarioId;

use super::changes::{Change, assert_verdict};
use super::evidence::{ALL_ENDED, LOAD_BEGAN, at, four_users, good_run};
use super::server_sizes::{held, kill_executors};
use crate::run_files::{write_profile, write_run};

#[test]
fn a_missing_environment_is_inconclusive() {
    let change = |run: &mut Evidence| run.environment = None;
    assert_verdict(change, Verdict::Inconclusive, "environment.json is missing");
    assert_verdict(change, Verdict::Inconclusive, "short-executor: budget not checked");
}

#[test]
fn a_missing_environment_is_inconclusive_without_budgets() {
    let change = |run: &mut Evidence| {
        run.environment = None;
        run.plan.budgets.clear();
    };
    assert_verdict(change, Verdict::Inconclusive, "environment.json is missing");
}

#[test]
fn a_missing_process_table_is_inconclusive() {
    let change = |run: &mut Evidence| run.processes = None;
    assert_verdict(change, Verdict::Inconclusive, "did not end cleanly");
}

/// Evidence of a run that launched on the loopback Slurm cluster.
fn launching() -> Evidence {
    let cli = vec!["launch".to_owned()];
    let mut run = good_run(&LoadRequest { cli, api: Vec::new(), ..four_users() });
    assert_eq!(run.plan.infrastructure, Infrastructure::local(LocalInfra::Loopback));
    run.happens(LOAD_BEGAN - 1, Event::PhaseBegan(Phase::SetUp));
    run.happens(ALL_ENDED, Event::Ended);
    run.resources = Some(ResourceLog { verified: true, ..ResourceLog::default() });
    run.nodes = Some(skyload::record::nodes::NodeFigures::default());
    run
}

#[test]
fn a_run_that_launched_passes_with_all_its_files() {
    let report = Report::assemble(&launching());
    assert_eq!(report.verdict, Verdict::Pass, "{report:#?}");
}

#[rstest]
#[case::resources(|run: &mut Evidence| run.resources = None, "resources.json is missing")]
#[case::nodes(|run: &mut Evidence| run.nodes = None, "nodes.json is missing")]
fn a_missing_file_on_launched_resources_is_inconclusive(
    #[case] change: fn(&mut Evidence),
    #[case] message: &str,
) {
    let mut run = launching();
    change(&mut run);
    let report = Report::assemble(&run);
    assert_eq!(report.verdict, Verdict::Inconclusive, "{report:#?}");
    assert!(report.findings.iter().any(|one| one.message.contains(message)), "{report:#?}");
}

#[rstest]
#[case::with_kills(
    kill_executors,
    Verdict::OverBudget,
    "the kernel killed 2 processes at the server's size of 4 GiB: 2x short-executor"
)]
#[case::without(
    |_: &mut Evidence| {},
    Verdict::Inconclusive,
    "server-size.json is missing: what held the server to its size is unknown"
)]
fn no_run_passes_without_the_file_of_its_servers_size(
    #[case] change: fn(&mut Evidence),
    #[case] verdict: Verdict,
    #[case] message: &str,
) {
    let mut run = held();
    change(&mut run);
    run.server_size = None;
    let report = Report::assemble(&run);
    assert_eq!(report.verdict, verdict, "{report:#?}");
    assert!(report.findings[0].message.starts_with(message), "{report:#?}");
}

#[rstest]
#[case(Phase::Baseline)]
#[case(Phase::Load)]
#[case(Phase::Cooldown)]
fn a_missing_start_of_a_phase_is_inconclusive(#[case] phase: Phase) {
    let mut run = good_run(&four_users());
    run.events.retain(|logged| logged.event != Event::PhaseBegan(phase));
    let report = Report::assemble(&run);
    assert_eq!(report.verdict, Verdict::Inconclusive, "{report:#?}");
}

#[test]
fn a_missing_segment_is_inconclusive() {
    let change = |run: &mut Evidence| {
        run.plan
            .scenarios
            .iter_mut()
            .for_each(|planned| planned.shape = skyload::shape::LoadShape::Burst { iterations: 2 });
    };
    assert_verdict(change, Verdict::Inconclusive, "api:status: outcome file has 4 of");
}

#[test]
fn missing_iterations_are_inconclusive() {
    assert_verdict(
        |run| run.segment().succeeded = 1,
        Verdict::Inconclusive,
        "api:status: outcome file has 1 of 4 iterations",
    );
}

/// Text with damaged lines.
fn damage(how: &str, text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    let (third, half) = (lines.len() / 3, lines.len() / 2);
    match how {
        "the middle third" => _ = lines.drain(third..2 * third),
        "one line" => _ = lines.remove(half),
        "the last line" => _ = lines.pop(),
        "a line twice" => lines.insert(half, lines[half]),
        "another order" => lines.swap(half, half + 1),
        _ => unreachable!("no such damage: {how}"),
    }
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}

/// Evidence of a run that launched, with the server's size and its list of requests, neither of
/// which the plan requires.
fn with_files_of_the_server() -> Evidence {
    let requests = ServerRequests { version: Version, requests: Vec::new(), is_cut: false };
    let server_size = held().server_size;
    Evidence { server_requests: Some(requests), server_size, ..launching() }
}

#[test]
fn a_run_whose_checksums_are_of_an_earlier_build_passes() {
    let (_folder, run) = write_run(&with_files_of_the_server());
    let text = fs::read_to_string(run.checksums()).expect("the file exists");
    let mut checksums: serde_json::Value = serde_json::from_str(&text).expect("valid JSON");
    let files = checksums["files"].as_object_mut().expect("a JSON object");
    for name in ["server-requests.json", "server-size.json"] {
        assert!(files.remove(name).is_some(), "{text}");
    }
    fs::write(run.checksums(), checksums.to_string()).expect("the file can be written");
    let report = Report::assemble(&Evidence::read(&run).expect("the run can be read"));
    assert_eq!(report.verdict, Verdict::Pass, "{report:#?}");
}

#[track_caller]
fn assert_inconclusive(run: &RunDir, file: &Path) {
    let evidence = match Evidence::read(run) {
        Ok(evidence) => evidence,
        // A run without a plan has no verdict.
        Err(_) if file == run.plan() => return,
        Err(error) => panic!("{}: {error}", file.display()),
    };
    let report = Report::assemble(&evidence);
    assert_eq!(report.verdict, Verdict::Inconclusive, "{}: {report:#?}", file.display());
}

#[rstest]
fn no_run_passes_with_a_changed_or_missing_file(
    #[values(
        "the middle third",
        "one line",
        "the last line",
        "a line twice",
        "another order"
    )]
    how: &str,
) {
    let evidence = with_files_of_the_server();
    for file in [
        RunDir::request,
        RunDir::plan,
        RunDir::environment,
        RunDir::events,
        RunDir::samples,
        RunDir::processes,
        RunDir::resources,
        RunDir::nodes,
        RunDir::server_requests,
        RunDir::server_size,
        |run: &RunDir| run.outcome(ScenarioId::CliLaunch),
    ] as [fn(&RunDir) -> PathBuf; 11]
    {
        let (_folder, run) = write_run(&evidence);
        let path = file(&run);
        let text = fs::read_to_string(&path).expect("the file exists");
        let changed = if text.lines().count() > 3 { damage(how, &text) } else { String::new() };
        fs::write(&path, changed).expect("the file can be written");
        assert_inconclusive(&run, &path);
        fs::remove_file(&path).expect("the file can be removed");
        assert_inconclusive(&run, &path);
    }
}

#[test]
fn no_run_passes_with_a_file_of_another_run_or_scenario() {
    let (mut other, evidence) = (launching(), launching());
    for logged in &mut other.events {
        logged.at = logged.at.plus(std::time::Duration::from_millis(1));
    }
    other.outcomes.values_mut().for_each(|outcome| outcome.cost.own_cpu *= 3);
    other.record(1).title = "another".to_owned();
    let (_other_folder, other) = write_run(&other);
    for file in [RunDir::events, RunDir::processes] as [fn(&RunDir) -> PathBuf; 2] {
        let (_folder, run) = write_run(&evidence);
        fs::copy(file(&other), file(&run)).expect("the file can be copied");
        assert_inconclusive(&run, &file(&run));
    }
    // Runs of earlier builds have no checksums that would show a misplaced outcome.
    let (_folder, run) = write_run(&evidence);
    fs::remove_file(run.checksums()).expect("the file exists");
    fs::remove_file(run.request()).expect("the file exists");
    let (launch, health) =
        (run.outcome(ScenarioId::CliLaunch), run.outcome(ScenarioId::ProbeHealth));
    fs::copy(health, &launch).expect("the file can be copied");
    assert_inconclusive(&run, &launch);
}

#[test]
fn a_run_without_checksums_passes_only_if_an_earlier_build_wrote_it() {
    let (_folder, run) = write_run(&launching());
    let report = Report::assemble(&Evidence::read(&run).expect("the run can be read"));
    assert_eq!(report.verdict, Verdict::Pass, "{report:#?}");
    fs::remove_file(run.checksums()).expect("the file exists");
    assert_inconclusive(&run, &run.checksums());
    // Builds before the checksums did not write the request either.
    fs::remove_file(run.request()).expect("the file exists");
    let report = Report::assemble(&Evidence::read(&run).expect("the run can be read"));
    assert_eq!(report.verdict, Verdict::Pass, "{report:#?}");
}

/// Notes on a profile that belongs to no run.
fn notes(profile: &ProfileDir) -> Vec<String> {
    ProfileReport::assemble(&ProfileEvidence::read(profile).expect("the profile can be read")).notes
}

#[rstest]
#[case("the middle third", "samples.jsonl` has 50 lines")]
#[case("one line", "samples.jsonl` has 74 lines")]
#[case("a line twice", "are not in chronological order")]
#[case("another order", "are not in chronological order")]
fn damage_of_samples_is_a_note_of_a_profile(#[case] how: &str, #[case] note: &str) {
    let evidence = good_run(&four_users());
    let (_folder, profile) = write_profile(&evidence);
    assert!(notes(&profile).is_empty(), "{:?}", notes(&profile));
    let path = profile.files().samples;
    let text = fs::read_to_string(&path).expect("the file exists");
    fs::write(&path, damage(how, &text)).expect("the file can be written");
    let found = notes(&profile);
    assert!(found.iter().any(|found| found.contains(note)), "{found:?}");
}

#[test]
fn missing_processes_are_a_note_of_a_profile() {
    let mut evidence = good_run(&four_users());
    let (_folder, profile) = write_profile(&evidence);
    let table = evidence.processes.as_mut().expect("a good run has one");
    table.processes.remove(1);
    write_json(&profile.files().processes, table).expect("the file can be written");
    let found = notes(&profile);
    assert!(found.iter().any(|note| note.contains("processes.json` lists 2")), "{found:?}");
}

#[test]
fn a_footer_of_an_earlier_build_has_no_counts() {
    let line = r#"{"kind":"footer","at":7}"#;
    let line: ProfileLine = serde_json::from_str(line).expect("valid footer of an earlier build");
    assert_eq!(
        line,
        ProfileLine::Footer { at: skyload::clock::Timestamp::from_micros(7), wrote: None }
    );
}

#[test]
fn events_out_of_order_are_inconclusive() {
    let mut evidence = launching();
    evidence.events.push(LoggedEvent { at: at(1), event: Event::Began });
    let (_folder, run) = write_run(&evidence);
    assert_inconclusive(&run, &run.events());
}
