//! Runs that earlier builds left: read, judged and shown as those builds did.
//!
//! `tests/kept/v2` has one of each kind, as it was written by the last build of format 2.

use std::path::{Path, PathBuf};

use rstest::rstest;
use skyload::analysis::{Evidence, ProfileEvidence, ProfileReport, Report, Verdict};
use skyload::class::ProcessClass;
use skyload::plan::LoadPlan;
use skyload::record::profile::Phase;
use skyload::record::{ProfileDir, RunDir, read, write_json};
use skyload::scenario::ScenarioId;
use skyload::units::ByteSize;
use tempfile::TempDir;

fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kept/v2").join(name)
}

fn run(name: &str) -> RunDir {
    RunDir::open(&kept(name)).expect("it is kept with the tests")
}

/// A report holds every figure, so two that are equal differ in none.
#[rstest]
#[case::that_passed("passed", Verdict::Pass)]
#[case::that_failed("failed", Verdict::ScenarioFailed)]
#[case::of_a_remote_server("remote", Verdict::Pass)]
fn a_run_of_format_2_is_judged_as_its_own_build_judged_it(
    #[case] name: &str,
    #[case] verdict: Verdict,
) {
    let run = run(name);
    let then: Report = read(&run.report()).expect("its report is of format 2");
    let now = Report::assemble(&Evidence::read(&run).expect("it can be read"));
    assert_eq!(now.verdict, verdict, "{:#?}", now.findings);
    // It was kept under another name, and texts of findings may be improved.
    let now = Report { run: then.run.clone(), name: then.name.clone(), ..without_texts(now) };
    assert_eq!(now, without_texts(then));
}

/// Report without the messages of its findings, and without what format 2 does not have.
fn without_texts(mut report: Report) -> Report {
    for finding in &mut report.findings {
        finding.message.clear();
    }
    for scenario in &mut report.scenarios {
        scenario.iteration_duration = None;
    }
    report
}

#[test]
fn a_run_of_format_2_that_broke_off_shows_what_was_measured_until_then() {
    let run = run("broken-off");
    let evidence = Evidence::read(&run).expect("it can be read");
    let report = Report::assemble(&evidence);
    assert_eq!(report.verdict, Verdict::ScenarioFailed);
    assert!(evidence.broke_off() && !run.report().exists());
    let memory = report.memory.expect("there are samples");
    assert!(memory.class(ProcessClass::ShortExecutor).is_some());
}

#[test]
fn what_has_another_name_now_is_found_under_it() {
    let evidence = Evidence::read(&run("failed")).expect("it can be read");
    assert!(evidence.damage.is_empty(), "{:?}", evidence.damage);
    assert!(evidence.began(Phase::Cooldown));
    assert_eq!(evidence.leaked_processes(), Some(1));
    let request = evidence.request.expect("it was kept");
    assert_eq!((request.users.as_deref(), request.cli.len()), (Some("4"), 1));
    assert_eq!(evidence.plan.name, "default");
    let outcome = &evidence.outcomes[&ScenarioId::ApiStatus];
    assert_eq!(outcome.segments[0].failed, 1);
    assert_eq!(evidence.resources.expect("it launched").steps.len(), 2);
}

#[test]
fn the_process_that_ran_a_run_of_format_2_stands_in_its_plan() {
    let run = run("passed");
    let facts = run.read_facts().expect("its plan can be read").expect("its plan has them");
    assert_eq!(facts.coordinator, run.coordinator());
    assert!(facts.coordinator.is_some());
}

#[test]
fn a_profile_of_format_2_is_shown() {
    let profile = ProfileDir::open(&kept("profile")).expect("it is kept").expect("it is a profile");
    let evidence = ProfileEvidence::read(&profile).expect("it can be read");
    let report = ProfileReport::assemble(&evidence);
    assert!(report.notes.is_empty(), "{:?}", report.notes);
    let memory = report.memory.expect("there are samples");
    let short = memory.class(ProcessClass::ShortExecutor).and_then(|class| class.peak);
    assert!(short > Some(ByteSize::mib(100)), "{short:?}");
    assert!(profile.files().header().is_ok() && profile.files().table().is_ok());
}

/// A copy of a kept run of which the version of one file is another.
fn of_version(file: &str, version: u32) -> (TempDir, RunDir) {
    let folder = tempfile::tempdir().expect("a temporary directory can be made");
    let run = RunDir::create(&folder.path().join("run")).expect("it can be made");
    for name in ["plan.json", "environment.json", file] {
        let text = std::fs::read(kept("passed").join(name)).expect("it is kept");
        let mut content: serde_json::Value = serde_json::from_slice(&text).expect("it is JSON");
        if name == file {
            content["version"] = version.into();
        }
        write_json(&run.path().join(name), &content).expect("it can be written");
    }
    (folder, run)
}

#[rstest]
#[case::to_come(99)]
#[case::that_is_too_old(1)]
fn a_plan_of_another_version_is_refused_with_its_name(#[case] version: u32) {
    let (_folder, run) = of_version("plan.json", version);
    let error = read::<LoadPlan>(&run.plan()).expect_err("it is of another version");
    assert_eq!(error.unsupported_version(), Some(version));
    let text = error.to_string();
    let expected = format!("expected plan versions 2 to 3, found version {version}");
    assert!(text.ends_with(&expected), "{text}");
}

#[test]
fn another_file_of_another_version_makes_a_run_inconclusive_and_is_named() {
    let (_folder, run) = of_version("environment.json", 99);
    let evidence = Evidence::read(&run).expect("its plan can be read");
    let named = |damage: &String| damage.contains("found version 99");
    assert!(evidence.damage.iter().any(named), "{:?}", evidence.damage);
}
