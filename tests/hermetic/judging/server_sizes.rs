//! Stated size of the server in findings, verdicts and reports.

use std::time::Duration;

use rstest::rstest;
use skyload::analysis::{ChartData, Evidence, Report, Severity, Verdict};
use skyload::class::ProcessClass;
use skyload::comparison::{Comparison, ComparisonVerdict, Reference, Settings};
use skyload::ids::RunId;
use skyload::limits::{CpuLimit, GroupFigures};
use skyload::machine_size::MachineSize;
use skyload::record::events::Event;
use skyload::record::outcome::{Failure, SegmentKind};
use skyload::record::profile::{ClassSample, ProfileLine};
use skyload::record::request::LoadRequest;
use skyload::record::resources::Stage;
use skyload::record::{HeldTo, SizeRecord, Version};
use skyload::render::text::{self, Detail};
use skyload::render::{comparison, html, markdown};
use skyload::units::ByteSize;

use super::changes::{Change, resource_fails};
use super::evidence::{at, four_users, good_run};

const SIZE: MachineSize = MachineSize { cpus: 2, memory: ByteSize::gib(4) };

/// Good run on a server that was held to 2 CPUs and 4 GiB.
pub(super) fn held() -> Evidence {
    let mut run = good_run(&LoadRequest { size: Some("2x4".to_owned()), ..four_users() });
    let figures = GroupFigures {
        peak: Some(ByteSize::gib(3)),
        oom_kills: Some(0),
        limit_hits: Some(7),
        throttled: Some(Duration::from_millis(1_500)),
        cpu_periods: Some(140),
        throttled_periods: Some(20),
        tasks: Some(345),
    };
    let folder = "/sys/fs/cgroup/skyload-1".to_owned();
    let group = HeldTo::Group { folder, cpus: CpuLimit::Cpus(2), figures: Some(figures) };
    run.server_size = Some(SizeRecord { version: Version, size: SIZE, group });
    run
}

/// Time of failures that follow from a kill, in ms after the start of the run.
const AFTER_KILL: u64 = 5_200;

/// Lets the kernel kill the two short executors between 4.9 and 5 s.
pub(super) fn kill_executors(run: &mut Evidence) {
    run.happens(5_000, Event::KilledAtSize { processes: 2, since: at(4_900) });
    for pid in [2, 3] {
        let record = run.record(pid);
        (record.exited, record.signal) = (Some(at(5_050)), Some(9));
    }
}

/// Lets the kernel kill the main process as well.
fn kill_server(run: &mut Evidence) {
    kill_executors(run);
    let record = run.record(1);
    (record.exited, record.signal) = (Some(at(5_050)), Some(9));
    run.happens(5_100, Event::ServerGone);
}

/// Fails two of four iterations at this time, in ms after the start of the run.
fn fail(run: &mut Evidence, millis: u64, error_type: &str, status: Option<u16>) {
    let segment = run.segment();
    (segment.failed, segment.succeeded) = (2, 2);
    for _ in 0..2 {
        let failure = Failure {
            step: "status/get".to_owned(),
            status,
            error_type: error_type.to_owned(),
            message: "it failed".to_owned(),
        };
        segment.tally.add(at(millis), failure, None);
    }
}

fn in_text(report: &Report, detail: Detail) -> String {
    let mut text = Vec::new();
    text::render(report, detail, None, &mut text).expect("memory is enough");
    String::from_utf8(text).expect("it is text")
}

#[test]
fn a_server_that_fits_passes_with_its_counts_in_all_reports() {
    let run = held();
    let report = Report::assemble(&run);
    assert_eq!(report.verdict, Verdict::Pass, "{:#?}", report.findings);
    let full = in_text(&report, Detail::Full);
    for line in [
        "SERVER SIZE\n  size: 2 CPU, 4 GiB; SkyPilot sizes its workers by it\n",
        "  held: by /sys/fs/cgroup/skyload-1, without swap\n",
        "  memory: max 3.00 of 4 GiB, page cache included, 7x at the limit\n",
        "  OOM kills: 0\n",
        "  CPU: at most 2 CPUs; quota used up in 20 of 140 periods, 1.5 s of waiting\n",
        "  tasks: max 345 processes and threads\n",
    ] {
        assert!(full.contains(line), "{full}");
    }
    let compact = in_text(&report, Detail::Compact);
    let line = "SERVER SIZE: 2 CPU, 4 GiB: max 3.00 of 4 GiB, page cache included, 7x at the \
                limit, OOM kills 0\n";
    assert!(compact.contains(line), "{compact}");
    let (mut page, mut comment) = (Vec::new(), Vec::new());
    html::render(&report, &ChartData::assemble(&report, &run), &mut page)
        .expect("memory is enough");
    markdown::render(&report, &mut comment).expect("memory is enough");
    assert!(String::from_utf8_lossy(&page).contains("Server size"));
    assert!(String::from_utf8_lossy(&comment).contains("#### Server size\n\n- size: 2 CPU, 4 GiB"));
}

#[test]
fn killed_processes_are_named_and_their_failures_count_under_the_breach() {
    let mut run = held();
    kill_executors(&mut run);
    fail(&mut run, AFTER_KILL, "BrokenProcessPool", Some(500));
    let report = Report::assemble(&run);
    assert_eq!(report.verdict, Verdict::OverBudget, "{:#?}", report.findings);
    let messages = report.messages(Severity::OverBudget);
    assert_eq!(
        messages,
        [
            "the kernel killed 2 processes at the server's size of 4 GiB: 2x short-executor (pid \
             2, 3); use a larger --size, or fewer users (-n)",
            "api:status: 2 of 4 iterations failed since the kernel killed server processes at the \
             server's size",
        ]
    );
    let size = report.server_size.as_ref().expect("it is on record");
    assert_eq!(size.killed[0].class, ProcessClass::ShortExecutor);
    let text = in_text(&report, Detail::Compact);
    assert!(text.contains("NEXT: cargo xtask load --size 2x8 "), "{text}");
}

#[rstest]
#[case::another_error("ValueError", Some(500))]
#[case::a_timeout("timeout", None)]
#[case::a_connection_of_a_server_that_lives("connection-lost", None)]
fn other_failures_beside_a_kill_fail_their_scenario(
    #[case] error_type: &str,
    #[case] status: Option<u16>,
) {
    let mut run = held();
    kill_executors(&mut run);
    fail(&mut run, AFTER_KILL, "BrokenProcessPool", Some(500));
    fail(&mut run, AFTER_KILL, error_type, status);
    let report = Report::assemble(&run);
    assert_eq!(report.verdict, Verdict::ScenarioFailed, "{:#?}", report.findings);
    assert_eq!(report.messages(Severity::OverBudget).len(), 1, "{:#?}", report.findings);
}

/// Failures in a load that goes on after the kill.
#[rstest]
#[case::all_before(&[4_000], Verdict::ScenarioFailed)]
#[case::some_before(&[4_000, AFTER_KILL], Verdict::ScenarioFailed)]
#[case::some_before_that_were_noted_later(&[AFTER_KILL, 4_000], Verdict::ScenarioFailed)]
#[case::all_after(&[AFTER_KILL, 6_000], Verdict::OverBudget)]
fn only_failures_since_the_first_kill_count_under_the_breach(
    #[case] times: &[u64],
    #[case] verdict: Verdict,
) {
    let mut run = held();
    kill_executors(&mut run);
    for millis in times {
        fail(&mut run, *millis, "BrokenProcessPool", Some(500));
    }
    let report = Report::assemble(&run);
    assert_eq!(report.verdict, verdict, "{:#?}", report.findings);
}

/// Threshold on one stage, which is in addition to that of the scenario.
#[rstest]
#[case::that_follow_from_the_kill("BrokenProcessPool", Verdict::OverBudget, Severity::OverBudget)]
#[case::of_another_kind("ValueError", Verdict::ScenarioFailed, Severity::ScenarioFailed)]
fn an_error_rate_of_failures_that_follow_from_a_kill_counts_under_the_breach(
    #[case] error_type: &str,
    #[case] verdict: Verdict,
    #[case] severity: Severity,
) {
    let mut run = held();
    kill_executors(&mut run);
    fail(&mut run, AFTER_KILL, error_type, Some(500));
    run.segment().kind = SegmentKind::Stage { number: 1, text: "4 for 1m".to_owned() };
    run.thresholds(&["api:status stage 1 error-rate < 1%"]);
    let report = Report::assemble(&run);
    assert_eq!(report.verdict, verdict, "{:#?}", report.findings);
    let messages = report.messages(severity);
    let breach = "api:status stage 1 error-rate: 50%, threshold < 1%";
    assert!(messages.iter().any(|it| it.starts_with(breach)), "{messages:#?}");
}

#[rstest]
#[case::in_a_segment_before_the_kill(4_000, Verdict::ScenarioFailed)]
#[case::in_a_segment_after_it(AFTER_KILL, Verdict::OverBudget)]
fn failures_of_unknown_times_are_those_of_the_start_of_their_segment(
    #[case] began: u64,
    #[case] verdict: Verdict,
) {
    let mut run = held();
    kill_executors(&mut run);
    fail(&mut run, AFTER_KILL, "BrokenProcessPool", Some(500));
    let segment = run.segment();
    segment.began = at(began);
    // As earlier builds recorded failures.
    let mut tally = serde_json::to_value(&segment.tally).expect("it is data");
    tally[0].as_object_mut().expect("it is a kind").remove("first");
    segment.tally = serde_json::from_value(tally).expect("the time is optional");
    assert_eq!(Report::assemble(&run).verdict, verdict);
}

#[rstest]
#[case::before(Some(4_000), Verdict::ScenarioFailed)]
#[case::after(Some(AFTER_KILL), Verdict::OverBudget)]
#[case::at_an_unknown_time(None, Verdict::ScenarioFailed)]
fn a_setup_or_teardown_that_failed_before_the_first_kill_has_failed(
    #[case] millis: Option<u64>,
    #[case] verdict: Verdict,
) {
    let mut run = held();
    kill_executors(&mut run);
    resource_fails(&mut run, Stage::TearDown, "its executor is gone");
    let step = &mut run.resources.as_mut().expect("it was added").steps[0];
    step.ended = millis.map(at);
    step.failure.as_mut().expect("it failed").error_type = "BrokenProcessPool".to_owned();
    assert_eq!(Report::assemble(&run).verdict, verdict);
}

#[test]
fn a_kill_below_the_size_is_no_breach_and_makes_the_run_inconclusive() {
    let mut run = held();
    run.happens(5_000, Event::KilledBelowSize { processes: 2 });
    let report = Report::assemble(&run);
    assert_eq!(report.verdict, Verdict::Inconclusive, "{:#?}", report.findings);
    assert_eq!(
        report.messages(Severity::Inconclusive),
        ["the kernel killed 2 server processes after 5.0 s, with the server below its size of 4 \
             GiB: memory was short on this machine, or in a control group above the server's; use \
             fewer users (-n), a smaller --size, or free memory",]
    );
    let size = report.server_size.as_ref().expect("it is on record");
    assert_eq!((size.kills, size.kills_below_size), (0, 2));
    let text = in_text(&report, Detail::Full);
    assert!(text.contains("  OOM kills: 0; 2 below the size\n"), "{text}");
    fail(&mut run, AFTER_KILL, "BrokenProcessPool", Some(500));
    assert_eq!(Report::assemble(&run).verdict, Verdict::ScenarioFailed);
}

#[rstest]
#[case::with_exit_records(true)]
#[case::without(false)]
fn a_killed_server_is_out_of_memory_and_did_not_crash(#[case] has_records: bool) {
    let mut run = held();
    kill_server(&mut run);
    fail(&mut run, AFTER_KILL, "connect-error", None);
    if !has_records {
        for pid in 1..=3 {
            run.record(pid).signal = None;
        }
    }
    let report = Report::assemble(&run);
    assert_eq!(report.verdict, Verdict::OverBudget, "{:#?}", report.findings);
    let messages = report.messages(Severity::OverBudget).join("\n");
    let killed = "the kernel killed the server's main process after 5.1 s, out of memory";
    assert!(messages.contains(killed), "{messages}");
    let which = if has_records { "1x server" } else { "; only exit records, which need root" };
    assert!(messages.contains(which), "{messages}");
    assert!(!report.findings.iter().any(|found| found.message.contains("the server died")));
}

#[test]
fn a_server_that_dies_beside_a_kill_of_others_has_crashed() {
    let mut run = held();
    kill_executors(&mut run);
    run.happens(5_100, Event::ServerGone);
    let report = Report::assemble(&run);
    let died = report.messages(Severity::Inconclusive).join("\n");
    assert!(died.contains("the server died after 5.1 s"), "{died}");
}

#[rstest]
#[case::nothing(
    HeldTo::Nothing("no control group granted".to_owned()),
    "server sized as 2 CPU, 4 GiB, and not held to it: no control group granted",
)]
#[case::memory_alone(
    HeldTo::Group {
        folder: "/sys/fs/cgroup/x".to_owned(),
        cpus: CpuLimit::None("this machine has 1".to_owned()),
        figures: None,
    },
    "server not held to its 2 CPUs: this machine has 1",
)]
fn what_was_not_held_is_said_and_no_failure(#[case] group: HeldTo, #[case] note: &str) {
    let mut run = held();
    run.server_size = Some(SizeRecord { version: Version, size: SIZE, group });
    let report = Report::assemble(&run);
    assert_eq!(report.verdict, Verdict::Pass);
    assert!(report.messages(Severity::Note).contains(&note), "{:#?}", report.findings);
}

#[rstest]
#[case::that_stay(2, None)]
#[case::that_are_replaced(1, Some("web workers replaced: 1 of 2, at most 1 at a time"))]
fn web_workers_that_were_replaced_are_noted(#[case] concurrent: u32, #[case] note: Option<&str>) {
    let mut run = held();
    for pid in [2, 3] {
        run.record(pid).class = ProcessClass::ServerWorker;
    }
    for line in &mut run.profile {
        let ProfileLine::Sample(sample) = line else { continue };
        if let Some(executors) = sample.classes.remove(&ProcessClass::ShortExecutor) {
            let workers = ClassSample { count: concurrent, ..executors };
            sample.classes.insert(ProcessClass::ServerWorker, workers);
        }
    }
    let report = Report::assemble(&run);
    let notes = report.messages(Severity::Note).join("\n");
    let found = notes.lines().find(|line| line.starts_with("web workers replaced"));
    assert_eq!(found.map(|line| line.split(';').next().unwrap_or_default()), note);
}

/// Three reports, the first of which has this many kills at the server's size.
fn three(from: u32, kills: u64) -> [Report; 3] {
    [(0, kills), (1, 0), (2, 0)].map(|(number, kills)| {
        let mut report = Report::assemble(&held());
        report.run =
            RunId::of_directory(format!("20261128-0800{:02}-00aa", from + number).as_ref());
        report.server_size.as_mut().expect("the server has a size").kills = kills;
        report
    })
}

#[rstest]
#[case::in_neither([0, 0], ComparisonVerdict::Same, "")]
#[case::in_the_candidate([0, 1], ComparisonVerdict::Worse, "only in the candidate the kernel killed \
    processes at the server's size: in 1 of 3 runs")]
#[case::in_both([2, 1], ComparisonVerdict::Same, "killed processes at the server's size in 1 run of \
    the base and 1 run of the candidate: ")]
#[case::in_the_base([2, 0], ComparisonVerdict::Same, "in 1 run of the base and 0 runs of the \
    candidate: ")]
fn kills_that_only_the_candidate_has_are_worse(
    #[case] kills: [u64; 2],
    #[case] verdict: ComparisonVerdict,
    #[case] expected: &str,
) {
    let (base, candidate) = (three(0, kills[0]), three(3, kills[1]));
    let (reference, _) = Reference::assemble(&base).expect("runs of one kind");
    let file = serde_json::to_string(&reference).expect("it is JSON");
    let reference: Reference = serde_json::from_str(&file).expect("it was just written");
    for compared in [
        Comparison::assemble(&base, &candidate, &Settings::default()),
        // Kills are no metric: a reference has them, too.
        Comparison::with_reference(&reference, &candidate, &Settings::default()),
    ] {
        assert_eq!(compared.verdict, verdict, "{}", compared.reason());
        let mut formats = [Vec::new(), Vec::new(), Vec::new()];
        let [text, markdown, page] = &mut formats;
        comparison::render_text(&compared, Detail::Compact, None, text).expect("memory is enough");
        comparison::render_markdown(&compared, markdown).expect("memory is enough");
        let curves = [Vec::new(), Vec::new()];
        html::render_comparison(&compared, &curves, page).expect("memory is enough");
        for format in formats {
            // The page has quotes as entities.
            let format = String::from_utf8(format).expect("it is text").replace("&#39;", "'");
            assert!(format.contains(expected), "{format}");
            assert_eq!(format.contains("the kernel killed"), !expected.is_empty(), "{format}");
        }
    }
}

#[test]
fn kills_are_noted_where_failures_are_the_reason() {
    let mut failing = held();
    fail(&mut failing, 3_000, "ValueError", Some(500));
    let failing = Report::assemble(&failing);
    let candidate = three(3, 1).map(|of| Report {
        run: of.run,
        server_size: of.server_size,
        ..failing.clone()
    });
    let compared = Comparison::assemble(&three(0, 0), &candidate, &Settings::default());
    assert_eq!(compared.verdict, ComparisonVerdict::ScenarioFailed, "{}", compared.reason());
    let mut text = Vec::new();
    comparison::render_text(&compared, Detail::Compact, None, &mut text).expect("memory is enough");
    let text = String::from_utf8(text).expect("it is text");
    let note = "server's size in 0 runs of the base and 1 run of the candidate: ";
    assert!(text.contains(note), "{text}");
}
