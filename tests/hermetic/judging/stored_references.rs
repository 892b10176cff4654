//! References as they are stored: which runs make one, its file, and the load of the runs that are
//! compared with it.

use std::path::{Path, PathBuf};

use rstest::rstest;
use skyload::analysis::{Evidence, Report};
use skyload::comparison::{Comparison, ComparisonVerdict, Reference, Settings};
use skyload::plan::{LoadPlan, UsageErrors};
use skyload::record::environment::PythonPackages;
use skyload::record::request::LoadRequest;
use skyload::record::{RunDir, read, write_json};
use skyload::render::reference as show;
use skyload::units::ByteSize;

use super::changes::{Change as _, slow};
use super::evidence::{config, four_users, plan};
use super::references::{nothing, other_cpu, reference, run, runs};

fn packages(click: &str) -> PythonPackages {
    PythonPackages {
        python: "3.12.1".to_owned(),
        resolved_as_of: None,
        installed: [("click".to_owned(), click.to_owned())].into(),
    }
}

/// Makes the second run of a reference inconclusive.
fn interrupted(reports: &mut [Report]) {
    reports[1] = run(1, |evidence| evidence.events.truncate(3));
}

#[rstest]
#[case::too_few("expected at least 3 usable runs, got 2", |reports: &mut Vec<Report>| {
    reports.truncate(2);
})]
#[case::too_few_usable_ones("\n  left out: 20261128-080001-00aa: inconclusive: ",
    |reports: &mut Vec<Report>| interrupted(reports))]
#[case::of_two_versions("expected runs of one SkyPilot, got 0.14.1 and 0.15.0",
    |reports: &mut Vec<Report>| {
        reports[2] = run(2, |evidence| {
            let environment = evidence.environment.as_mut().expect("it is known");
            environment.sky.version = "0.15.0".to_owned();
            environment.server.version = "0.15.0".to_owned();
        });
    })]
#[case::of_two_machines("runs differ in CPU model: EPYC 7763 in 20261128-080000-00aa, EPYC 9V74",
    |reports: &mut Vec<Report>| reports[2] = run(2, other_cpu))]
#[case::of_two_loads("runs differ in health probe: 2/s in ", |reports: &mut Vec<Report>| {
    reports[2] = run(2, |evidence| evidence.plan.probe_rate = 7);
})]
#[case::with_other_packages("runs differ in packages of the reference: click 8.1 in ",
    |reports: &mut Vec<Report>| {
    for (report, click) in reports.iter_mut().zip(["8.1", "8.1", "8.2"]) {
        let environment = report.environment.as_mut().expect("it is known");
        environment.sky.packages = Some(packages(click));
    }
})]
fn runs_that_do_not_belong_together_make_no_reference(
    #[case] expected: &str,
    #[case] change: fn(&mut Vec<Report>),
) {
    let mut reports = runs(0..3, nothing);
    change(&mut reports);
    let UsageErrors(mistakes) =
        Reference::assemble(&reports).expect_err("they do not belong together");
    assert!(mistakes.iter().any(|mistake| mistake.contains(expected)), "{mistakes:#?}");
}

#[test]
fn an_inconclusive_run_is_left_out_of_a_reference_with_its_reason() {
    let mut reports = runs(0..4, nothing);
    interrupted(&mut reports);
    let (reference, left_out) = Reference::assemble(&reports).expect("three are usable");
    assert_eq!(reference.runs.len(), 3);
    assert_eq!((left_out.len(), &left_out[0].run), (1, &reports[1].run));
}

#[test]
fn a_reference_has_the_flags_of_the_runs_that_it_keeps() {
    let mut reports = runs(0..4, nothing);
    reports[0] = run(0, |evidence| {
        evidence.events.truncate(3);
        evidence.request = Some(LoadRequest { users: Some("50".to_owned()), ..four_users() });
    });
    // Of an earlier build.
    reports[1].request = None;
    let (reference, left_out) = Reference::assemble(&reports).expect("three are usable");
    assert_eq!((left_out.len(), reference.runs.len()), (1, 3));
    assert_eq!(reference.arguments, four_users().to_args());
    for report in &mut reports {
        report.request = None;
    }
    let UsageErrors(mistakes) = Reference::assemble(&reports).expect_err("no flags are known");
    assert!(mistakes[0].starts_with("expected runs with a record of their flags"), "{mistakes:?}");
}

#[test]
fn a_reference_survives_its_file_with_one_amount_per_line() {
    let folder = tempfile::tempdir().expect("a temporary directory can be created");
    let path = folder.path().join("skyload-reference.json");
    let (failing, _) = Reference::assemble(&runs(0..3, |evidence| evidence.fail_iterations(1)))
        .expect("runs of one kind");
    for reference in [reference(), failing] {
        write_json(&path, &reference).expect("the file can be written");
        assert_eq!(read::<Reference>(&path).expect("the file was just written"), reference);
    }
    let text = std::fs::read_to_string(&path).expect("the file was just written");
    assert_eq!(text.matches("\n        \"threads\": \"").count(), 3, "{text}");
    assert!(text.contains("\n      \"kernel\": \"6.1.0\""), "{text}");
}

fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kept").join(name)
}

/// Reference that the first build with references wrote, of three copies of a run of format 2.
#[test]
fn a_reference_of_an_earlier_build_is_compared() {
    let reference: Reference = read(&kept("reference-v1.json")).expect("this version is supported");
    let of = |name: &str| {
        let run = RunDir::open(&kept("v2").join(name)).expect("the run is in the repository");
        let report = Report::assemble(&Evidence::read(&run).expect("the run is readable"));
        [report.clone(), report.clone(), report]
    };
    let against = |name: &str| {
        Comparison::with_reference(&reference, &of(name), &Settings::default()).verdict
    };
    assert_eq!(against("passed"), ComparisonVerdict::Same);
    assert_eq!(against("failed"), ComparisonVerdict::ScenarioFailed);
    assert!(reference.request().is_ok(), "{:?}", reference.arguments);
}

/// Plan that another request has on this machine.
fn resolved(change: impl Fn(&mut LoadRequest)) -> (LoadPlan, LoadRequest) {
    let mut request = four_users();
    change(&mut request);
    (plan(&config(), &request).expect("the test's data is valid"), request)
}

#[test]
fn runs_of_a_check_have_the_load_of_the_reference_whatever_fits_today() {
    let (mut today, request) = resolved(|_| {});
    today.scenarios[0].concurrency = 1;
    let pinned = reference().plan(&today, &request).expect("the load is that of the reference");
    assert_eq!(pinned.scenarios[0].concurrency, 4);
    assert_eq!(pinned.memory_floor, today.memory_floor);
}

#[test]
fn a_load_that_is_another_one_by_now_is_refused_before_any_run() {
    let (today, request) = resolved(|request| request.seed = Some("77".to_owned()));
    let UsageErrors(mistakes) =
        reference().plan(&today, &request).expect_err("the seed is another one");
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    assert!(mistakes[0].starts_with("the load differs in seed: "), "{mistakes:?}");
    assert!(mistakes[0].ends_with(" in the reference, 77 here"), "{mistakes:?}");
}

#[test]
fn thresholds_that_the_reference_lacks_are_refused_before_any_run() {
    let added = vec!["api:status p95 < 2s".to_owned()];
    let (today, request) = resolved(|request| request.thresholds.clone_from(&added));
    let UsageErrors(mistakes) =
        reference().plan(&today, &request).expect_err("the reference was not judged by it");
    let expected =
        "the load differs in thresholds: none in the reference, api:status p95 < 2s here";
    assert_eq!(mistakes, [expected]);
}

#[test]
fn a_breach_counts_if_it_is_unknown_whether_the_reference_has_the_threshold() {
    let reference: Reference = read(&kept("reference-v1.json")).expect("this version is supported");
    let comparison =
        Comparison::with_reference(&reference, &runs(3..6, slow), &Settings::default());
    assert_eq!(comparison.verdict, ComparisonVerdict::ScenarioFailed, "{}", comparison.reason());
}

#[test]
fn a_load_that_does_not_fit_into_memory_needs_a_confirmation() {
    let (mut today, mut request) = resolved(|_| {});
    today.capacity.usable = ByteSize::mib(1);
    let UsageErrors(mistakes) =
        reference().plan(&today, &request).expect_err("1 MiB is not enough");
    assert!(mistakes[0].starts_with("not enough memory: the reference's load"), "{mistakes:?}");
    request.yes = true;
    reference().plan(&today, &request).expect("the user has confirmed it");
}

#[test]
fn a_reference_is_shown_with_its_runs_amounts_and_conditions() {
    let mut text = Vec::new();
    show::render(&reference(), &mut text).expect("memory is enough");
    let text = String::from_utf8(text).expect("it is text");
    for expected in [
        "REFERENCE of SkyPilot 0.14.1, 3 runs",
        "made by: cargo xtask load --api status -n 4 --iterations 1",
        "20261128-080002-00aa",
        "short-executor",
        "kernel",
        "6.1.0",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}
