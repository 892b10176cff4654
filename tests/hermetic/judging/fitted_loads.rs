//! NEXT after loads that were reduced or spread to fit the machine.

use std::time::Duration;

use rstest::rstest;
use skyload::analysis::Evidence;
use skyload::plan::{Fit, Reduction};
use skyload::record::events::{Event, StopReason};
use skyload::record::request::LoadRequest;

use super::changes::Change as _;
use super::evidence::{LOAD_ENDED, four_users, good_run};
use super::next_steps::after;

/// Evidence of an interrupted run whose load was reduced to fit the machine.
fn fitted(left_out: Reduction, ramp: Duration) -> Evidence {
    let mut run = good_run(&LoadRequest::default());
    let seconds = Duration::from_secs;
    let (within, wanted, planned) = (seconds(300), seconds(600), seconds(280));
    run.plan.fit = Some(Fit { within, wanted, planned, left_out });
    run.plan.ramp = ramp;
    run.happens(LOAD_ENDED - 1, Event::LoadStopped(StopReason::Interrupted));
    run
}

#[rstest]
#[case::spread(Reduction::NONE, 1, "cargo xtask load --ramp 45s --fit off")]
#[case::smaller(
    Reduction { one_iteration: true, halvings: 1 },
    1,
    "cargo xtask load -n 1 --iterations 1 --ramp 45s"
)]
#[case::smaller_with_different_users(
    Reduction { one_iteration: true, halvings: 1 },
    2,
    "cargo xtask load --ramp 45s"
)]
fn values_that_were_chosen_for_the_machine_are_repeated(
    #[case] left_out: Reduction,
    #[case] users_of_one: u32,
    #[case] command: &str,
) {
    let mut run = fitted(left_out, Duration::from_secs(45));
    run.plan.scenarios.iter_mut().for_each(|planned| planned.users = 1);
    run.plan.scenarios[0].users = users_of_one;
    assert_eq!(after(&run).command, command);
}

#[test]
fn half_the_users_are_spread_if_all_were() {
    let mut run = good_run(&LoadRequest { ramp: Some("30s".to_owned()), ..four_users() });
    run.plan.ramp = Duration::from_secs(30);
    run.fail_iterations(2);
    let command = "cargo xtask load --api status -n 2 --iterations 1 --ramp 30s";
    assert_eq!(after(&run).command, command);
    run.request = Some(four_users());
    let command = "cargo xtask load --api status -n 2 --iterations 1 --ramp auto";
    assert_eq!(after(&run).command, command);
}
