//! Recommended constants from made-up runs.

use skyload::analysis::{Evidence, Report, Severity, Verdict};
use skyload::class::ProcessClass;
use skyload::infrastructure::{Infrastructure, LocalInfra};
use skyload::machine_size::MachineSize;
use skyload::metric::{Metric, ServerMetric};
use skyload::recommend::{
    Advice, Caution, Constant, Counted, Effects, MachineEffect, Mode, RecommendError,
    Recommendation, Support, Workers, text,
};
use skyload::record::environment::{
    Environment, HugePages, MemorySettings, RecordedEnvironment, ServerEnvironment,
};
use skyload::record::events::{Event, StopReason};
use skyload::record::nodes::NodeFigures;
use skyload::record::profile::Ending;
use skyload::record::request::LoadRequest;
use skyload::units::{ByteSize, gib};

use super::changes::{Change, never_read};
use super::evidence::{LOAD_ENDED, four_users, good_run};

/// Passed run with this name: a server of 200 MiB, short executors of at most 180 MiB.
fn run(name: &str) -> Evidence {
    let mut run = good_run(&four_users());
    run.run = skyload::ids::RunId::of_directory(name.as_ref());
    run
}

fn environment(run: &mut Evidence) -> &mut Environment {
    run.environment.as_mut().expect("a test knows its own data")
}

/// Passed run with a record of variables that affect the server's memory.
fn with_memory(name: &str, variables: &[(&str, &str)]) -> Evidence {
    let mut run = run(name);
    let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let memory = MemorySettings { variables: owned.collect(), huge_pages: HugePages::Unknown };
    environment(&mut run).server_environment = ServerEnvironment::Recorded(RecordedEnvironment {
        passed_on: Vec::new(),
        left_out: Vec::new(),
        memory,
    });
    run
}

#[test]
fn runs_with_different_memory_settings_support_no_common_constants() {
    let runs = [with_memory("a", &[]), run("b"), with_memory("c", &[("MALLOC_ARENA_MAX", "1")])];
    let error = recommend(&runs).expect_err("settings differ").to_string();
    assert!(error.contains("a and c"), "{error}");
    assert!(error.contains("MALLOC_ARENA_MAX is unset and `1`"), "{error}");
    assert!(recommend(&runs[..2]).is_ok(), "a run without a record is not compared");
}

#[test]
fn memory_settings_of_all_runs_are_shown_with_the_constants() {
    let runs = [with_memory("a", &[("MALLOC_ARENA_MAX", "1")])];
    let text = rendered(&recommend(&runs).expect("the run is usable"));
    assert!(text.contains("MALLOC_ARENA_MAX=1"), "{text}");
    let plain = rendered(&recommend(&[with_memory("a", &[])]).expect("the run is usable"));
    assert!(!plain.contains("CAUTION, all"), "{plain}");
}

fn recommend(runs: &[Evidence]) -> Result<Recommendation, RecommendError> {
    let reports: Vec<Report> = runs.iter().map(Report::assemble).collect();
    Recommendation::assemble(&reports)
}

fn advice(runs: &[Evidence], constant: Constant) -> Advice {
    let recommended = recommend(runs).expect("the runs are usable");
    let mut constants = recommended.constants.into_iter();
    constants.find(|advice| advice.constant == constant).expect("each constant has its advice")
}

#[test]
fn a_peak_of_a_process_with_pages_in_swap_is_a_lower_bound() {
    let mut swapped = run("a");
    swapped.record(3).swapped = Some(ByteSize::mib(40));
    swapped.plan.budgets.clear();
    let recommendation = recommend(&[swapped]).expect("the run is usable");
    let short = recommendation.constants.iter().find(|advice| advice.constant == Constant::Short);
    assert_eq!(short.expect("each constant has its advice").support, Support::Unbounded);
    assert!(rendered(&recommendation).contains(">=180.0 (2), left out"));
}

#[test]
fn the_largest_peak_of_all_runs_counts_with_a_quarter_on_top() {
    let mut larger = run("b");
    larger.record(2).peak = Some(ByteSize::mib(250));
    let short = advice(&[run("a"), larger, run("c")], Constant::Short);
    let (peak, recommended) = (ByteSize::mib(250), gib(0.35));
    assert_eq!(short.support, Support::Supported { peak, recommended });
    assert_eq!(short.current, Some(gib(0.3)));
    let peaks: Vec<&str> = short.peaks.iter().map(|seen| seen.run.as_str()).collect();
    assert_eq!(peaks, ["a", "b", "c"], "the evidence is shown");
    assert_eq!(short.cautions, [], "the value is raised, and from several runs");
}

#[test]
fn a_budget_that_was_exceeded_is_evidence() {
    let mut over = run("a");
    over.record(3).peak = Some(ByteSize::gib(1));
    let recommendation = recommend(std::slice::from_ref(&over)).expect("the run is usable");
    assert_eq!(recommendation.runs[0].verdict, Verdict::OverBudget);
    assert_eq!(advice(&[over], Constant::Short).recommended(), Some(gib(1.25)));
}

#[test]
fn a_failed_scenario_is_marked_and_its_peaks_count() {
    let mut failed = run("a");
    failed.fail_iterations(1);
    let recommendation = recommend(&[failed]).expect("the run is usable");
    assert_eq!(recommendation.runs[0].verdict, Verdict::ScenarioFailed);
    assert!(rendered(&recommendation).contains("SCENARIO FAILED (load incomplete)"));
    assert!(recommendation.is_usable());
}

#[test]
fn an_inconclusive_run_is_an_error_with_its_findings() {
    let mut interrupted = run("b");
    interrupted.happens(LOAD_ENDED - 1, Event::LoadStopped(StopReason::Interrupted));
    let error = recommend(&[run("a"), interrupted]).expect_err("b is unusable").to_string();
    assert!(error.starts_with("run b is inconclusive: interrupted after"), "{error}");
}

#[test]
fn a_graver_verdict_does_not_hide_invalid_measurements() {
    let mut interrupted_over_budget = run("b");
    interrupted_over_budget.record(3).peak = Some(ByteSize::gib(1));
    interrupted_over_budget.happens(LOAD_ENDED - 1, Event::LoadStopped(StopReason::Interrupted));
    let mut failed_unseen = run("b");
    failed_unseen.fail_iterations(1);
    failed_unseen.silence(5_000, 8_000);
    for (run, verdict, message) in [
        (interrupted_over_budget, Verdict::OverBudget, "run b is inconclusive: interrupted after"),
        (failed_unseen, Verdict::ScenarioFailed, "run b is inconclusive: sampling gap"),
    ] {
        assert_eq!(Report::assemble(&run).verdict, verdict);
        let error = recommend(&[run]).expect_err("the run is unusable").to_string();
        assert!(error.starts_with(message), "{error}");
    }
}

#[test]
fn a_lower_bound_of_a_run_over_budget_counts_by_its_estimated_maximum() {
    let mut over = with_an_unread_exit("a", Some(100));
    over.limit(Metric::max_peak(ProcessClass::ShortExecutor), ByteSize::mib(185));
    over.limit(ServerMetric::TreeRss, ByteSize::mib(1));
    let report = Report::assemble(&over);
    assert_eq!(report.verdict, Verdict::OverBudget);
    assert!(!report.messages(Severity::Inconclusive).is_empty());
    let short = advice(&[over], Constant::Short);
    assert!(short.cautions.contains(&Caution::Estimated), "{short:?}");
}

#[test]
fn a_server_of_another_version_than_its_client_is_an_error() {
    let remote = LoadRequest { server: Some("http://127.0.0.1:1".to_owned()), ..four_users() };
    let mut other = good_run(&remote);
    environment(&mut other).server.version = "0.12.0".to_owned();
    let error = recommend(&[other]).expect_err("versions differ").to_string();
    assert!(error.contains("server is SkyPilot 0.12.0, client is 0.14.1"), "{error}");
}

#[test]
fn runs_of_two_versions_are_an_error_that_names_both() {
    let mut other = run("b");
    environment(&mut other).sky.version = "0.12.0".to_owned();
    environment(&mut other).server.version = "0.12.0".to_owned();
    let error = recommend(&[run("a"), other]).expect_err("versions differ").to_string();
    assert!(error.contains("a with 0.14.1 and b with 0.12.0"), "{error}");
}

#[test]
fn runs_of_two_commits_of_one_version_are_an_error() {
    let mut other = run("b");
    environment(&mut other).sky.commit = Some("7e59".to_owned());
    assert!(matches!(recommend(&[run("a"), other]), Err(RecommendError::DifferentVersions(..))));
}

/// Run in which a short executor exited without a final reading. `growth`: the fastest growth of
/// its peak, in MiB per second.
fn with_an_unread_exit(name: &str, growth: Option<u64>) -> Evidence {
    let mut run = run(name);
    for pid in [2, 3] {
        run.record(pid).fastest_growth = growth.map(ByteSize::mib);
    }
    let unseen = Some(std::time::Duration::from_millis(100));
    run.record(3).ending = Ending::Unread { unseen };
    // With an automatic budget the run would be inconclusive.
    run.plan.budgets.clear();
    run
}

#[test]
fn a_lower_bound_counts_by_its_estimated_maximum_and_is_marked() {
    let runs = [with_an_unread_exit("a", Some(400))];
    let short = advice(&runs, Constant::Short);
    let (peak, recommended) = (ByteSize::mib(220), gib(0.3));
    assert_eq!(short.support, Support::Supported { peak, recommended });
    assert_eq!(short.peaks[0].counted, Counted::AtMost(peak));
    assert!(short.cautions.contains(&Caution::Estimated), "{short:?}");
    let text = rendered(&recommend(&runs).expect("the run is usable"));
    assert!(text.contains(">=180.0 (2), at most 220.0"), "{text}");
}

#[test]
fn a_lower_bound_without_an_estimated_maximum_is_left_out_and_marked() {
    let runs = [with_an_unread_exit("a", None)];
    assert_eq!(advice(&runs, Constant::Short).support, Support::Unbounded);
    let recommendation = recommend(&runs).expect("the run is usable");
    assert!(recommendation.is_usable(), "the server's peak is exact");
    assert!(!recommendation.values().contains_key(&Constant::Short));
    assert!(rendered(&recommendation).contains(">=180.0 (2), left out"));
}

#[test]
fn a_lower_bound_is_replaced_only_by_a_higher_exact_peak_of_another_run() {
    let unknown = || with_an_unread_exit("a", None);
    let mut higher = run("b");
    higher.record(2).peak = Some(ByteSize::mib(181));
    let short = advice(&[unknown(), higher], Constant::Short);
    assert!(matches!(short.support, Support::Supported { .. }), "{short:?}");
    assert!(short.cautions.contains(&Caution::OneRun), "one run's peak counts: {short:?}");
    assert!(short.cautions.contains(&Caution::LeftOut), "the other one's does not: {short:?}");
    let mut lower = run("b");
    lower.record(3).peak = Some(ByteSize::mib(179));
    assert_eq!(advice(&[unknown(), lower], Constant::Short).support, Support::Unbounded);
}

#[test]
fn a_class_of_unread_processes_is_unbounded_and_not_absent() {
    let mut unread = run("a");
    never_read(&mut unread);
    unread.plan.budgets.clear();
    assert_eq!(advice(&[unread.clone()], Constant::Short).support, Support::Unbounded);
    let text = rendered(&recommend(&[unread]).expect("the run is usable"));
    assert!(text.contains("not read (2), left out"), "{text}");
}

#[test]
fn a_class_without_processes_has_no_recommendation() {
    let long = advice(&[run("a")], Constant::Long);
    assert_eq!((long.support, long.recommended()), (Support::NotTried, None));
}

#[test]
fn web_workers_and_the_servers_main_process_share_a_constant() {
    let mut deployed = run("a");
    deployed.record(3).class = ProcessClass::ServerWorker;
    deployed.record(3).peak = Some(ByteSize::mib(300));
    let server = advice(&[deployed], Constant::Server);
    assert_eq!((server.peaks.len(), server.recommended()), (2, Some(gib(0.4))));
}

fn with_a_cloud(mut run: Evidence) -> Evidence {
    run.plan.infrastructure = Infrastructure::local(LocalInfra::EmulatedAws);
    run.nodes = Some(NodeFigures::default());
    run
}

#[test]
fn a_constant_is_lowered_only_by_runs_with_a_cloud() {
    let on = |infrastructure| {
        let mut on_it = run("b");
        on_it.plan.infrastructure = infrastructure;
        on_it.nodes = Some(NodeFigures::default());
        advice(&[run("a"), on_it], Constant::Server)
    };
    let clouds = |name: &str| Infrastructure::Clouds(vec![name.to_owned()]);
    // A cloud that no scenario has used may be disabled.
    let unused = clouds("aws/us-east-1");
    let loopback = Infrastructure::local(LocalInfra::Loopback);
    for without in [Infrastructure::None, loopback, clouds("slurm/theirs"), unused] {
        let server = on(without);
        assert_eq!(server.recommended(), Some(gib(0.4)), "the present value");
        assert_eq!(server.cautions, [Caution::KeptWithoutClouds]);
    }
    for with in [LocalInfra::EmulatedAws, LocalInfra::EmulatedKubernetes].map(Infrastructure::local)
    {
        let server = on(with);
        assert_eq!((server.recommended(), server.cautions.as_slice()), (Some(gib(0.25)), &[][..]));
    }
}

#[test]
fn a_peak_with_a_cloud_that_does_not_count_lowers_nothing() {
    let mut exact = run("b");
    exact.record(3).peak = Some(ByteSize::mib(181));
    let mut without_executors = run("a");
    never_read(&mut without_executors);
    without_executors.plan.budgets.clear();
    for pid in [2, 3] {
        without_executors.record(pid).class = ProcessClass::Other;
    }
    for run in [with_an_unread_exit("a", None), without_executors] {
        let runs = [with_a_cloud(run), exact.clone()];
        let short = advice(&runs, Constant::Short);
        assert_eq!(short.recommended(), short.current, "{short:?}");
        assert!(short.cautions.contains(&Caution::KeptWithoutClouds), "{short:?}");
        let text = rendered(&recommend(&runs).expect("the runs are usable"));
        assert!(text.contains("SHORT_WORKER_MEM_GB   keep (no peak with a cloud)"), "{text}");
        assert!(text.contains("SERVER_WORKER_MEM_GB can be lowered: "), "{text}");
        let unknown = "Whether SHORT_WORKER_MEM_GB can be lowered is unknown, since no run with a \
                       cloud measured such a process.";
        assert!(text.contains(unknown), "{text}");
        assert!(text.contains("would allow it: no run with a cloud measured such"), "{text}");
    }
}

#[test]
fn a_constant_is_raised_also_without_a_cloud() {
    let mut high = run("a");
    high.record(1).peak = Some(ByteSize::mib(400));
    let server = advice(&[high], Constant::Server);
    assert_eq!((server.recommended(), server.cautions), (Some(gib(0.5)), vec![Caution::OneRun]));
}

#[test]
fn a_constant_that_the_version_lacks_is_shown_and_not_patched() {
    let mut old = run("a");
    environment(&mut old).sky.constants.server = None;
    let recommendation = recommend(&[old]).expect("the run is usable");
    assert!(!recommendation.values().contains_key(&Constant::Server));
    assert!(rendered(&recommendation).contains("not in this SkyPilot"));
}

#[test]
fn a_run_without_a_profile_supports_no_constant() {
    let mut remote = run("a");
    remote.plan.server =
        skyload::plan::ServerTarget::Remote("http://127.0.0.1:9".parse().expect("a valid URL"));
    remote.plan.budgets.clear();
    remote.profile.clear();
    remote.processes = None;
    let recommendation = recommend(&[remote]).expect("its verdict is a pass");
    assert!(!recommendation.is_usable() && !recommendation.changes_anything());
}

fn rendered(recommendation: &Recommendation) -> String {
    let mut text = Vec::new();
    text::render(recommendation, &["RUN".to_owned()], &mut text)
        .expect("writing to memory succeeds");
    String::from_utf8(text).expect("the text is UTF-8")
}

#[test]
fn the_conclusion_agrees_with_the_next_command() {
    let text = |runs: &[Evidence]| rendered(&recommend(runs).expect("the runs are usable"));
    let on_loopback = text(&[run("a")]);
    let unknown = "Whether SHORT_WORKER_MEM_GB, SERVER_WORKER_MEM_GB can be lowered is unknown";
    assert!(on_loopback.contains(unknown), "{on_loopback}");
    assert!(on_loopback.contains("NEXT: cargo xtask load --sky 0.14.1 -n 20 -c emulated-aws\n"));
    let lowered = text(&[with_a_cloud(run("a"))]);
    assert!(lowered.contains("SERVER_WORKER_MEM_GB can be lowered"), "{lowered}");
    assert!(lowered.contains("NEXT: cargo xtask recommend RUN --patch"), "{lowered}");
    let mut too_low = run("a");
    too_low.record(3).peak = Some(ByteSize::gib(1));
    too_low.record(1).peak = Some(ByteSize::mib(320));
    let raised = text(&[too_low]);
    assert!(raised.contains("Below the peaks of these runs: SHORT_WORKER_MEM_GB."), "{raised}");
    assert!(raised.contains("NEXT: cargo xtask recommend RUN --patch"), "{raised}");
}

#[test]
fn a_constant_that_lacks_only_headroom_is_not_below_the_peaks() {
    let mut close = run("a");
    close.record(2).peak = Some(ByteSize::mib(250));
    let text = rendered(&recommend(&[close]).expect("the run is usable"));
    assert!(text.contains("SHORT_WORKER_MEM_GB   raise "), "{text}");
    assert!(text.contains("With too little headroom: SHORT_WORKER_MEM_GB."), "{text}");
    assert!(!text.contains("Below the peaks"), "{text}");
}

#[test]
fn a_recommendation_is_rendered_with_its_effects() {
    let mut with_a_controller = run("a");
    with_a_controller.record(2).class = ProcessClass::JobsController;
    let workers = |short| Workers { server: 4, long: 0, short, burst: 0, controllers: Some(3) };
    let machine = MachineSize { cpus: 4, memory: gib(15.5) };
    let effect =
        MachineEffect { machine, mode: Mode::Deploy, before: workers(29), after: workers(40) };
    let local = MachineEffect {
        mode: Mode::Local,
        before: Workers { long: 4, burst: 1024, ..workers(30) },
        after: Workers { long: 4, burst: 1024, ..workers(30) },
        ..effect
    };
    let recommendation =
        recommend(&[with_a_controller]).expect("the run is usable").with_effects(Effects::Known {
            consolidated: true,
            controller: Some(ByteSize::mib(400)),
            machines: vec![effect, local],
        });
    insta::assert_snapshot!(rendered(&recommendation));
}
