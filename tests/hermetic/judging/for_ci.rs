//! Reports for CI and pull requests: Markdown, JUnit, and annotations of GitHub.

use rstest::rstest;
use skyload::analysis::{Evidence, Report, Severity, Verdict};
use skyload::class::ProcessClass;
use skyload::metric::{Metric, ServerMetric};
use skyload::record::events::{Event, StopReason};
use skyload::record::outcome::Failure;
use skyload::record::profile::{Ending, Phase, ProfileLine, ProfilerLevel};
use skyload::record::resources::Stage;
use skyload::render::text::Detail;
use skyload::render::{github, junit, markdown, text};
use skyload::scenario::ScenarioId;
use skyload::units::ByteSize;

use super::changes::{Change, resource_fails, slow};
use super::evidence::{ALL_ENDED, LOAD_BEGAN, at, four_users, good_run, run_with_only_a_plan};
use super::page_texts::two_iterations;
use super::shapes::with_warm_up;
use super::texts::eventful_run;

/// Text from a server with markup of HTML, Markdown, GitHub's commands and XML.
const HOSTILE: &str = "<script>alert(1)</script> | @octocat\n## `x` ::error::y ]]>";

fn markdown_of(evidence: &Evidence) -> String {
    let mut text = Vec::new();
    markdown::render(&Report::assemble(evidence), &mut text)
        .expect("writing to memory cannot fail");
    String::from_utf8(text).expect("output is UTF-8")
}

/// Markdown report without the folded text report, which `texts.rs` tests.
fn own_parts(markdown: &str) -> &str {
    markdown.split("\n<details><summary>Full report").next().expect("the report has a first part")
}

fn junit_of(evidence: &Evidence) -> (String, quick_junit::Report) {
    let mut text = Vec::new();
    junit::render(&Report::assemble(evidence), &mut text).expect("writing to memory cannot fail");
    let text = String::from_utf8(text).expect("output is UTF-8");
    let read = quick_junit::Report::deserialize_from_str(&text).expect("valid JUnit XML");
    (text, read)
}

fn annotations_of(evidence: &Evidence) -> String {
    let mut text = Vec::new();
    github::annotations(&Report::assemble(evidence), &mut text)
        .expect("writing to memory cannot fail");
    String::from_utf8(text).expect("output is UTF-8")
}

fn no_change(_: &mut Evidence) {}

fn over_budget(run: &mut Evidence) {
    run.limit(Metric::max_peak(ProcessClass::ShortExecutor), ByteSize::mib(100));
}

fn failed_iterations(run: &mut Evidence) {
    run.fail_iterations(1);
}

fn interrupted(run: &mut Evidence) {
    run.happens(6_000, Event::LoadStopped(StopReason::Interrupted));
}

fn without_outcome(run: &mut Evidence) {
    run.outcomes.remove(&ScenarioId::ApiStatus);
}

fn incomplete_file(run: &mut Evidence) {
    run.damage.push("`samples.jsonl` ends in an incomplete line".to_owned());
}

fn without_a_snapshot(run: &mut Evidence) {
    run.limit(ServerMetric::Growth, ByteSize::mib(100));
    run.snapshot(Phase::Baseline).unread = 1;
}

/// Adds an unread exit in a class without a budget, which does not affect the verdict.
fn unread_without_budget(run: &mut Evidence) {
    run.plan.budgets.clear();
    run.record(3).ending = Ending::Unread { unseen: None };
}

fn failed_setup(run: &mut Evidence) {
    resource_fails(run, Stage::SetUp, HOSTILE);
}

#[rstest]
#[case::no_change(no_change, Verdict::Pass, "")]
#[case::over_budget(over_budget, Verdict::OverBudget, "budgets/short-executor failure")]
#[case::failed_iterations(
    failed_iterations,
    Verdict::ScenarioFailed,
    "scenarios/api:status failure"
)]
#[case::slow(slow, Verdict::ScenarioFailed, "thresholds/api:status p95 <= 50ms failure")]
#[case::interrupted(interrupted, Verdict::Inconclusive, "run/measurements valid error")]
#[case::without_outcome(without_outcome, Verdict::Inconclusive, "scenarios/api:status error")]
#[case::incomplete_file(incomplete_file, Verdict::Inconclusive, "run/measurements valid error")]
#[case::unmeasured(without_a_snapshot, Verdict::Inconclusive, "budgets/growth error")]
#[case::unread(unread_without_budget, Verdict::Pass, "")]
#[case::failed_setup(failed_setup, Verdict::ScenarioFailed, "run/setup and teardown failure")]
fn junit_cases_fail_in_accordance_with_the_verdict(
    #[case] change: impl Fn(&mut Evidence),
    #[case] verdict: Verdict,
    #[case] expected: &str,
) {
    let mut run = good_run(&four_users());
    change(&mut run);
    assert_eq!(Report::assemble(&run).verdict, verdict);
    let (text, read) = junit_of(&run);
    let bad: Vec<String> = read
        .test_suites
        .iter()
        .flat_map(|suite| suite.test_cases.iter().map(move |case| (suite, case)))
        .filter_map(|(suite, case)| match &case.status {
            quick_junit::TestCaseStatus::NonSuccess { kind, .. } => {
                let kind = format!("{kind:?}").to_lowercase();
                Some(format!("{}/{} {kind}", suite.name.as_str(), case.name.as_str()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(bad.join(", "), expected, "{text}");
    let sign = if verdict == Verdict::Pass { "✅ **PASS**" } else { verdict.name() };
    let first = markdown_of(&run).lines().next().map(str::to_owned).expect("the report has lines");
    assert!(first.contains(sign), "{first}");
    assert_eq!(annotations_of(&run).is_empty(), verdict == Verdict::Pass);
}

#[test]
fn the_junit_case_of_a_skipped_budget_has_the_reason() {
    let (text, read) = junit_of(&good_run(&four_users()));
    assert_eq!(read.test_suites[0].skipped, 2, "{text}");
    assert!(text.contains(r#"<skipped message="no process of this class ran"/>"#), "{text}");
}

#[test]
fn a_failed_junit_case_has_figures_and_a_hint() {
    let mut run = good_run(&four_users());
    over_budget(&mut run);
    let (text, _) = junit_of(&run);
    assert!(text.contains(r#"message="short-executor: 180.0 MiB, budget 100.0 MiB (configured)""#));
    assert!(text.contains("hint: `cargo xtask report 20261124"), "{text}");
    assert!(text.contains("measured 180.0 MiB, budget 100.0 MiB (configured)"), "{text}");
}

#[test]
fn markdown_has_the_verdict_before_budgets_and_scenarios() {
    insta::assert_snapshot!(own_parts(&markdown_of(&eventful_run())));
}

#[rstest]
#[case::restarted(true, "first iteration (cold) / last (warm).")]
#[case::remote(false, "first / last iteration.")]
fn iterations_are_called_cold_only_after_a_restart_of_the_server(
    #[case] restarted: bool,
    #[case] legend: &str,
) {
    let markdown = markdown_of(&two_iterations(restarted));
    assert!(markdown.contains(&format!("in seconds: {legend}\n")), "{markdown}");
}

#[test]
fn markdown_has_the_limitations_of_reading_peaks() {
    let mut run = good_run(&four_users());
    let Some(ProfileLine::Header(header)) = run.profile.first_mut() else { panic!("a header") };
    (header.level, header.kernel_events) = (ProfilerLevel::HighWaterMark, false);
    let line = "- peaks: VmHWM, read at each sample; processes between two samples";
    assert!(own_parts(&markdown_of(&run)).contains(line));
}

#[test]
fn markdown_of_a_pass_begins_with_the_verdict() {
    insta::assert_snapshot!(own_parts(&markdown_of(&good_run(&four_users()))));
}

#[test]
fn a_run_with_only_a_plan_is_rendered() {
    let run = run_with_only_a_plan();
    let markdown = markdown_of(&run);
    assert!(markdown.starts_with("⚠️ **INCONCLUSIVE**: "), "{markdown}");
    assert!(markdown.contains("the run ended early"), "{markdown}");
    assert!(junit_of(&run).1.errors > 0);
}

#[test]
fn markdown_has_the_folded_text_report() {
    let markdown = markdown_of(&good_run(&four_users()));
    assert!(markdown.contains("<pre>====="), "{markdown}");
    assert!(markdown.contains("\nVERDICT: PASS (exit code 0): all budgets met, no failed iterations, measurements valid\nNEXT: "), "{markdown}");
    assert!(markdown.ends_with("\n</pre>\n\n</details>\n"), "{markdown}");
}

#[test]
fn text_from_a_server_is_escaped_in_markdown_and_junit() {
    let mut run = good_run(&four_users());
    failed_setup(&mut run);
    run.fail_iterations(1);
    let example = run.segment().tally.kinds()[0].example.clone();
    run.segment().tally.add(
        at(LOAD_BEGAN),
        Failure { message: HOSTILE.to_owned(), error_type: HOSTILE.to_owned(), ..example },
        Some(HOSTILE),
    );
    let environment = run.environment.as_mut().expect("a good run has one");
    environment.sky.version = HOSTILE.to_owned();
    environment.server.version = HOSTILE.to_owned();
    run.happens(ALL_ENDED, Event::LeakedProcesses(vec![HOSTILE.to_owned()]));
    let markdown = markdown_of(&run);
    assert!(!markdown.contains("<script"), "{markdown}");
    assert!(!own_parts(&markdown).contains("@octocat"), "{markdown}");
    assert!(!own_parts(&markdown).lines().any(|line| line.starts_with("## ")), "{markdown}");
    let cells = |line: &&str| line.matches(" | ").count() + 2;
    let tables = own_parts(&markdown).lines().filter(|line| line.starts_with("| "));
    assert!(tables.clone().all(|line| [6, 9].contains(&(cells(&line)))), "{markdown}");
    let (text, _) = junit_of(&run);
    assert!(!text.contains("<script"), "{text}");
}

#[test]
fn text_from_a_server_is_no_github_command_in_the_text_report() {
    let mut run = good_run(&four_users());
    failed_setup(&mut run);
    let example = Failure {
        step: "status".to_owned(),
        status: Some(500),
        error_type: "ValueError".to_owned(),
        message: "a\n::error::b\r::add-mask::c".to_owned(),
    };
    run.segment().tally.add(at(LOAD_BEGAN), example, None);
    let mut text = Vec::new();
    for detail in [Detail::Compact, Detail::Full] {
        text::render(&Report::assemble(&run), detail, None, &mut text)
            .expect("writing to memory cannot fail");
    }
    let text = String::from_utf8(text).expect("output is UTF-8");
    assert!(text.contains("a ::error::b ::add-mask::c"), "{text}");
    assert!(!text.split(['\n', '\r']).any(|line| line.trim_start().starts_with("::")), "{text}");
}

#[test]
fn annotations_name_their_subject_and_cannot_be_forged() {
    let mut run = good_run(&four_users());
    over_budget(&mut run);
    failed_setup(&mut run);
    incomplete_file(&mut run);
    let annotations = annotations_of(&run);
    let lines: Vec<&str> = annotations.lines().collect();
    let [setup, budget, damage] = lines[..] else { panic!("one line each: {annotations}") };
    assert!(setup.starts_with("::error title=skyload%3A FAILED::setup of a cluster"), "{setup}");
    assert!(setup.contains("@octocat%0A## `x` ::error::y"), "{setup}");
    assert_eq!(
        budget,
        "::error title=skyload%3A OVER BUDGET%2C short-executor::short-executor: 180.0 MiB, \
         budget 100.0 MiB (configured)"
    );
    assert!(damage.starts_with("::warning title=skyload%3A INCONCLUSIVE::"), "{damage}");
}

#[test]
fn notes_have_no_annotations() {
    let mut run = good_run(&four_users());
    unread_without_budget(&mut run);
    assert!(!Report::assemble(&run).messages(Severity::Note).is_empty());
    assert_eq!(annotations_of(&run), "");
}

#[test]
fn a_junit_case_counts_iterations_that_the_load_generator_could_not_finish() {
    let mut run = good_run(&four_users());
    run.load_generator_fails(2);
    let (text, _) = junit_of(&run);
    assert!(text.contains("2 iterations, 0 failed, 2 more failed in the load generator"), "{text}");
}

#[test]
fn a_breached_rate_is_not_shown_as_its_limit() {
    let mut run = good_run(&four_users());
    run.thresholds(&["api:status throughput >= 1/s"]);
    // Four iterations in this time are 0.96 in a second.
    run.segment().ended = at(LOAD_BEGAN + 4_167);
    for text in [markdown_of(&run), junit_of(&run).0, annotations_of(&run)] {
        assert!(text.contains("0.96/s") && !text.contains("1.0/s"), "{text}");
    }
}

#[rstest]
#[case::timed(with_warm_up(), &["warm-up: p50", "4 for 1m: p50"])]
#[case::cold_and_warm(two_iterations(true), &["cold: p50", "warm: p50"])]
#[case::single(good_run(&four_users()), &["all: p50"])]
fn the_junit_case_of_a_scenario_names_its_segments(#[case] run: Evidence, #[case] names: &[&str]) {
    let (text, _) = junit_of(&run);
    assert!(names.iter().all(|name| text.contains(name)), "{text}");
    assert!(!text.contains("iteration 1"), "{text}");
}

#[test]
fn each_threshold_is_a_junit_case_and_a_row_in_markdown() {
    let mut run = good_run(&four_users());
    run.thresholds(&[
        "api:status p95 < 1s",
        "api:status p95 < 1m",
        "api:status step status/get p99 <= 1s",
        "api:status error-rate <= 10%",
    ]);
    run.fail_iterations(1);
    let (text, read) = junit_of(&run);
    let suite = read.test_suites.iter().find(|suite| suite.name.as_str() == "thresholds");
    let cases = &suite.expect("there are thresholds").test_cases;
    let name = |case: &quick_junit::TestCase| case.name.as_str().to_owned();
    let of_status = |wanted: fn(&quick_junit::TestCaseStatus) -> bool| -> Vec<String> {
        cases.iter().filter(|case| wanted(&case.status)).map(name).collect()
    };
    use quick_junit::TestCaseStatus::{NonSuccess, Skipped, Success};
    let failed = of_status(|status| matches!(status, NonSuccess { .. }));
    assert_eq!(failed, ["api:status p95 < 1s", "api:status error-rate <= 10%"], "{text}");
    assert_eq!(of_status(|status| matches!(status, Success { .. })), ["api:status p95 < 1m"]);
    let skipped = of_status(|status| matches!(status, Skipped { .. }));
    assert_eq!(skipped, ["api:status step status/get p99 <= 1s"]);
    assert!(text.contains(r#"<skipped message="no iteration got to the step"/>"#), "{text}");
    assert!(text.contains("1 of 4 iterations failed"), "{text}");
    let markdown = markdown_of(&run);
    assert!(markdown.contains("| api:status p95 &#60; 1m | 4.002 s | ok |"), "{markdown}");
}
