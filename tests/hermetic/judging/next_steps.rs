//! The one command that a report ends with.

use rstest::rstest;
use skyload::analysis::{Evidence, Report, Verdict};
use skyload::config::Thresholds;
use skyload::metric::{Amount, Limit, ServerMetric};
use skyload::recommend::Recommendation;
use skyload::record::events::{Event, StopReason};
use skyload::record::profile::LevelChoice;
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
fn a_pass_is_followed_by_the_constants_that_it_supports() {
    let next = after(&good_run(&four_users()));
    assert_eq!(next.command, "cargo xtask recommend 20261124-080000-test");
}

/// A run of the user's own server, which is of another version or commit than its `sky`:
/// no more than a note where no budget is one of the constants.
fn with_server(version: &str, commit: Option<&str>) -> Evidence {
    let server = Some("system".to_owned());
    let mut run = good_run(&LoadRequest { server, ..four_users() });
    run.plan.budgets.clear();
    let environment = run.environment.as_mut().expect("a test knows its own data");
    environment.server.version = version.to_owned();
    environment.server.commit = commit.map(str::to_owned);
    environment.sky.commit = Some("7e59".to_owned());
    run
}

#[rstest]
#[case::of_a_release(
    "0.12.0",
    None,
    "cargo xtask load --sky 0.12.0 --server system --api status -n 4 --iterations 1"
)]
#[case::of_a_checkout(
    "1.0.0-dev0",
    None,
    "cargo xtask load --server system --api status -n 8 --iterations 1"
)]
#[case::of_another_commit(
    "0.14.1",
    Some("abcd"),
    "cargo xtask load --server system --api status -n 8 --iterations 1"
)]
fn a_pass_that_says_nothing_of_constants_is_not_followed_by_them(
    #[case] version: &str,
    #[case] commit: Option<&str>,
    #[case] command: &str,
) {
    let run = with_server(version, commit);
    let report = Report::assemble(&run);
    assert!(Recommendation::assemble(std::slice::from_ref(&report)).is_err(), "it refuses");
    assert_eq!(report.verdict, Verdict::Pass);
    assert_eq!(next_step(&report).command, command);
}

#[test]
fn a_breach_that_says_nothing_of_constants_is_looked_at_again() {
    let mut run = with_server("0.12.0", None);
    run.record(3).peak = Some(ByteSize::gib(1));
    run.limit(ServerMetric::TreeRss, Amount::Size(ByteSize::mib(1)));
    let next = after(&run);
    let command = "cargo xtask load --sky 0.12.0 --server system --api status -n 4 --iterations 1";
    assert_eq!(next.command, command);
    assert!(next.purpose.contains("server is SkyPilot 0.12.0"), "{next:?}");
}

#[test]
fn a_remote_pass_says_nothing_of_memory_and_is_followed_by_more_users() {
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
fn a_budget_that_was_set_and_exceeded_may_be_raised() {
    let mut run = good_run(&four_users());
    let metric = ServerMetric::TreeRss.into();
    run.plan.budgets = vec![Limit { metric, at_most: Some(Amount::Size(ByteSize::mib(1))) }];
    let next = after(&run);
    assert_eq!(next.command, "cargo xtask recommend 20261124-080000-test");
    assert!(next.purpose.ends_with("--budget tree-rss=SIZE"), "{next:?}");
}

#[test]
fn a_count_that_was_exceeded_is_no_matter_of_constants() {
    let mut run = good_run(&four_users());
    run.limit(ServerMetric::Threads, Amount::Count(1));
    let next = after(&run);
    assert_eq!(next.command, "cargo xtask load --api status -n 4 --iterations 1");
    assert!(next.purpose.ends_with("--budget threads=COUNT"), "{next:?}");
}

#[test]
fn a_breach_of_a_run_that_broke_off_is_looked_at_again() {
    let mut run = good_run(&four_users());
    run.record(3).peak = Some(ByteSize::gib(1));
    run.happens(LOAD_ENDED - 1, Event::LoadStopped(StopReason::Interrupted));
    let next = after(&run);
    assert_eq!(
        next.command, "cargo xtask load --api status -n 4 --iterations 1",
        "`recommend` refuses it"
    );
    assert!(next.purpose.starts_with("to measure the rest: interrupted after"), "{next:?}");
}

#[test]
fn a_constant_that_was_exceeded_is_not_raised_by_a_flag() {
    let mut run = good_run(&four_users());
    run.record(3).peak = Some(ByteSize::gib(1));
    let next = after(&run);
    assert_eq!(next.command, "cargo xtask recommend 20261124-080000-test");
    assert!(!next.purpose.contains("--budget"), "{next:?}");
}

#[test]
fn a_scenario_that_failed_is_tried_with_half_of_its_users() {
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
fn a_latency_limit_that_was_exceeded_names_its_scenario() {
    let mut run = good_run(&four_users());
    let limits = Thresholds { p50: Some(std::time::Duration::from_millis(1)), ..<_>::default() };
    run.plan.thresholds = limits.limits(ScenarioId::ApiStatus).collect();
    assert_eq!(after(&run).command, "cargo xtask load --api status -n 2 --iterations 1");
}

#[test]
fn a_cloud_is_named_again_whatever_failed() {
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
fn a_single_user_that_failed_is_tried_alone() {
    let one = Some("1".to_owned());
    let mut run = good_run(&LoadRequest { users: one, ..four_users() });
    run.fail_iterations(1);
    assert_eq!(after(&run).command, "cargo xtask load --api status -n 1 --iterations 1");
}

#[test]
fn a_health_probe_that_failed_is_tried_with_half_of_the_users() {
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
fn users_are_counted_of_each_cloud(#[case] change: fn(&mut Evidence), #[case] users: u32) {
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
fn scenarios_with_fewer_users_are_not_given_the_number_of_others() {
    let cli = vec!["status".to_owned()];
    let mut run = good_run(&LoadRequest { cli, ..four_users() });
    for planned in &mut run.plan.scenarios {
        planned.users = if planned.id == ScenarioId::CliStatus { 1 } else { planned.users };
    }
    run.fail_iterations_of(ScenarioId::ProbeHealth, 1);
    assert_eq!(after(&run).command, "cargo xtask load --api status -n 2 --iterations 1");
}

#[test]
fn what_no_scenario_did_is_looked_at_again_as_it_was() {
    let mut run = good_run(&four_users());
    resource_fails(&mut run, Stage::SetUp, "no");
    let next = after(&run);
    assert_eq!(next.command, "cargo xtask load --api status -n 4 --iterations 1");
    assert!(next.purpose.starts_with("to check whether it fails again"), "{next:?}");
}

#[test]
fn an_inconclusive_run_is_repeated_as_it_was_and_the_reason_is_named() {
    let mut run = good_run(&four_users());
    run.happens(LOAD_ENDED - 1, Event::LoadStopped(StopReason::Interrupted));
    let next = after(&run);
    assert_eq!(next.command, "cargo xtask load --api status -n 4 --iterations 1");
    assert!(next.purpose.contains("interrupted after"), "{next:?}");
}

#[test]
fn a_plan_of_another_file_is_found_in_it_again() {
    let config = Some("/plans/ours.toml".into());
    let plan = Some("smoke".to_owned());
    let mut run = good_run(&LoadRequest { config, plan, ..four_users() });
    run.happens(LOAD_ENDED - 1, Event::LoadStopped(StopReason::Interrupted));
    let command =
        "cargo xtask load --config /plans/ours.toml --plan smoke --api status -n 4 --iterations 1";
    assert_eq!(after(&run).command, command);
}

#[test]
fn what_a_shell_would_take_apart_is_quoted() {
    let config = Some("/our plans/a.toml".into());
    let server = Some("http://127.0.0.1:1/?of=us&them".to_owned());
    let mut run = good_run(&LoadRequest { config, server, ..four_users() });
    assert_eq!(
        after(&run).command,
        "cargo xtask load --config '/our plans/a.toml' --server 'http://127.0.0.1:1/?of=us&them' \
         --api status -n 4 --iterations 1"
    );
    run = good_run(&four_users());
    run.name = "/our runs/20261124-080000-test".to_owned();
    assert_eq!(after(&run).command, "cargo xtask recommend '/our runs/20261124-080000-test'");
}

#[test]
fn lists_of_everything_are_short() {
    let all = || vec!["all".to_owned()];
    let request = LoadRequest { cli: all(), api: all(), ..four_users() };
    let mut run = good_run(&LoadRequest { infra: vec!["loopback".to_owned()], ..request });
    run.happens(LOAD_ENDED - 1, Event::LoadStopped(StopReason::Interrupted));
    assert_eq!(
        after(&run).command,
        "cargo xtask load -c loopback -r all --api all -n 4 --iterations 1"
    );
}

#[test]
fn an_isolated_server_gets_the_clouds_credentials_again() {
    let request = LoadRequest {
        api: Vec::new(),
        cli: vec!["launch".to_owned()],
        infra: vec!["aws".to_owned()],
        copy_credentials: true,
        ..four_users()
    };
    let mut run = good_run(&request);
    run.happens(LOAD_ENDED - 1, Event::LoadStopped(StopReason::Interrupted));
    let command = "cargo xtask load -c aws --copy-credentials -r launch -n 4 --iterations 1";
    assert_eq!(after(&run).command, command);
}

#[test]
fn every_flag_that_was_given_is_given_again() {
    let request = LoadRequest {
        cli: vec!["launch".to_owned()],
        api: Vec::new(),
        run_async: true,
        iterations: Some("3".to_owned()),
        budgets: vec!["tree-rss=1GiB".to_owned(), "threads=9".to_owned()],
        peaks: Some(LevelChoice::HighWaterMark),
        phase_peaks: true,
        upstream_figures: true,
        ..four_users()
    };
    let mut run = good_run(&request);
    run.happens(LOAD_ENDED - 1, Event::LoadStopped(StopReason::Interrupted));
    assert_eq!(
        after(&run).command,
        "cargo xtask load -r launch --run-async -n 4 --iterations 3 --budget 'tree-rss=1GiB' --budget \
         'threads=9' --peaks high-water-mark --phase-peaks --upstream-figures"
    );
}

#[test]
fn no_infrastructure_and_a_server_that_is_kept_are_asked_for_again() {
    let infra = vec!["none".to_owned()];
    let mut run = good_run(&LoadRequest { infra, keep_server: true, ..four_users() });
    run.fail_iterations(2);
    let command = "cargo xtask load --keep-server -c none --api status -n 2 --iterations 1";
    assert_eq!(after(&run).command, command);
}

#[test]
fn a_profile_of_the_servers_machine_is_asked_for_again() {
    let server = Some("http://127.0.0.1:9".to_owned());
    let server_profile = Some("/there/a profile".into());
    let mut run = good_run(&LoadRequest { server, server_profile, ..four_users() });
    run.happens(LOAD_ENDED - 1, Event::LoadStopped(StopReason::Interrupted));
    let command = "cargo xtask load --server http://127.0.0.1:9 --server-profile '/there/a \
                   profile' --api status -n 4 --iterations 1";
    assert_eq!(after(&run).command, command);
}

#[test]
fn a_part_of_a_load_is_not_given_flags_that_it_would_leave_idle() {
    let cli = vec!["launch".to_owned()];
    let infra = vec!["loopback".to_owned()];
    let mut run = good_run(&LoadRequest { cli, infra, run_async: true, ..four_users() });
    run.fail_iterations(2);
    assert_eq!(after(&run).command, "cargo xtask load --api status -n 2 --iterations 1");
}

#[test]
fn what_a_profile_of_skyload_toml_chose_is_chosen_again() {
    let mut run = good_run(&LoadRequest { plan: Some("smoke".to_owned()), ..<_>::default() });
    run.happens(LOAD_ENDED - 1, Event::LoadStopped(StopReason::Interrupted));
    assert_eq!(after(&run).command, "cargo xtask load --plan smoke");
}

#[test]
fn a_run_that_did_not_write_its_request_down_is_repeated_as_far_as_its_plan_tells() {
    let server = Some("system".to_owned());
    let infra = vec!["aws".to_owned()];
    let sky = Some("0.12.0".to_owned());
    let mut run = good_run(&LoadRequest { server, infra, sky, ..four_users() });
    run.request = None;
    run.happens(LOAD_ENDED - 1, Event::LoadStopped(StopReason::Interrupted));
    let command = "cargo xtask load --sky 0.12.0 --server system -c aws --api status -n 4";
    assert_eq!(after(&run).command, command);
}
