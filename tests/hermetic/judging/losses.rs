//! What is lost of a finished run: absence of evidence is never a pass.

use std::fs;
use std::path::{Path, PathBuf};

use rstest::rstest;
use skyload::analysis::{Evidence, ProfileEvidence, ProfileReport, Report, Verdict};
use skyload::infrastructure::Infrastructure;
use skyload::record::events::{Event, LoggedEvent};
use skyload::record::profile::{Phase, ProfileLine};
use skyload::record::request::LoadRequest;
use skyload::record::resources::ResourceLog;
use skyload::record::{ProfileDir, RunDir, write_json};
use skyload::scenario::ScenarioId;

use super::changes::{Change, assert_follows};
use super::evidence::{ALL_ENDED, LOAD_BEGAN, at, four_users, good_run};
use crate::kept::{keep, keep_profile};

#[test]
fn a_lost_environment_is_inconclusive() {
    let change = |run: &mut Evidence| run.environment = None;
    assert_follows(change, Verdict::Inconclusive, "environment.json is missing");
    assert_follows(change, Verdict::Inconclusive, "short-executor: budget not checked");
}

#[test]
fn a_lost_environment_is_inconclusive_also_without_budgets() {
    let change = |run: &mut Evidence| {
        run.environment = None;
        run.plan.budgets.clear();
    };
    assert_follows(change, Verdict::Inconclusive, "environment.json is missing");
}

#[test]
fn a_lost_list_of_processes_is_inconclusive() {
    let change = |run: &mut Evidence| run.processes = None;
    assert_follows(change, Verdict::Inconclusive, "did not end cleanly");
}

/// A run that launched on the loopback infrastructure.
fn launching() -> Evidence {
    let cli = vec!["launch".to_owned()];
    let mut run = good_run(&LoadRequest { cli, api: Vec::new(), ..four_users() });
    assert_eq!(run.plan.infrastructure, Infrastructure::Loopback);
    run.happens(LOAD_BEGAN - 1, Event::PhaseBegan(Phase::SetUp));
    run.happens(ALL_ENDED, Event::Ended);
    run.resources = Some(ResourceLog { verified: true, ..ResourceLog::default() });
    run.nodes = Some(skyload::record::nodes::NodeFigures::default());
    run
}

#[test]
fn a_run_that_launched_passes_with_all_its_files() {
    let judgement = Report::assemble(&launching());
    assert_eq!(judgement.verdict, Verdict::Pass, "{judgement:#?}");
}

#[rstest]
#[case::resources(|run: &mut Evidence| run.resources = None, "resources.json is missing")]
#[case::nodes(|run: &mut Evidence| run.nodes = None, "nodes.json is missing")]
fn a_lost_file_of_what_was_launched_is_inconclusive(
    #[case] change: fn(&mut Evidence),
    #[case] words: &str,
) {
    let mut run = launching();
    change(&mut run);
    let judgement = Report::assemble(&run);
    assert_eq!(judgement.verdict, Verdict::Inconclusive, "{judgement:#?}");
    assert!(judgement.findings.iter().any(|one| one.message.contains(words)), "{judgement:#?}");
}

#[rstest]
#[case(Phase::Baseline)]
#[case(Phase::Load)]
#[case(Phase::Cooldown)]
fn a_lost_mark_of_a_phase_is_inconclusive(#[case] lost: Phase) {
    let mut run = good_run(&four_users());
    run.events.retain(|mark| mark.event != Event::PhaseBegan(lost));
    let judgement = Report::assemble(&run);
    assert_eq!(judgement.verdict, Verdict::Inconclusive, "{judgement:#?}");
}

#[test]
fn a_lost_segment_is_inconclusive() {
    let change = |run: &mut Evidence| {
        run.plan.scenarios.iter_mut().for_each(|planned| planned.iterations = 2);
    };
    assert_follows(change, Verdict::Inconclusive, "api:status: outcome file has 4 of");
}

#[test]
fn lost_iterations_are_inconclusive() {
    assert_follows(
        |run| run.segment().succeeded = 1,
        Verdict::Inconclusive,
        "api:status: outcome file has 1 of 4 iterations",
    );
}

/// What happens to lines.
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

#[track_caller]
fn assert_inconclusive(run: &RunDir, file: &Path) {
    let evidence = match Evidence::read(run) {
        Ok(evidence) => evidence,
        // Without its plan nobody judges at all.
        Err(_) if file == run.plan() => return,
        Err(error) => panic!("{}: {error}", file.display()),
    };
    let judgement = Report::assemble(&evidence);
    assert_eq!(judgement.verdict, Verdict::Inconclusive, "{}: {judgement:#?}", file.display());
}

#[rstest]
fn no_run_passes_once_a_file_of_it_has_changed(
    #[values(
        "the middle third",
        "one line",
        "the last line",
        "a line twice",
        "another order"
    )]
    how: &str,
) {
    let evidence = launching();
    for file in [
        RunDir::request,
        RunDir::plan,
        RunDir::environment,
        RunDir::events,
        RunDir::samples,
        RunDir::processes,
        RunDir::resources,
        RunDir::nodes,
        |run: &RunDir| run.outcome(ScenarioId::CliLaunch),
    ] as [fn(&RunDir) -> PathBuf; 9]
    {
        let (_folder, run) = keep(&evidence);
        let path = file(&run);
        let text = fs::read_to_string(&path).expect("it is there");
        let changed = if text.lines().count() > 3 { damage(how, &text) } else { String::new() };
        fs::write(&path, changed).expect("it can be written");
        assert_inconclusive(&run, &path);
        fs::remove_file(&path).expect("it can be removed");
        assert_inconclusive(&run, &path);
    }
}

#[test]
fn no_run_passes_with_a_file_of_another() {
    let (mut other, evidence) = (launching(), launching());
    for mark in &mut other.events {
        mark.at = mark.at.plus(std::time::Duration::from_millis(1));
    }
    other.outcomes.values_mut().for_each(|outcome| outcome.cost.own_cpu *= 3);
    other.record(1).title = "another".to_owned();
    let (_other_folder, other) = keep(&other);
    for file in [RunDir::events, RunDir::processes] as [fn(&RunDir) -> PathBuf; 2] {
        let (_folder, run) = keep(&evidence);
        fs::copy(file(&other), file(&run)).expect("it can be copied");
        assert_inconclusive(&run, &file(&run));
    }
    // Nor one scenario's under another's name, in runs of before as well.
    let (_folder, run) = keep(&evidence);
    fs::remove_file(run.checksums()).expect("it is there");
    fs::remove_file(run.request()).expect("it is there");
    let (one, two) = (run.outcome(ScenarioId::CliLaunch), run.outcome(ScenarioId::ProbeHealth));
    fs::copy(two, &one).expect("it can be copied");
    assert_inconclusive(&run, &one);
}

#[test]
fn a_run_that_was_kept_is_judged_as_before() {
    let (_folder, run) = keep(&launching());
    let judgement = Report::assemble(&Evidence::read(&run).expect("it is there"));
    assert_eq!(judgement.verdict, Verdict::Pass, "{judgement:#?}");
    fs::remove_file(run.checksums()).expect("it is there");
    assert_inconclusive(&run, &run.checksums());
    // Runs of before have neither.
    fs::remove_file(run.request()).expect("it is there");
    let judgement = Report::assemble(&Evidence::read(&run).expect("it is there"));
    assert_eq!(judgement.verdict, Verdict::Pass, "{judgement:#?}");
}

/// What a profile alone is in doubt of.
fn doubts(profile: &ProfileDir) -> Vec<String> {
    ProfileReport::assemble(&ProfileEvidence::read(profile).expect("it is there")).notes
}

#[rstest]
#[case("the middle third", "samples.jsonl` has 50 line(s)")]
#[case("one line", "samples.jsonl` has 74 line(s)")]
#[case("a line twice", "are not in order of time")]
#[case("another order", "are not in order of time")]
fn a_profile_says_what_it_has_lost(#[case] how: &str, #[case] words: &str) {
    let evidence = good_run(&four_users());
    let (_folder, profile) = keep_profile(&evidence);
    assert!(doubts(&profile).is_empty(), "{:?}", doubts(&profile));
    let path = profile.files().samples;
    let text = fs::read_to_string(&path).expect("it is there");
    fs::write(&path, damage(how, &text)).expect("it can be written");
    let found = doubts(&profile);
    assert!(found.iter().any(|doubt| doubt.contains(words)), "{found:?}");
}

#[test]
fn a_profile_says_which_processes_it_has_lost() {
    let mut evidence = good_run(&four_users());
    let (_folder, profile) = keep_profile(&evidence);
    let table = evidence.processes.as_mut().expect("it is good");
    table.processes.remove(1);
    write_json(&profile.files().processes, table).expect("it can be written");
    let found = doubts(&profile);
    assert!(found.iter().any(|doubt| doubt.contains("processes.json` lists 2")), "{found:?}");
}

#[test]
fn a_profile_of_before_is_read_as_it_was() {
    let line = r#"{"kind":"footer","at":7}"#;
    let line: ProfileLine = serde_json::from_str(line).expect("it is a footer of before");
    assert_eq!(
        line,
        ProfileLine::Footer { at: skyload::clock::Timestamp::from_micros(7), wrote: None }
    );
}

#[test]
fn marks_are_in_the_order_of_time() {
    let mut evidence = launching();
    evidence.events.push(LoggedEvent { at: at(1), event: Event::Began });
    let (_folder, run) = keep(&evidence);
    assert_inconclusive(&run, &run.events());
}
