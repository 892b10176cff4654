//! Answer of a comparison in all formats: packages that differ, runs that are left out, and an
//! early end.

use std::collections::BTreeMap;
use std::path::Path;

use rstest::rstest;
use skyload::analysis::{ChartData, Evidence, Report, Verdict};
use skyload::comparison::{
    AbRecord, Comparison, ComparisonVerdict, EarlyEnd, Place, PlacedRun, Role, Settings,
    VersionUnderTest,
};
use skyload::ids::RunId;
use skyload::plan::SkySelection;
use skyload::record::Version;
use skyload::record::environment::PythonPackages;
use skyload::record::profile::ProfileLine;
use skyload::record::request::RequestFile;
use skyload::render::comparison::{render_markdown, render_text};
use skyload::render::html::{Curves, render_comparison};
use skyload::render::text::Detail;
use skyload::units::ByteSize;

use super::changes::Change as _;
use super::comparing::{compare, evidence};
use super::evidence::four_users;
use super::hour::MARKUP;
use super::pages::data;

/// Sets the packages of a run, beside SkyPilot itself.
fn install(run: &mut Evidence, python: &str, packages: &[(&str, &str)]) {
    let sky = &mut run.environment.as_mut().expect("it is known").sky;
    let of_skypilot = [("skypilot", &*sky.version)];
    let all = of_skypilot.iter().chain(packages);
    let installed = all.map(|(name, version)| ((*name).to_owned(), (*version).to_owned()));
    sky.packages = Some(PythonPackages {
        python: python.to_owned(),
        resolved_as_of: None,
        installed: BTreeMap::from_iter(installed),
    });
}

/// Three runs from a number on, each with the change.
fn three(from: u32, change: impl Fn(&mut Evidence)) -> [Report; 3] {
    [0, 1, 2].map(|number| {
        let mut run = evidence(from + number, 0);
        change(&mut run);
        Report::assemble(&run)
    })
}

/// Formats of a comparison: compact and full text, Markdown and page.
struct Formats {
    compact: String,
    full: String,
    markdown: String,
    page: String,
}

impl Formats {
    fn of(comparison: &Comparison) -> Self {
        let text = |detail| {
            let mut text = Vec::new();
            render_text(comparison, detail, None, &mut text).expect("memory is enough");
            String::from_utf8(text).expect("it is text")
        };
        let mut markdown = Vec::new();
        render_markdown(comparison, &mut markdown).expect("memory is enough");
        Self {
            compact: text(Detail::Compact),
            full: text(Detail::Full),
            markdown: String::from_utf8(markdown).expect("it is text"),
            page: page(comparison, &[Vec::new(), Vec::new()]),
        }
    }

    fn all(&self) -> [&str; 4] {
        [&self.compact, &self.full, &self.markdown, &self.page]
    }
}

fn page(comparison: &Comparison, curves: &[Vec<Curves>; 2]) -> String {
    let mut page = Vec::new();
    render_comparison(comparison, curves, &mut page).expect("memory is enough");
    String::from_utf8(page).expect("it is text")
}

/// Page of three pairs, for the browser: a worse candidate with larger executors, packages that
/// differ, and a run that is left out.
pub(crate) fn page_with_all_parts(packages: usize) -> String {
    let names: Vec<String> = (0..packages).map(|number| format!("package-{number}")).collect();
    let run = |number: u32, role: Role| {
        let (mib, python, version) = match role {
            Role::Base => (0, "3.11.7", "1.0"),
            Role::Candidate => (60, "3.12.1", "1.1"),
        };
        let mut run = evidence(number, mib + u64::from(number % 3));
        let packages: Vec<(&str, &str)> = names.iter().map(|name| (&**name, version)).collect();
        install(&mut run, python, &packages);
        for line in &mut run.profile {
            let ProfileLine::Sample(sample) = line else { continue };
            for class in sample.classes.values_mut() {
                class.rss_sum = ByteSize(class.rss_sum.as_u64() + ByteSize::mib(mib).as_u64());
            }
        }
        run
    };
    let mut base: Vec<Evidence> = (0..4).map(|number| run(number, Role::Base)).collect();
    let candidate: Vec<Evidence> = (4..8).map(|number| run(number, Role::Candidate)).collect();
    base[1].fail_iterations(1);
    base[1].damage.push(MARKUP.to_owned());
    let reports = [&base, &candidate].map(|runs| Vec::from_iter(runs.iter().map(Report::assemble)));
    let curves = [(&base, &reports[0]), (&candidate, &reports[1])].map(|(runs, reports)| {
        let curves = runs
            .iter()
            .zip(reports)
            .filter_map(|(run, report)| Curves::of(report, ChartData::assemble(report, run)));
        curves.collect()
    });
    page(&compare(&reports[0], &reports[1]), &curves)
}

#[test]
fn packages_that_differ_stand_before_the_metrics_without_skypilot_itself() {
    let base = three(0, |run| install(run, "3.11.7", &[("click", "8.1.7"), ("rich", "13")]));
    let candidate = three(3, |run| {
        let environment = run.environment.as_mut().unwrap();
        environment.sky.version = "0.15.0".to_owned();
        environment.server.version = "0.15.0".to_owned();
        install(run, "3.12.1", &[("click", "8.1.8"), ("uv", "1.0"), ("rich", "13")]);
    });
    let comparison = compare(&base, &candidate);
    let packages = comparison.packages.as_ref().expect("both are known");
    let names: Vec<&str> = packages.iter().map(|package| &*package.name).collect();
    assert_eq!(names, ["Python", "click", "uv"]);
    let formats = Formats::of(&comparison);
    for (text, row, metrics) in [
        (&formats.compact, "  click    8.1.7          8.1.8", "DECIDING METRICS"),
        (&formats.markdown, "| click | 8.1.7 | 8.1.8 |", "| metric |"),
        (
            &formats.page,
            "<th scope=\"row\">click</th><td>8.1.7</td><td>8.1.8</td>",
            "id=\"metrics\"",
        ),
    ] {
        let places = [row, metrics].map(|part| text.find(part));
        assert!(places.is_sorted() && places[0].is_some(), "{places:?}: {text}");
    }
    assert!(formats.compact.contains("  uv       not installed  1.0"), "{}", formats.compact);
}

#[test]
fn many_packages_are_counted_and_collapsed() {
    let names: Vec<String> = (10..30).map(|number| format!("package-{number}")).collect();
    let of = |from, version: &str| {
        let packages: Vec<(&str, &str)> = names.iter().map(|name| (&**name, version)).collect();
        three(from, |run| install(run, "3.11.7", &packages))
    };
    let formats = Formats::of(&compare(&of(0, "1"), &of(3, "2")));
    let title = "20 packages differ: package-10, package-11, package-12, package-13, package-14 \
                 and 15 more";
    assert!(formats.compact.contains(&format!("{title} (-v)")), "{}", formats.compact);
    assert!(!formats.compact.contains("package-29"), "{}", formats.compact);
    let collapsed = format!("<details><summary>{title}</summary>");
    assert!(formats.markdown.contains(&collapsed), "{}", formats.markdown);
    for text in [&formats.full, &formats.markdown, &formats.page] {
        assert!(text.contains("package-29"), "{text}");
    }
}

#[test]
fn of_equal_packages_nothing_is_said_and_unknown_ones_are_called_so() {
    let equal = |from| three(from, |run| install(run, "3.11.7", &[("click", "8.1.7")]));
    let comparison = compare(&equal(0), &equal(3));
    assert_eq!(comparison.packages, Some(Vec::new()));
    for text in Formats::of(&comparison).all() {
        assert!(!text.to_lowercase().contains("packages"), "{text}");
    }
    let comparison = compare(&equal(0), &three(3, |_| {}));
    assert_eq!(comparison.packages, None);
    for text in Formats::of(&comparison).all() {
        assert!(text.contains("packages not compared"), "{text}");
    }
}

#[test]
fn other_packages_within_a_version_disturb() {
    let versions = ["8.1.7", "8.1.7", "8.1.8"];
    let base = [0, 1, 2].map(|number| {
        let mut run = evidence(number, 0);
        install(&mut run, "3.11.7", &[("click", versions[number as usize])]);
        Report::assemble(&run)
    });
    let candidate = three(3, |run| install(run, "3.11.7", &[("click", "8.1.7")]));
    let comparison = compare(&base, &candidate);
    let differences: Vec<String> = comparison.disturbances().map(ToString::to_string).collect();
    let [difference] = &differences[..] else { panic!("{differences:#?}") };
    assert!(difference.starts_with("packages of the base: click 8.1.7 in "), "{difference}");
    assert!(difference.contains("click 8.1.8 in "), "{difference}");
}

#[test]
fn a_run_that_is_left_out_is_named_with_its_failures_and_errors() {
    let mut base = [0, 1, 2, 3].map(|number| evidence(number, 0));
    base[1].fail_iterations(2);
    base[1].damage.push("samples.jsonl was changed".to_owned());
    let base = base.map(|run| Report::assemble(&run));
    let candidate = [4, 5, 6, 7].map(|number| Report::assemble(&evidence(number, 0)));
    let comparison = compare(&base, &candidate);
    assert!(comparison.errors.is_empty(), "{:#?}", comparison.errors);
    for text in Formats::of(&comparison).all() {
        let (_, line) = text.split_once("left out of the base: ").expect(text);
        let line = line.lines().next().unwrap_or_default();
        for part in [base[1].run.as_str(), "inconclusive: ", "failed: api:status", "ValueError"] {
            assert!(line.contains(part), "{part}: {line}");
        }
    }
}

#[test]
fn curves_are_those_of_the_compared_runs_without_gaps_in_them() {
    let charts = data(&page_with_all_parts(0))["charts"].clone();
    let series = charts[0]["series"].as_array().expect("a JSON array");
    let names: Vec<&str> = series.iter().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(
        names,
        ["base 1", "base 2", "base 3", "candidate 1", "candidate 2", "candidate 3"],
        "without the run that is left out and its partner"
    );
    for one in series {
        let values = one["values"].as_array().expect("a JSON array");
        assert!(values.len() > 10 && values.iter().all(|value| value.is_number()), "{one}");
    }
}

/// Record of an `ab` whose base and candidate ran as said: pair, role, run, verdict, and whether
/// the run is usable.
fn record(runs: &[(u32, Role, &Report, Verdict, bool)]) -> AbRecord {
    let under_test = |version: &str| VersionUnderTest {
        sky: SkySelection::Version(version.to_owned()),
        version: version.to_owned(),
        commit: None,
        python: None,
    };
    let done = runs.iter().map(|(pair, role, report, verdict, is_usable)| PlacedRun {
        place: Place { pair: Some(*pair), role: *role },
        run: report.run.clone(),
        verdict: *verdict,
        unusable: (!is_usable).then(|| "inconclusive: a sampling gap".to_owned()),
    });
    let warm_ups = Role::ALL.map(|role| PlacedRun {
        place: Place { pair: None, role },
        run: RunId::of_directory(Path::new("warm-up")),
        verdict: Verdict::Pass,
        unusable: None,
    });
    AbRecord {
        version: Version,
        base: under_test("0.14.1"),
        candidate: under_test("0.15.0"),
        pairs: 5,
        max_time: None,
        allows_differences: false,
        runs: "runs".into(),
        request: RequestFile::of(four_users()),
        plan: evidence(0, 0).plan,
        done: warm_ups.into_iter().chain(done).collect(),
    }
}

/// Comparison of an `ab` whose candidate had no usable run at the first place, with those runs.
fn without_a_pair(of_runs: Verdict) -> (Comparison, Vec<Report>) {
    // Scenarios fail in the candidate alone.
    failing_without_a_pair(of_runs, 1)
}

/// Comparison of an `ab` whose candidate had no usable run at the first place, with those runs:
/// scenarios fail from the run of this number on, where the first is that of the base.
fn failing_without_a_pair(of_runs: Verdict, first: u32) -> (Comparison, Vec<Report>) {
    let report = |number: u32| {
        let mut evidence = evidence(number, 0);
        if of_runs == Verdict::ScenarioFailed && number >= first {
            evidence.fail_iterations(4);
        }
        Report::assemble(&evidence)
    };
    let reports: Vec<Report> = (0..4).map(report).collect();
    let [base, attempts @ ..] = &reports[..] else { panic!("there are four") };
    let mut runs = vec![(1, Role::Base, base, Verdict::Pass, true)];
    runs.extend(attempts.iter().map(|run| (1, Role::Candidate, run, of_runs, false)));
    let record = record(&runs);
    let end = EarlyEnd::without_usable_run(&record);
    (Comparison::of_ab(&record, [&[], &[]], &reports, end, &Settings::default()), reports)
}

/// Page of a comparison without a complete pair, for the browser.
pub(crate) fn page_without_a_pair() -> String {
    page(&without_a_pair(Verdict::Inconclusive).0, &[Vec::new(), Vec::new()])
}

#[rstest]
#[case::unusable(Verdict::Inconclusive, ComparisonVerdict::Undecided)]
#[case::failing_each_time(Verdict::ScenarioFailed, ComparisonVerdict::ScenarioFailed)]
fn a_place_without_a_usable_run_is_the_reason_in_every_format(
    #[case] of_runs: Verdict,
    #[case] expected: ComparisonVerdict,
) {
    let (comparison, reports) = without_a_pair(of_runs);
    assert_eq!(comparison.verdict, expected, "{}", comparison.reason());
    for text in Formats::of(&comparison).all() {
        for part in [
            "no usable run of the candidate for pair 1 in 3 attempts",
            "the last one: inconclusive: a sampling gap",
            &format!("left out of the candidate: {}", reports[3].run),
            &format!("left out of the base: {}", reports[0].run),
            "SkyPilot 0.14.1",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

#[test]
fn what_fails_in_the_base_too_does_not_fail_in_the_candidate_alone() {
    let (comparison, _) = failing_without_a_pair(Verdict::ScenarioFailed, 0);
    assert_eq!(comparison.verdict, ComparisonVerdict::Undecided, "{}", comparison.reason());
}

#[test]
fn what_differs_within_the_candidate_is_a_disturbance() {
    let base = three(0, |_| {});
    let mut candidate = three(3, |run| {
        run.plan.sky = SkySelection::Executable("patched/bin/sky".into());
        run.environment.as_mut().expect("it is known").server.consolidation =
            skyload::fact::Fact::No;
    });
    let between = Comparison::assemble(&base, &candidate, &Settings::default());
    assert_eq!(between.disturbances().count(), 0, "{:#?}", between.differences);
    candidate[1].environment.as_mut().expect("it is known").server.consolidation =
        skyload::fact::Fact::Yes;
    let within = Comparison::assemble(&base, &candidate, &Settings::default());
    assert_eq!(within.disturbances().count(), 1, "{:#?}", within.differences);
}

#[test]
fn a_repeated_run_is_left_out_and_max_time_is_named() {
    let reports: Vec<Report> =
        (0..3).map(|number| Report::assemble(&evidence(number, 0))).collect();
    let [first, candidate, again] = &reports[..] else { panic!("there are three") };
    let record = record(&[
        (1, Role::Base, first, Verdict::Inconclusive, false),
        (1, Role::Base, again, Verdict::Pass, true),
        (1, Role::Candidate, candidate, Verdict::Pass, true),
    ]);
    assert_eq!(EarlyEnd::without_usable_run(&record), None);
    let pair = [again, candidate].map(std::slice::from_ref);
    let end = Some(EarlyEnd::MaxTime);
    let comparison = Comparison::of_ab(&record, pair, &reports, end, &Settings::default());
    assert_eq!(comparison.verdict, ComparisonVerdict::Undecided);
    let [excluded] = &comparison.base.excluded[..] else { panic!("{:#?}", comparison.base) };
    assert_eq!(excluded.run, first.run);
    assert!(excluded.reason.ends_with("; repeated"), "{excluded}");
    assert!(comparison.candidate.excluded.is_empty());
    assert!(comparison.reason().ends_with("; no further pair fits into --max-time"));
}

#[test]
fn what_may_be_skypilots_is_no_disturbance_between_selections_of_one_version() {
    let base = three(0, |_| {});
    let candidate = three(3, |run| {
        run.plan.sky = SkySelection::Executable("patched/bin/sky".into());
        run.environment.as_mut().expect("it is known").server.consolidation =
            skyload::fact::Fact::No;
    });
    let comparison = Comparison::assemble(&base, &candidate, &Settings::default());
    assert_eq!(comparison.differences.len(), 1, "{:#?}", comparison.differences);
    assert_eq!(comparison.disturbances().count(), 0);
}
