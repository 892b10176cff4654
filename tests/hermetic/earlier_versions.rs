//! Runs and profiles of earlier builds: read and judged as by those builds.
//!
//! `tests/kept/v2` has one of each kind, written by the last build of format 2.

use std::path::{Path, PathBuf};

use rstest::rstest;
use skyload::analysis::{
    Evidence, ProfileEvidence, ProfileReport, Report, RunSeries, Source, Verdict,
};
use skyload::class::ProcessClass;
use skyload::plan::LoadPlan;
use skyload::record::profile::Phase;
use skyload::record::{ProfileDir, RunDir, read, write_json};
use skyload::scenario::ScenarioId;
use skyload::units::ByteSize;
use tempfile::TempDir;

use crate::judging::attribution::attributed_run;
use crate::judging::evidence::{four_users, good_run};
use crate::run_files::write_profile;

fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kept/v2").join(name)
}

fn run(name: &str) -> RunDir {
    RunDir::open(&kept(name)).expect("the run is in the repository")
}

/// Comparison of whole reports, which contain every figure.
#[rstest]
#[case::that_passed("passed", Verdict::Pass)]
#[case::that_failed("failed", Verdict::ScenarioFailed)]
#[case::of_a_remote_server("remote", Verdict::Pass)]
fn a_run_of_format_2_is_judged_as_its_own_build_judged_it(
    #[case] name: &str,
    #[case] verdict: Verdict,
) {
    let run = run(name);
    let then: Report = read(&run.report()).expect("the report has format 2");
    let now = Report::assemble(&Evidence::read(&run).expect("the run can be read"));
    assert_eq!(now.verdict, verdict, "{:#?}", now.findings);
    // The run was copied under another name, and messages of findings may be improved.
    let now = Report { run: then.run.clone(), name: then.name.clone(), ..without_texts(now) };
    assert_eq!(now, without_texts(then));
}

#[test]
fn a_run_of_format_2_has_the_series_that_its_files_have() {
    let evidence = Evidence::read(&run("passed")).expect("the run can be read");
    let series = RunSeries::of(&evidence);
    let of = |source: Source| series.points().filter(|point| point.source == source).count();
    assert!(of(Source::Profile) > 0 && of(Source::Machine) > 0);
    assert_eq!(of(Source::Scenario), 0, "format 2 has no activity over time");
}

/// Report without the messages of its findings, and without the fields that format 2 lacks.
fn without_texts(mut report: Report) -> Report {
    for finding in &mut report.findings {
        finding.message.clear();
    }
    for scenario in &mut report.scenarios {
        scenario.iteration_duration = None;
        for segment in &mut scenario.segments {
            let steps = segment.steps.values_mut();
            let stats = [&mut segment.iteration_duration, &mut segment.send_lateness];
            for stats in stats.into_iter().flatten().chain(steps) {
                stats.p999 = None;
            }
        }
    }
    report
}

#[test]
fn a_run_of_format_2_that_ended_early_has_its_measurements() {
    let run = run("broken-off");
    let evidence = Evidence::read(&run).expect("the run can be read");
    let report = Report::assemble(&evidence);
    assert_eq!(report.verdict, Verdict::ScenarioFailed);
    assert!(evidence.ended_early() && !run.report().exists());
    let memory = report.memory.expect("the profile has samples");
    assert!(memory.class(ProcessClass::ShortExecutor).is_some());
}

#[test]
fn renamed_fields_and_phases_of_format_2_are_read() {
    let evidence = Evidence::read(&run("failed")).expect("the run can be read");
    assert!(evidence.damage.is_empty(), "{:?}", evidence.damage);
    assert!(evidence.began(Phase::Cooldown));
    assert_eq!(evidence.leaked_processes(), Some(1));
    let request = evidence.request.expect("the request was recorded");
    assert_eq!((request.users.as_deref(), request.cli.len()), (Some("4"), 1));
    assert_eq!(evidence.plan.name, "default");
    let outcome = &evidence.outcomes[&ScenarioId::ApiStatus];
    assert_eq!(outcome.segments[0].failed, 1);
    assert_eq!(evidence.resources.expect("the run has shared resources").steps.len(), 2);
}

#[test]
fn the_coordinator_of_format_2_is_read_from_the_plan() {
    let run = run("passed");
    let facts = run.read_facts().expect("the plan can be read").expect("the plan has facts");
    assert_eq!(facts.coordinator, run.coordinator());
    assert!(facts.coordinator.is_some());
}

#[test]
fn a_profile_of_format_2_is_read() {
    let profile = ProfileDir::open(&kept("profile"))
        .expect("the file is in the repository")
        .expect("the directory is a profile");
    let evidence = ProfileEvidence::read(&profile).expect("the run can be read");
    let report = ProfileReport::assemble(&evidence);
    assert!(report.notes.is_empty(), "{:?}", report.notes);
    let memory = report.memory.expect("the profile has samples");
    let short = memory.class(ProcessClass::ShortExecutor).and_then(|class| class.peak);
    assert!(short > Some(ByteSize::mib(100)), "{short:?}");
    assert!(profile.files().header().is_ok() && profile.files().table().is_ok());
}

#[rstest]
#[case::without_readings_of_executors(3, good_run(&four_users()), false)]
#[case::without_thinned_readings(4, attributed_run(), true)]
#[case::without_anonymous_memory(5, attributed_run(), true)]
fn a_profile_of_an_earlier_version_is_read(
    #[case] version: u32,
    #[case] run: Evidence,
    #[case] is_attributed: bool,
) {
    let (_folder, profile) = write_profile(&run);
    let samples = profile.files().samples;
    let text = std::fs::read_to_string(&samples).expect("the file was just written");
    let before = text.replacen("\"version\":6", &format!("\"version\":{version}"), 1);
    assert!(before != text, "the header has another version");
    std::fs::write(&samples, before).expect("the file can be written");
    let evidence = ProfileEvidence::read(&profile).expect("the profile can be read");
    assert!(evidence.damage.is_empty(), "{:?}", evidence.damage);
    let report = ProfileReport::assemble(&evidence);
    assert!(report.memory.is_some() && report.attribution.is_some() == is_attributed);
}

/// Copy of the plan, the environment and one file of a run, with another version in that file.
fn run_with_version(file: &str, version: u32) -> (TempDir, RunDir) {
    let folder = tempfile::tempdir().expect("a temporary directory can be created");
    let run = RunDir::create(&folder.path().join("run")).expect("the directory can be created");
    for name in ["plan.json", "environment.json", file] {
        let text = std::fs::read(kept("passed").join(name)).expect("the file is in the repository");
        let mut content: serde_json::Value = serde_json::from_slice(&text).expect("valid JSON");
        if name == file {
            content["version"] = version.into();
        }
        write_json(&run.path().join(name), &content).expect("the file can be written");
    }
    (folder, run)
}

#[rstest]
#[case::future(99)]
#[case::too_old(1)]
fn a_plan_of_an_unsupported_version_is_an_error_with_the_version(#[case] version: u32) {
    let (_folder, run) = run_with_version("plan.json", version);
    let error = read::<LoadPlan>(&run.plan()).expect_err("the version is unsupported");
    assert_eq!(error.unsupported_version(), Some(version));
    let text = error.to_string();
    let expected = format!("expected plan versions 2 to 5, found version {version}");
    assert!(text.ends_with(&expected), "{text}");
}

#[test]
fn a_file_of_an_unsupported_version_is_damage_with_the_version() {
    let (_folder, run) = run_with_version("environment.json", 99);
    let evidence = Evidence::read(&run).expect("the plan can be read");
    let named = |damage: &String| damage.contains("found version 99");
    assert!(evidence.damage.iter().any(named), "{:?}", evidence.damage);
}
