//! Comparisons say what made executors' peaks, and what each kind of request costs, in all formats
//! and without effect on the verdict.

use std::time::Duration;

use rstest::rstest;
use skyload::analysis::{Evidence, Report, RequestKind};
use skyload::class::ProcessClass;
use skyload::comparison::{
    AttributionComparison, Comparison, ComparisonVerdict, CostFigure, FigureChange,
    FigureComparison, PeakCause, Reference, Settings,
};
use skyload::metric::Amount;
use skyload::record::profile::{ExecutorReading, Output, ProfileLine};
use skyload::record::{read, write_json};
use skyload::render::comparison::{render_markdown, render_text};
use skyload::render::html::render_comparison;
use skyload::render::text::Detail;
use skyload::units::ByteSize;

use super::attribution::attribute;
use super::changes::Change as _;
use super::comparing::{compare, evidence};

/// Readings of an executor while it runs requests.
fn at_work(run: &mut Evidence, pid: u32) -> impl Iterator<Item = &mut ExecutorReading> {
    run.profile.iter_mut().filter_map(move |line| match line {
        ProfileLine::Executor(reading)
            if reading.process.pid == pid && reading.output != Output::NoRequest =>
        {
            Some(reading)
        }
        _ => None,
    })
}

/// Runs in which a launch grows an executor to 180 MiB, and the daemon another one to each of
/// these sizes.
fn runs(first: u32, daemon: [u64; 3]) -> [Report; 3] {
    changed_runs(first, daemon, |_| {})
}

fn changed_runs(first: u32, daemon: [u64; 3], change: impl Fn(&mut Evidence)) -> [Report; 3] {
    let mut number = first;
    daemon.map(|mib| {
        let mut run = evidence(number, 0);
        number += 1;
        attribute(&mut run);
        for reading in at_work(&mut run, 2) {
            reading.memory.peak = ByteSize::mib(mib);
        }
        run.record(2).peak = Some(ByteSize::mib(mib));
        run.record(3).peak = Some(ByteSize::mib(180));
        change(&mut run);
        Report::assemble(&run)
    })
}

/// Gives the daemon another name.
fn rename_daemon(run: &mut Evidence) {
    for reading in at_work(run, 2) {
        reading.output = Output::Request("new-daemon".to_owned());
    }
}

/// Compact and full text, Markdown and page.
fn formats(comparison: &Comparison) -> [String; 4] {
    let mut formats = [(); 4].map(|()| Vec::new());
    let [compact, full, markdown, page] = &mut formats;
    render_text(comparison, Detail::Compact, None, compact).expect("memory is enough");
    render_text(comparison, Detail::Full, None, full).expect("memory is enough");
    render_markdown(comparison, markdown).expect("memory is enough");
    render_comparison(comparison, &[Vec::new(), Vec::new()], page).expect("memory is enough");
    formats.map(|text| String::from_utf8(text).expect("it is text"))
}

/// Row of a table in which these cells follow one another, whatever the format puts between them.
fn has_row(text: &str, cells: &[&str]) -> bool {
    text.lines().any(|line| {
        let mut rest = Some(line);
        for cell in cells {
            rest = rest.and_then(|rest| rest.split_once(cell)).map(|(_, rest)| rest);
        }
        rest.is_some()
    })
}

const DAEMON: &str = "daemon skypilot-status-refresh-daemon";

#[test]
fn the_causes_of_a_peak_that_differs_stand_in_every_format() {
    let comparison = compare(&runs(0, [170; 3]), &runs(3, [290, 300, 310]));
    assert_eq!(comparison.verdict, ComparisonVerdict::Worse, "{}", comparison.reason());
    for text in formats(&comparison) {
        let base = ["short-executor", "base", "sky.launch", "3 of 3", "+60.0 MiB", "170.0 MiB"];
        let candidate =
            ["short-executor", "candidate", DAEMON, "3 of 3", "+180.0 MiB", "180.0 MiB"];
        assert!(has_row(&text, &base), "{text}");
        assert!(has_row(&text, &candidate), "{text}");
        let cost = [DAEMON, "growth max", "50.0 MiB", "180.0 MiB", "+130.0 MiB"];
        assert!(has_row(&text, &cost), "{text}");
    }
}

#[test]
fn what_does_not_differ_is_in_the_full_forms_only() {
    let comparison = compare(&runs(0, [170; 3]), &runs(3, [170; 3]));
    assert_eq!(comparison.verdict, ComparisonVerdict::Same, "{}", comparison.reason());
    let [compact, full, markdown, page] = formats(&comparison);
    for text in [&compact, &markdown] {
        assert!(!text.contains("sky.launch"), "{text}");
    }
    for text in [&full, &page] {
        assert!(has_row(text, &["short-executor", "candidate", "sky.launch", "3 of 3"]), "{text}");
        assert!(has_row(text, &["sky.launch", "growth p50", "60.0 MiB", "60.0 MiB", "+0.0 MiB"]));
    }
    assert!(compact.contains(" more costs per request, which do not differ (-v)"), "{compact}");
}

fn figure(
    attribution: &AttributionComparison,
    kind: &RequestKind,
    figure: CostFigure,
) -> FigureComparison {
    let cost = attribution.costs.iter().find(|cost| cost.kind == *kind);
    let figures = &cost.expect("such requests were seen").figures;
    figures.iter().find(|it| it.figure == figure).expect("it was measured").clone()
}

fn daemon() -> RequestKind {
    RequestKind::Daemon("skypilot-status-refresh-daemon".to_owned())
}

#[test]
fn runs_are_pooled_by_the_median_and_one_that_is_as_the_other_version_leaves_no_difference() {
    let of_daemon = |candidate| {
        let comparison = compare(&runs(0, [170, 172, 171]), &runs(3, candidate));
        figure(&comparison.attribution, &daemon(), CostFigure::GrowthMax)
    };
    let expected = FigureComparison {
        figure: CostFigure::GrowthMax,
        base: Some(Amount::Size(ByteSize::mib(51))),
        candidate: Some(Amount::Size(ByteSize::mib(180))),
        differs: true,
    };
    assert_eq!(of_daemon([300, 290, 310]), expected);
    assert_eq!(of_daemon([300, 171, 310]), FigureComparison { differs: false, ..expected });
    // Within the tolerance of 10 MiB.
    assert!(!of_daemon([176, 177, 178]).differs);
}

#[test]
fn a_cost_that_most_runs_of_a_version_have_not_measured_does_not_differ() {
    let base = runs(0, [170; 3]);
    let [first, second, _] = runs(3, [300; 3]);
    let [_, without, third] = changed_runs(3, [300; 3], rename_daemon);
    let of_daemon = |candidate: [Report; 3]| {
        figure(&compare(&base, &candidate).attribution, &daemon(), CostFigure::GrowthMax)
    };
    let two_of_three = of_daemon([first.clone(), second, third.clone()]);
    let one_of_three = of_daemon([first, without, third]);
    assert!(two_of_three.differs, "{two_of_three:?}");
    assert_eq!(one_of_three, FigureComparison { differs: false, ..two_of_three });
}

#[rstest]
#[case::more(4, 5, Some(FigureChange::Ratio(0.25)))]
#[case::of_nothing(0, 5, None)]
fn cpu_time_changes_by_a_ratio(
    #[case] base: u64,
    #[case] candidate: u64,
    #[case] change: Option<FigureChange>,
) {
    let [base, candidate] =
        [base, candidate].map(|seconds| Some(Amount::Duration(Duration::from_secs(seconds))));
    let figure = FigureComparison { figure: CostFigure::CpuEach, base, candidate, differs: false };
    assert_eq!(figure.change(), change);
}

#[test]
fn of_many_costs_that_differ_the_short_forms_have_ten_and_count_the_others() {
    let mut comparison = compare(&runs(0, [170; 3]), &runs(3, [300; 3]));
    let costs = &mut comparison.attribution.costs;
    let differing = costs.iter().find(|cost| cost.kind == daemon()).expect("it was seen").clone();
    *costs = vec![differing; 20];
    let of_daemon = differing_figures(&comparison);
    assert!(of_daemon > 20, "{of_daemon}");
    let [compact, full, markdown, _] = formats(&comparison);
    let more = of_daemon - 10;
    assert!(compact.contains(&format!("  {more} more costs per request that differ (-v)\n")));
    assert!(markdown.contains(&format!("where it differs ({more} more in compare.html)")));
    let rows = |text: &str| text.lines().filter(|line| has_row(line, &[DAEMON, "growth"])).count();
    // Of causes, growth is a column.
    assert_eq!([rows(&compact), rows(&full)], [10, of_daemon]);
}

fn differing_figures(comparison: &Comparison) -> usize {
    let figures = comparison.attribution.costs.iter().flat_map(|cost| &cost.figures);
    figures.filter(|figure| figure.differs).count()
}

#[test]
fn the_most_frequent_cause_stands_for_a_version_and_all_are_in_the_data() {
    let comparison = compare(&runs(0, [170; 3]), &runs(3, [300, 170, 310]));
    let [short] = &comparison.attribution.peaks[..] else {
        panic!("{:#?}", comparison.attribution.peaks)
    };
    assert_eq!(short.class, ProcessClass::ShortExecutor);
    let causes: Vec<(&PeakCause, usize)> =
        short.candidate.iter().map(|cause| (&cause.cause, cause.runs)).collect();
    let launch = PeakCause::Requests(RequestKind::Named("sky.launch".to_owned()));
    assert_eq!(causes, [(&PeakCause::Requests(daemon()), 2), (&launch, 1)]);
}

#[test]
fn requests_that_one_version_alone_has_are_named_as_not_seen() {
    let comparison = compare(&runs(0, [170; 3]), &changed_runs(3, [170; 3], rename_daemon));
    assert_eq!(comparison.verdict, ComparisonVerdict::Same, "requests decide nothing");
    for text in formats(&comparison) {
        assert!(has_row(&text, &["daemon new-daemon", "growth max", "not seen", "50.0 MiB"]));
        assert!(has_row(&text, &[DAEMON, "growth max", "50.0 MiB", "not seen"]), "{text}");
    }
}

#[test]
fn a_reference_keeps_what_its_runs_requests_cost_without_names_of_users() {
    let folder = tempfile::tempdir().expect("a temporary directory can be created");
    let path = folder.path().join("skyload-reference.json");
    let (reference, _) = Reference::assemble(&runs(0, [170; 3])).expect("runs of one kind");
    write_json(&path, &reference).expect("the file can be written");
    let text = std::fs::read_to_string(&path).expect("the file was just written");
    assert!(text.contains("sky.launch") && !text.contains("skyload-f7eb-launch-0"), "{text}");
    let reference: Reference = read(&path).expect("the file was just written");
    let candidate = runs(3, [300; 3]);
    let checked = Comparison::with_reference(&reference, &candidate, &Settings::default());
    let compared = compare(&runs(0, [170; 3]), &candidate);
    assert_eq!(checked.attribution, compared.attribution);
}

#[test]
fn runs_without_readings_of_executors_are_named_and_give_no_costs() {
    let without = [0, 1, 2].map(|number| Report::assemble(&evidence(number, 0)));
    let comparison = compare(&without, &runs(3, [300; 3]));
    assert!(comparison.attribution.costs.is_empty(), "{:#?}", comparison.attribution);
    for text in formats(&comparison) {
        assert!(text.contains("cost per request not compared: no run of the base"), "{text}");
    }
    let comparison = compare(&without, &without);
    assert_eq!(comparison.attribution, AttributionComparison::default());
}

#[test]
fn names_from_the_server_are_escaped() {
    let marked = |run: &mut Evidence| {
        let requests = &mut run.server_requests.as_mut().expect("a record").requests;
        requests[0].name = "sky|<b>\n::error::".to_owned();
    };
    let comparison =
        compare(&changed_runs(0, [170; 3], marked), &changed_runs(3, [300; 3], marked));
    let [compact, full, markdown, page] = formats(&comparison);
    for text in [&compact, &full, &markdown] {
        assert!(!text.contains("\n::error::"), "{text}");
    }
    assert!(!markdown.contains("sky|<b>") && !page.contains("sky|<b>"));
}
