//! NEXT: the command at the end of a report.

use rstest::rstest;
use skyload::analysis::{Evidence, Report, Verdict};
use skyload::metric::{Amount, Limit, ServerMetric};
use skyload::recommend::Recommendation;
use skyload::record::events::{Event, StopReason};
use skyload::record::request::LoadRequest;
use skyload::record::resources::Stage;
use skyload::render::{NextStep, next_step};
use skyload::scenario::ScenarioId;
use skyload::units::ByteSize;

use super::changes::{Change, resource_fails};
use super::evidence::{LOAD_ENDED, four_users, good_run};

pub(super) fn after(run: &Evidence) -> NextStep {
    next_step(&Report::assemble(run))
}

#[test]
fn the_next_step_after_a_pass_is_recommend() {
    let next = after(&good_run(&four_users()));
    assert_eq!(next.command, "cargo xtask recommend 20261124-080000-test");
}

#[test]
fn the_next_step_after_the_default_plan_has_a_cloud() {
    let after_request = |request| {
        let mut run = good_run(&four_users());
        run.request = Some(request);
        after(&run).command
    };
    let bare = after_request(LoadRequest::default());
    assert_eq!(bare, "cargo xtask load --plan clouds");
    // Another file may have no such plan.
    let config = Some("/my.toml".into());
    let mix = Some("status=1".to_owned());
    for own in [
        LoadRequest { config, ..LoadRequest::default() },
        LoadRequest { mix, ..LoadRequest::default() },
        LoadRequest { script: Some("/my.sh".into()), ..LoadRequest::default() },
    ] {
        assert_eq!(after_request(own), "cargo xtask recommend 20261124-080000-test");
    }
}

/// Evidence of a run on the local server, with a version or commit other than that of `sky`. A
/// difference is a note as long as no budget is from SkyPilot's constants.
fn with_server(version: &str, commit: Option<&str>) -> Evidence {
    let server = Some("system".to_owned());
    let mut run = good_run(&LoadRequest { server, ..four_users() });
    run.plan.budgets.clear();
    let environment = run.environment.as_mut().expect("the test's data is valid");
    environment.server.version = version.to_owned();
    environment.server.commit = commit.map(str::to_owned);
    environment.sky.commit = Some("7e59".to_owned());
    run
}

#[rstest]
#[case::another_release(
    "0.12.0",
    None,
    "cargo xtask load --sky 0.12.0 --server system --api status -n 4 --iterations 1"
)]
#[case::a_checkout(
    "1.0.0-dev0",
    None,
    "cargo xtask load --server system --api status -n 8 --iterations 1"
)]
#[case::another_commit(
    "0.14.1",
    Some("abcd"),
    "cargo xtask load --server system --api status -n 8 --iterations 1"
)]
fn the_next_step_is_not_recommend_if_versions_differ(
    #[case] version: &str,
    #[case] commit: Option<&str>,
    #[case] command: &str,
) {
    let run = with_server(version, commit);
    let report = Report::assemble(&run);
    assert!(Recommendation::assemble(std::slice::from_ref(&report)).is_err(), "versions differ");
    assert_eq!(report.verdict, Verdict::Pass);
    assert_eq!(next_step(&report).command, command);
}

#[test]
fn an_exceeded_budget_is_repeated_with_the_servers_version() {
    let mut run = with_server("0.12.0", None);
    run.record(3).peak = Some(ByteSize::gib(1));
    run.limit(ServerMetric::TreeRss, Amount::Size(ByteSize::mib(1)));
    let next = after(&run);
    let command = "cargo xtask load --sky 0.12.0 --server system --api status -n 4 --iterations 1";
    assert_eq!(next.command, command);
    assert!(next.purpose.contains("server is SkyPilot 0.12.0"), "{next:?}");
}

#[test]
fn the_next_step_after_a_pass_without_a_profile_is_twice_the_users() {
    let server = Some("http://127.0.0.1:9".to_owned());
    let mut run = good_run(&LoadRequest { server, ..four_users() });
    run.profile.clear();
    run.processes = None;
    let next = after(&run);
    assert_eq!(
        next.command,
        "cargo xtask load --server http://127.0.0.1:9 --api status -n 8 --iterations 1"
    );
}

#[test]
fn the_next_step_names_the_flag_of_an_exceeded_budget() {
    let mut run = good_run(&four_users());
    let metric = ServerMetric::TreeRss.into();
    run.plan.budgets = vec![Limit { metric, at_most: Some(Amount::Size(ByteSize::mib(1))) }];
    let next = after(&run);
    assert_eq!(next.command, "cargo xtask recommend 20261124-080000-test");
    assert!(next.purpose.ends_with("--budget tree-rss=SIZE"), "{next:?}");
}

#[test]
fn the_next_step_after_an_exceeded_count_is_not_recommend() {
    let mut run = good_run(&four_users());
    run.limit(ServerMetric::Threads, Amount::Count(1));
    let next = after(&run);
    assert_eq!(next.command, "cargo xtask load --api status -n 4 --iterations 1");
    assert!(next.purpose.ends_with("--budget threads=COUNT"), "{next:?}");
}

#[test]
fn an_interrupted_run_over_budget_is_repeated() {
    let mut run = good_run(&four_users());
    run.record(3).peak = Some(ByteSize::gib(1));
    run.happens(LOAD_ENDED - 1, Event::LoadStopped(StopReason::Interrupted));
    let next = after(&run);
    assert_eq!(
        next.command, "cargo xtask load --api status -n 4 --iterations 1",
        "`recommend` needs a complete run"
    );
    assert!(next.purpose.starts_with("to measure the rest: interrupted after"), "{next:?}");
}

#[test]
fn the_next_step_after_an_exceeded_constant_names_no_flag() {
    let mut run = good_run(&four_users());
    run.record(3).peak = Some(ByteSize::gib(1));
    let next = after(&run);
    assert_eq!(next.command, "cargo xtask recommend 20261124-080000-test");
    assert!(!next.purpose.contains("--budget"), "{next:?}");
}

#[test]
fn a_failed_scenario_is_repeated_with_half_the_users() {
    let request = LoadRequest {
        cli: vec!["status".to_owned()],
        deploy: true,
        sky: Some("0.12.0".to_owned()),
        ..four_users()
    };
    let mut run = good_run(&request);
    run.fail_iterations(2);
    let next = after(&run);
    assert_eq!(
        next.command,
        "cargo xtask load --sky 0.12.0 --deploy --api status -n 2 --iterations 1"
    );
    assert!(next.purpose.contains("server.log.tail"), "{next:?}");
}

#[test]
fn a_scenario_over_its_threshold_is_repeated_with_half_the_users() {
    let mut run = good_run(&four_users());
    run.thresholds(&["api:status p50 <= 1ms"]);
    assert_eq!(after(&run).command, "cargo xtask load --api status -n 2 --iterations 1");
}

#[test]
fn thresholds_are_repeated_for_the_scenarios_that_run() {
    let thresholds = ["api:status p50 < 1ms", "api:validate p50 < 9s", "probe:health max < 9s"];
    let request = LoadRequest {
        api: vec!["status,validate".to_owned()],
        thresholds: thresholds.map(str::to_owned).to_vec(),
        ..four_users()
    };
    let mut run = good_run(&request);
    assert_eq!(run.plan.thresholds.len(), 3);
    run.thresholds(&["api:status p50 < 1ms"]);
    assert_eq!(
        after(&run).command,
        "cargo xtask load --api status -n 2 --iterations 1 \
         --threshold 'api:status p50 < 1ms' --threshold 'probe:health max < 9s'"
    );
}

#[test]
fn the_infra_is_repeated_for_scenarios_that_launch_nothing() {
    let request = LoadRequest {
        cli: vec!["launch".to_owned()],
        infra: vec!["aws".to_owned()],
        copy_credentials: true,
        ..four_users()
    };
    let mut run = good_run(&request);
    run.fail_iterations(2);
    let command = "cargo xtask load -c aws --copy-credentials --api status -n 2 --iterations 1";
    assert_eq!(after(&run).command, command);
}

#[test]
fn a_failed_scenario_with_one_user_is_repeated_with_one() {
    let one = Some("1".to_owned());
    let mut run = good_run(&LoadRequest { users: one, ..four_users() });
    run.fail_iterations(1);
    assert_eq!(after(&run).command, "cargo xtask load --api status -n 1 --iterations 1");
}

#[test]
fn a_failed_health_probe_is_repeated_with_half_the_users_of_the_load() {
    let mut run = good_run(&four_users());
    run.fail_iterations_of(ScenarioId::ProbeHealth, 1);
    let next = after(&run);
    assert_eq!(next.command, "cargo xtask load --api status -n 2 --iterations 1");
    assert!(next.purpose.starts_with("to check whether it also fails with half the users"));
}

#[rstest]
#[case::half(|run: &mut Evidence| run.fail_iterations_of(ScenarioId::CliLaunch, 1), 2)]
#[case::all(
    |run: &mut Evidence| run.happens(LOAD_ENDED - 1, Event::LoadStopped(StopReason::Interrupted)),
    4
)]
fn users_are_counted_per_infra(#[case] change: fn(&mut Evidence), #[case] users: u32) {
    let request = LoadRequest {
        api: Vec::new(),
        cli: vec!["launch".to_owned()],
        infra: ["aws", "gcp"].map(str::to_owned).to_vec(),
        copy_credentials: true,
        ..four_users()
    };
    let mut run = good_run(&request);
    change(&mut run);
    let command = format!(
        "cargo xtask load -c aws gcp --copy-credentials -r launch -n {users} --iterations 1"
    );
    assert_eq!(after(&run).command, command);
}

#[test]
fn scenarios_with_fewer_users_are_left_out_of_a_repetition() {
    let cli = vec!["status".to_owned()];
    let mut run = good_run(&LoadRequest { cli, ..four_users() });
    for planned in &mut run.plan.scenarios {
        planned.users = if planned.id == ScenarioId::CliStatus { 1 } else { planned.users };
    }
    run.fail_iterations_of(ScenarioId::ProbeHealth, 1);
    assert_eq!(after(&run).command, "cargo xtask load --api status -n 2 --iterations 1");
}

#[test]
fn a_failed_setup_is_repeated_unchanged() {
    let mut run = good_run(&four_users());
    resource_fails(&mut run, Stage::SetUp, "no");
    let next = after(&run);
    assert_eq!(next.command, "cargo xtask load --api status -n 4 --iterations 1");
    assert!(next.purpose.starts_with("to check whether it fails again"), "{next:?}");
}

#[test]
fn an_inconclusive_run_is_repeated_unchanged_with_the_reason() {
    let mut run = good_run(&four_users());
    run.happens(LOAD_ENDED - 1, Event::LoadStopped(StopReason::Interrupted));
    let next = after(&run);
    assert_eq!(next.command, "cargo xtask load --api status -n 4 --iterations 1");
    assert!(next.purpose.contains("interrupted after"), "{next:?}");
}
