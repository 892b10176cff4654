//! NEXT: the arguments of the run that the command at the end of a report repeats.

use skyload::record::events::{Event, StopReason};
use skyload::record::profile::LevelChoice;
use skyload::record::request::LoadRequest;

use super::changes::Change;
use super::evidence::{LOAD_ENDED, four_users, good_run};
use super::next_steps::after;

#[test]
fn config_and_plan_are_repeated() {
    let config = Some("/plans/ours.toml".into());
    let plan = Some("smoke".to_owned());
    let mut run = good_run(&LoadRequest { config, plan, ..four_users() });
    run.happens(LOAD_ENDED - 1, Event::LoadStopped(StopReason::Interrupted));
    let command =
        "cargo xtask load --config /plans/ours.toml --plan smoke --api status -n 4 --iterations 1";
    assert_eq!(after(&run).command, command);
}

#[test]
fn arguments_are_quoted_for_a_shell() {
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
fn lists_of_all_scenarios_are_abbreviated() {
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
fn copied_credentials_are_repeated() {
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
fn all_flags_are_repeated() {
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
fn no_infra_and_keep_server_are_repeated() {
    let infra = vec!["none".to_owned()];
    let mut run = good_run(&LoadRequest { infra, keep_server: true, ..four_users() });
    run.fail_iterations(2);
    let command = "cargo xtask load --keep-server -c none --api status -n 2 --iterations 1";
    assert_eq!(after(&run).command, command);
}

#[test]
fn a_server_profile_is_repeated() {
    let server = Some("http://127.0.0.1:9".to_owned());
    let server_profile = Some("/there/a profile".into());
    let mut run = good_run(&LoadRequest { server, server_profile, ..four_users() });
    run.happens(LOAD_ENDED - 1, Event::LoadStopped(StopReason::Interrupted));
    let command = "cargo xtask load --server http://127.0.0.1:9 --server-profile '/there/a \
                   profile' --api status -n 4 --iterations 1";
    assert_eq!(after(&run).command, command);
}

#[test]
fn flags_without_a_use_are_left_out_of_a_repetition() {
    let cli = vec!["launch".to_owned()];
    let infra = vec!["loopback".to_owned()];
    let mut run = good_run(&LoadRequest { cli, infra, run_async: true, ..four_users() });
    run.fail_iterations(2);
    assert_eq!(after(&run).command, "cargo xtask load --api status -n 2 --iterations 1");
}

#[test]
fn a_plan_is_repeated_by_its_name() {
    let mut run = good_run(&LoadRequest { plan: Some("smoke".to_owned()), ..<_>::default() });
    run.happens(LOAD_ENDED - 1, Event::LoadStopped(StopReason::Interrupted));
    assert_eq!(after(&run).command, "cargo xtask load --plan smoke");
}

#[test]
fn a_run_without_a_request_is_repeated_from_its_plan() {
    let server = Some("system".to_owned());
    let infra = vec!["aws".to_owned()];
    let sky = Some("0.12.0".to_owned());
    let mut run = good_run(&LoadRequest { server, infra, sky, ..four_users() });
    run.request = None;
    run.happens(LOAD_ENDED - 1, Event::LoadStopped(StopReason::Interrupted));
    let command = "cargo xtask load --sky 0.12.0 --server system -c aws --api status -n 4 \
                   --iterations 1";
    assert_eq!(after(&run).command, command);
}
