//! References in comparisons: which metrics are compared with them, and where.

use std::ops::Range;
use std::path::Path;

use rstest::rstest;
use skyload::analysis::{Evidence, Report};
use skyload::comparison::{
    Comparison, ComparisonVerdict, MetricVerdict, Pairing, Part, Reference, Settings,
};
use skyload::ids::RunId;
use skyload::record::environment::{
    HugePages, MachineFacts, MemorySettings, RecordedEnvironment, ServerEnvironment, WorkerCounts,
};
use skyload::render::comparison::{render_markdown, render_text};
use skyload::render::text::Detail;
use skyload::units::ByteSize;

use super::changes::Change as _;
use super::evidence::{four_users, good_run};

/// Report of a run with a number of its own, on a machine whose facts are known.
pub(super) fn run(number: u32, change: impl Fn(&mut Evidence)) -> Report {
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

pub(super) fn runs(numbers: Range<u32>, change: impl Fn(&mut Evidence)) -> Vec<Report> {
    numbers.map(|number| run(number, &change)).collect()
}

pub(super) const fn nothing(_: &mut Evidence) {}

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

pub(super) fn other_cpu(evidence: &mut Evidence) {
    machine(evidence).cpu_model = Some("EPYC 9V74".to_owned());
}

fn more_cpus(evidence: &mut Evidence) {
    machine(evidence).cpus = 4;
}

pub(super) fn reference() -> Reference {
    let (reference, left_out) =
        Reference::assemble(&runs(0..3, nothing)).expect("runs of one kind");
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
    let (reference, _) =
        Reference::assemble(&runs(0..3, of_earlier_build)).expect("runs of one kind");
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
