//! The report as CI and pull requests show it.

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
use super::evidence::{ALL_ENDED, four_users, good_run, hardly_anything_of_a_run};
use super::page_words::two_iterations;
use super::texts::eventful_run;

/// What a server may call something, or say.
const HOSTILE: &str = "<script>alert(1)</script> | @octocat\n## `x` ::error::y ]]>";

fn markdown_of(evidence: &Evidence) -> String {
    let mut text = Vec::new();
    markdown::render(&Report::assemble(evidence), &mut text).expect("memory takes everything");
    String::from_utf8(text).expect("it is text")
}

/// All but the report as text, which is shown to the terminal's tests.
fn own_parts(markdown: &str) -> &str {
    markdown.split("\n<details><summary>Full report").next().expect("it begins")
}

fn junit_of(evidence: &Evidence) -> (String, quick_junit::Report) {
    let mut text = Vec::new();
    junit::render(&Report::assemble(evidence), &mut text).expect("memory takes everything");
    let text = String::from_utf8(text).expect("it is text");
    let read = quick_junit::Report::deserialize_from_str(&text).expect("it is JUnit's XML");
    (text, read)
}

fn annotations_of(evidence: &Evidence) -> String {
    let mut text = Vec::new();
    github::annotations(&Report::assemble(evidence), &mut text).expect("memory takes everything");
    String::from_utf8(text).expect("it is text")
}

fn nothing(_: &mut Evidence) {}

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

fn cut_off(run: &mut Evidence) {
    run.damage.push("`samples.jsonl` ends in an incomplete line".to_owned());
}

fn without_a_snapshot(run: &mut Evidence) {
    run.limit(ServerMetric::Growth, ByteSize::mib(100));
    run.snapshot(Phase::Baseline).unread = 1;
}

/// The class has no budget, so that nothing is in doubt.
fn unread_without_budget(run: &mut Evidence) {
    run.plan.budgets.clear();
    run.record(3).ending = Ending::Unread { unseen: None };
}

fn failed_setup(run: &mut Evidence) {
    resource_fails(run, Stage::SetUp, HOSTILE);
}

#[rstest]
#[case::nothing(nothing, Verdict::Pass, "")]
#[case::over_budget(over_budget, Verdict::OverBudget, "budgets/short-executor failure")]
#[case::failed_iterations(
    failed_iterations,
    Verdict::ScenarioFailed,
    "scenarios/api:status failure"
)]
#[case::slow(slow, Verdict::ScenarioFailed, "thresholds/api:status p95 failure")]
#[case::interrupted(interrupted, Verdict::Inconclusive, "run/measurements valid error")]
#[case::without_outcome(without_outcome, Verdict::Inconclusive, "scenarios/api:status error")]
#[case::cut_off(cut_off, Verdict::Inconclusive, "run/measurements valid error")]
#[case::unmeasured(without_a_snapshot, Verdict::Inconclusive, "budgets/growth error")]
#[case::unread(unread_without_budget, Verdict::Pass, "")]
#[case::failed_setup(failed_setup, Verdict::ScenarioFailed, "run/setup and teardown failure")]
fn test_cases_fail_exactly_where_the_verdict_says_so(
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
    let first = markdown_of(&run).lines().next().map(str::to_owned).expect("it has lines");
    assert!(first.contains(sign), "{first}");
    assert_eq!(annotations_of(&run).is_empty(), verdict == Verdict::Pass);
}

#[test]
fn a_case_that_had_nothing_to_be_tried_on_is_skipped_and_says_so() {
    let (text, read) = junit_of(&good_run(&four_users()));
    assert_eq!(read.test_suites[0].skipped, 2, "{text}");
    assert!(text.contains(r#"<skipped message="no process of this class ran"/>"#), "{text}");
}

#[test]
fn a_failed_case_has_its_figures_and_what_to_do() {
    let mut run = good_run(&four_users());
    over_budget(&mut run);
    let (text, _) = junit_of(&run);
    assert!(text.contains(r#"message="short-executor: 180.0 MiB, budget 100.0 MiB (configured)""#));
    assert!(text.contains("hint: see `cargo xtask report 20261124"), "{text}");
    assert!(text.contains("measured 180.0 MiB, budget 100.0 MiB (configured)"), "{text}");
}

#[test]
fn a_pull_request_is_told_the_verdict_first_then_budgets_and_scenarios() {
    insta::assert_snapshot!(own_parts(&markdown_of(&eventful_run())));
}

#[rstest]
#[case::restarted(true, "first iteration (cold) / last (warm).")]
#[case::remote(false, "first / last iteration.")]
fn executors_are_called_cold_only_where_the_server_was_restarted(
    #[case] restarted: bool,
    #[case] words: &str,
) {
    let markdown = markdown_of(&two_iterations(restarted));
    assert!(markdown.contains(&format!("in seconds: {words}\n")), "{markdown}");
}

#[test]
fn a_pull_request_is_told_what_the_way_of_reading_peaks_leaves_in_the_dark() {
    let mut run = good_run(&four_users());
    let Some(ProfileLine::Header(header)) = run.profile.first_mut() else { panic!("a header") };
    (header.level, header.kernel_events) = (ProfilerLevel::HighWaterMark, false);
    let words = "- peaks: VmHWM, read at each sample; processes between two samples";
    assert!(own_parts(&markdown_of(&run)).contains(words));
}

#[test]
fn a_pass_says_so_in_its_first_line() {
    insta::assert_snapshot!(own_parts(&markdown_of(&good_run(&four_users()))));
}

#[test]
fn a_run_of_which_hardly_anything_is_left_is_rendered_all_the_same() {
    let run = hardly_anything_of_a_run();
    let markdown = markdown_of(&run);
    assert!(markdown.starts_with("⚠️ **INCONCLUSIVE**: "), "{markdown}");
    assert!(markdown.contains("the run ended early"), "{markdown}");
    assert!(junit_of(&run).1.errors > 0);
}

#[test]
fn the_text_report_is_folded_in_whole() {
    let markdown = markdown_of(&good_run(&four_users()));
    assert!(markdown.contains("<pre>====="), "{markdown}");
    assert!(markdown.contains("\nVERDICT: PASS (exit code 0): all budgets met, no failed iterations, measurements valid\nNEXT: "), "{markdown}");
    assert!(markdown.ends_with("\n</pre>\n\n</details>\n"), "{markdown}");
}

#[test]
fn what_a_server_says_does_nothing_in_a_pull_request() {
    let mut run = good_run(&four_users());
    failed_setup(&mut run);
    run.fail_iterations(1);
    let example = run.segment().tally.kinds()[0].example.clone();
    run.segment().tally.add(
        Failure { message: HOSTILE.to_owned(), error_type: HOSTILE.to_owned(), ..example },
        Some(HOSTILE),
    );
    let environment = run.environment.as_mut().expect("it is good");
    environment.sky.version = HOSTILE.to_owned();
    environment.server.version = HOSTILE.to_owned();
    run.happens(ALL_ENDED, Event::LeakedProcesses(vec![HOSTILE.to_owned()]));
    let markdown = markdown_of(&run);
    assert!(!markdown.contains("<script"), "{markdown}");
    assert!(!own_parts(&markdown).contains("@octocat"), "{markdown}");
    assert!(!own_parts(&markdown).lines().any(|line| line.starts_with("## ")), "{markdown}");
    let cells = |line: &&str| line.matches(" | ").count() + 2;
    let tables = own_parts(&markdown).lines().filter(|line| line.starts_with("| "));
    assert!(tables.clone().all(|line| [6, 8].contains(&(cells(&line)))), "{markdown}");
    let (text, _) = junit_of(&run);
    assert!(!text.contains("<script"), "{text}");
}

#[test]
fn what_a_server_says_is_no_command_to_github_in_the_text_either() {
    let mut run = good_run(&four_users());
    failed_setup(&mut run);
    let example = Failure {
        step: "status".to_owned(),
        status: Some(500),
        error_type: "ValueError".to_owned(),
        message: "a\n::error::b\r::add-mask::c".to_owned(),
    };
    run.segment().tally.add(example, None);
    let mut text = Vec::new();
    for detail in [Detail::Compact, Detail::Full] {
        text::render(&Report::assemble(&run), detail, None, &mut text).expect("memory is enough");
    }
    let text = String::from_utf8(text).expect("it is text");
    assert!(text.contains("a ::error::b ::add-mask::c"), "{text}");
    assert!(!text.split(['\n', '\r']).any(|line| line.trim_start().starts_with("::")), "{text}");
}

#[test]
fn annotations_name_what_they_are_about_and_cannot_be_forged() {
    let mut run = good_run(&four_users());
    over_budget(&mut run);
    failed_setup(&mut run);
    cut_off(&mut run);
    let annotations = annotations_of(&run);
    let lines: Vec<&str> = annotations.lines().collect();
    let [setup, budget, doubt] = lines[..] else { panic!("one line each: {annotations}") };
    assert!(setup.starts_with("::error title=skyload%3A FAILED::setup of a cluster"), "{setup}");
    assert!(setup.contains("@octocat%0A## `x` ::error::y"), "{setup}");
    assert_eq!(
        budget,
        "::error title=skyload%3A OVER BUDGET%2C short-executor::short-executor: 180.0 MiB, \
         budget 100.0 MiB (configured)"
    );
    assert!(doubt.starts_with("::warning title=skyload%3A INCONCLUSIVE::"), "{doubt}");
}

#[test]
fn notes_are_no_annotations() {
    let mut run = good_run(&four_users());
    unread_without_budget(&mut run);
    assert!(!Report::assemble(&run).messages(Severity::Note).is_empty());
    assert_eq!(annotations_of(&run), "");
}

#[test]
fn a_case_counts_what_the_client_could_not_do() {
    let mut run = good_run(&four_users());
    run.client_fails(2);
    let (text, _) = junit_of(&run);
    assert!(text.contains("2 iterations, 0 failed, 2 more that the load generator"), "{text}");
}
