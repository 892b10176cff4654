//! References: stored runs, and later ones that are compared with them.

use std::ops::Range;
use std::path::{Path, PathBuf};

use rstest::rstest;
use skyload::analysis::{Evidence, Report};
use skyload::comparison::{
    Comparison, ComparisonVerdict, MetricVerdict, Pairing, Part, Reference, Settings,
};
use skyload::ids::RunId;
use skyload::plan::{LoadPlan, UsageErrors};
use skyload::record::environment::{
    HugePages, MachineFacts, MemorySettings, PythonPackages, RecordedEnvironment,
    ServerEnvironment, WorkerCounts,
};
use skyload::record::request::LoadRequest;
use skyload::record::{RunDir, read, write_json};
use skyload::render::comparison::{render_markdown, render_text};
use skyload::render::reference as show;
use skyload::render::text::Detail;
use skyload::units::ByteSize;

use super::changes::Change as _;
use super::evidence::{config, four_users, good_run, plan};

/// Report of a run with a number of its own, on a machine whose facts are known.
fn run(number: u32, change: impl Fn(&mut Evidence)) -> Report {
    let mut evidence = good_run(&four_users());
    let id = format!("20261128-0800{number:02}-00aa");
    evidence.run = RunId::of_directory(Path::new(&id));
    evidence.name = id;
    let machine = machine(&mut evidence);
    machine.system = "Linux (Debian 12), kernel 6.1.0".to_owned();
    machine.cpu_model = Some("EPYC 7763".to_owned());
    machine.page_size = Some(ByteSize(4096));
    set_memory(&mut evidence, "madvise", &[]);
    change(&mut evidence);
    Report::assemble(&evidence)
}

fn runs(numbers: Range<u32>, change: impl Fn(&mut Evidence)) -> Vec<Report> {
    numbers.map(|number| run(number, &change)).collect()
}

const fn nothing(_: &mut Evidence) {}

fn machine(evidence: &mut Evidence) -> &mut MachineFacts {
    &mut evidence.environment.as_mut().expect("it is known").machine
}

fn set_memory(evidence: &mut Evidence, huge_pages: &str, variables: &[(&str, &str)]) {
    let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let huge_pages = HugePages::Mode(huge_pages.to_owned());
    let memory = MemorySettings { variables: owned.collect(), huge_pages };
    let recorded = RecordedEnvironment { passed_on: Vec::new(), left_out: Vec::new(), memory };
    evidence.environment.as_mut().expect("it is known").server_environment =
        ServerEnvironment::Recorded(recorded);
}

/// Makes each peak 100 MiB larger.
fn heavier(evidence: &mut Evidence) {
    let processes = evidence.processes.as_mut().expect("a good run is profiled");
    for record in &mut processes.processes {
        let larger = |peak: ByteSize| ByteSize(peak.as_u64() + ByteSize::mib(100).as_u64());
        record.peak = record.peak.map(larger);
    }
}

fn other_kernel(evidence: &mut Evidence) {
    machine(evidence).system = "Linux (Debian 12), kernel 6.8.0".to_owned();
}

fn other_cpu(evidence: &mut Evidence) {
    machine(evidence).cpu_model = Some("EPYC 9V74".to_owned());
}

fn more_cpus(evidence: &mut Evidence) {
    machine(evidence).cpus = 4;
}

fn reference() -> Reference {
    let (reference, left_out) =
        Reference::assemble(&runs(0..3, nothing), &four_users()).expect("runs of one kind");
    assert!(left_out.is_empty(), "{left_out:?}");
    reference
}

fn check(change: impl Fn(&mut Evidence)) -> Comparison {
    Comparison::with_reference(&reference(), &runs(3..6, change), &Settings::default())
}

fn verdict_of(comparison: &Comparison, name: &str) -> MetricVerdict {
    let found = comparison.metrics.iter().find(|metric| metric.metric.to_string() == name);
    found.unwrap_or_else(|| panic!("{name}: {:#?}", comparison.metrics)).verdict
}

#[test]
fn equal_runs_are_the_same_as_the_reference_and_no_pairs_of_it() {
    let comparison = check(nothing);
    assert_eq!(comparison.verdict, ComparisonVerdict::Same, "{}", comparison.reason());
    assert_eq!(comparison.verdict.exit_code(), 0);
    assert_eq!(comparison.pairing, Pairing::Unpaired);
    assert!(comparison.differences.is_empty(), "{:#?}", comparison.differences);
}

#[test]
fn a_heavier_candidate_is_worse_than_the_reference() {
    let comparison = check(heavier);
    assert_eq!(comparison.verdict, ComparisonVerdict::Worse, "{}", comparison.reason());
    assert_eq!(comparison.verdict.exit_code(), 10);
    assert_eq!(verdict_of(&comparison, "short-executor"), MetricVerdict::Worse);
}

fn other_distribution(evidence: &mut Evidence) {
    machine(evidence).system = "Ubuntu, kernel 6.1.0".to_owned();
}

fn larger_pages(evidence: &mut Evidence) {
    machine(evidence).page_size = Some(ByteSize(16384));
}

fn unknown_pages(evidence: &mut Evidence) {
    machine(evidence).page_size = None;
}

fn huge_pages(evidence: &mut Evidence) {
    set_memory(evidence, "always", &[]);
}

fn one_arena(evidence: &mut Evidence) {
    set_memory(evidence, "madvise", &[("MALLOC_ARENA_MAX", "1")]);
}

#[rstest]
#[case::kernel("kernel: 6.1.0 in the reference, 6.8.0 in ", other_kernel)]
#[case::distribution("system: Linux (Debian 12) in the reference, Ubuntu in ", other_distribution)]
#[case::page_size("page size: 4.0 KiB in the reference, 16.0 KiB in ", larger_pages)]
#[case::that_is_unknown("page size: 4.0 KiB in the reference, unknown in ", unknown_pages)]
#[case::huge_pages("transparent huge pages: madvise in the reference, always in ", huge_pages)]
#[case::variable("variables that affect memory: [] in the reference, [MALLOC_ARENA", one_arena)]
fn nothing_is_compared_where_memory_depends_on_what_differs(
    #[case] difference: &str,
    #[case] change: fn(&mut Evidence),
) {
    let comparison = check(|evidence| {
        heavier(evidence);
        change(evidence);
    });
    for metric in ["short-executor", "tree-pss", "threads", "cpu-per-iteration"] {
        assert_eq!(verdict_of(&comparison, metric), MetricVerdict::OtherConditions, "{metric}");
    }
    assert_eq!(comparison.verdict, ComparisonVerdict::Undecided);
    assert_eq!(comparison.verdict.exit_code(), 12);
    let reason = comparison.reason();
    assert!(reason.starts_with(&format!("nothing to compare: {difference}")), "{reason}");
}

#[rstest]
#[case::model(other_cpu)]
#[case::count(more_cpus)]
fn on_other_cpus_memory_is_compared_and_cpu_time_is_not(#[case] change: fn(&mut Evidence)) {
    let comparison = check(change);
    assert_eq!(verdict_of(&comparison, "cpu-per-iteration"), MetricVerdict::OtherConditions);
    assert_eq!(verdict_of(&comparison, "api:status p50"), MetricVerdict::OtherConditions);
    for metric in ["short-executor", "tree-pss", "threads"] {
        assert_eq!(verdict_of(&comparison, metric), MetricVerdict::Same, "{metric}");
    }
    assert_eq!(comparison.verdict, ComparisonVerdict::Same);
    let reason =
        "the same: server, short-executor, tree-pss, threads; not compared: cpu-per-iteration";
    assert_eq!(comparison.reason(), reason);
    let worse = check(|evidence| {
        heavier(evidence);
        change(evidence);
    });
    assert_eq!(worse.verdict, ComparisonVerdict::Worse, "{}", worse.reason());
}

#[test]
fn a_failure_counts_on_any_machine() {
    let comparison = check(|evidence| {
        other_kernel(evidence);
        evidence.fail_iterations(1);
    });
    assert_eq!(comparison.verdict, ComparisonVerdict::ScenarioFailed, "{}", comparison.reason());
    assert_eq!(comparison.verdict.exit_code(), 11);
}

#[test]
fn facts_that_neither_side_knows_prevent_nothing() {
    let of_earlier_build = |evidence: &mut Evidence| {
        machine(evidence).page_size = None;
        evidence.environment.as_mut().expect("it is known").server_environment =
            ServerEnvironment::Unrecorded;
    };
    let (reference, _) = Reference::assemble(&runs(0..3, of_earlier_build), &four_users())
        .expect("runs of one kind");
    let candidate = runs(3..6, of_earlier_build);
    let comparison = Comparison::with_reference(&reference, &candidate, &Settings::default());
    assert_eq!(comparison.verdict, ComparisonVerdict::Same, "{}", comparison.reason());
}

#[rstest]
#[case::of_another_version("0.15.0", ComparisonVerdict::Same)]
#[case::of_the_same_version("0.14.1", ComparisonVerdict::Undecided)]
fn other_numbers_of_workers_are_a_change_of_skypilot_only_if_its_version_differs(
    #[case] version: &str,
    #[case] verdict: ComparisonVerdict,
) {
    let comparison = check(|evidence| {
        let environment = evidence.environment.as_mut().expect("it is known");
        version.clone_into(&mut environment.sky.version);
        environment.server.version.clone_from(&environment.sky.version);
        environment.server.workers = Some(WorkerCounts { server: 1, long: 5, short: 9 });
    });
    assert_eq!(comparison.verdict, verdict, "{}", comparison.reason());
}

#[test]
fn another_load_is_a_difference_of_the_load() {
    let comparison = check(|evidence| evidence.plan.probe_rate = 7);
    let parts: Vec<(Part, String)> = comparison
        .disturbances()
        .map(|difference| (difference.part, comparison.in_words(difference)))
        .collect();
    assert_eq!(parts.len(), 1, "{parts:?}");
    assert_eq!(parts[0].0, Part::Load);
    assert!(parts[0].1.starts_with("health probe: 2/s in the reference, 7/s in "), "{parts:?}");
}

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
#[case::with_other_packages("runs differ in Python or its packages", |reports: &mut Vec<Report>| {
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
        Reference::assemble(&reports, &four_users()).expect_err("they do not belong together");
    assert!(mistakes.iter().any(|mistake| mistake.contains(expected)), "{mistakes:#?}");
}

#[test]
fn an_inconclusive_run_is_left_out_of_a_reference_with_its_reason() {
    let mut reports = runs(0..4, nothing);
    interrupted(&mut reports);
    let (reference, left_out) =
        Reference::assemble(&reports, &four_users()).expect("three are usable");
    assert_eq!(reference.runs.len(), 3);
    assert_eq!((left_out.len(), &left_out[0].run), (1, &reports[1].run));
}

#[test]
fn a_reference_survives_its_file_with_one_amount_per_line() {
    let folder = tempfile::tempdir().expect("a temporary directory can be created");
    let path = folder.path().join("skyload-reference.json");
    let (failing, _) =
        Reference::assemble(&runs(0..3, |evidence| evidence.fail_iterations(1)), &four_users())
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
fn all_formats_say_what_is_not_compared_and_why() {
    let comparison = check(|evidence| {
        other_cpu(evidence);
        more_cpus(evidence);
    });
    let mut rendered = [Vec::new(), Vec::new()];
    let [text, markdown] = &mut rendered;
    render_text(&comparison, Detail::Full, None, text).expect("memory is enough");
    render_markdown(&comparison, markdown).expect("memory is enough");
    for text in rendered {
        let text = String::from_utf8(text).expect("it is text");
        for expected in [
            "not compared (CPU model and 1 more)",
            "CPU model: EPYC 7763 in the reference, EPYC 9V74 in ",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
    }
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
