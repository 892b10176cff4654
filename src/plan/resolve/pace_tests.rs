//! Loads that suit a machine: how fast they begin, and what they leave out.

use rstest::rstest;

use super::tests::{MACHINE, config};
use super::*;
use crate::limits::Cpus;
use crate::plan::Speed;

/// This machine on a day on which an import takes so many CPU-seconds.
fn machine_of(import: f64, cpus: usize) -> Machine {
    let import = Duration::from_secs_f64(import);
    let cpus = Cpus { allowed: cpus, quota: None };
    Machine { speed: Some(Speed { cpus, import, elapsed: import }), ..MACHINE }
}

fn resolved(request: &LoadRequest, machine: &Machine) -> LoadPlan {
    LoadPlan::resolve(request, &config(), machine).unwrap()
}

#[test]
fn the_default_load_is_spread_and_a_typed_number_is_a_burst() {
    let machine = machine_of(1.5, 2);
    let by_default = resolved(&LoadRequest::default(), &machine);
    assert!(by_default.ramp > Duration::ZERO);
    let burst = LoadRequest { requests_per_scenario: Some("5".to_owned()), ..<_>::default() };
    let plan = resolved(&burst, &machine);
    assert_eq!((plan.ramp, plan.fit), (Duration::ZERO, None));
    assert!(plan.overload().is_some(), "and that is more than two CPUs carry");
    let spread = LoadRequest { ramp: Some("auto".to_owned()), ..burst };
    let plan = resolved(&spread, &machine);
    assert!(plan.ramp > by_default.ramp && plan.overload().is_none());
}

#[test]
fn a_ramp_that_is_typed_is_taken_as_it_is() {
    let request = LoadRequest { ramp: Some("7s".to_owned()), ..<_>::default() };
    for machine in [MACHINE, machine_of(9.0, 1)] {
        assert_eq!(resolved(&request, &machine).ramp, Duration::from_secs(7));
    }
}

#[test]
fn a_slower_machine_does_less_and_never_without_a_scenario() {
    let quick = resolved(&LoadRequest::default(), &machine_of(1.3, 2));
    assert!(quick.fit.unwrap().left_out.is_none());
    let slow = resolved(&LoadRequest::default(), &machine_of(3.5, 2));
    assert_eq!(slow.fit.unwrap().left_out, Reduction { one_iteration: true, halvings: 0 });
    let slowest = resolved(&LoadRequest::default(), &machine_of(60.0, 1));
    assert_eq!(slowest.fit.unwrap().left_out, Reduction { one_iteration: true, halvings: 1 });
    let ids = |plan: &LoadPlan| plan.scenarios.iter().map(|s| s.id).collect::<Vec<_>>();
    assert_eq!(ids(&slowest), ids(&quick));
    assert!(slowest.scenarios.iter().all(|s| (s.users, s.waves) == (1, 1)));
}

#[rstest]
#[case::by_its_users(LoadRequest { requests_per_scenario: Some("2".to_owned()), ..<_>::default() })]
#[case::by_its_iterations(LoadRequest { waves: Some("2".to_owned()), ..<_>::default() })]
#[case::as_whole_as_it_is(LoadRequest { fit: Some("off".to_owned()), ..<_>::default() })]
fn a_load_whose_size_was_asked_for_is_not_made_smaller(#[case] request: LoadRequest) {
    let plan = resolved(&request, &machine_of(60.0, 1));
    assert_eq!(plan.fit, None);
    assert_eq!(plan.scenario(ScenarioId::ApiStatus).unwrap().waves, 2);
}

#[rstest]
#[case::no_time("--ramp", Some("soon"), None, "`soon` is not `auto` or a time such as `30s`")]
#[case::longer_than_the_load("--ramp", Some("20m"), None, "the last users would start after 20m")]
#[case::nothing_at_all("--fit", None, Some("0s"), "`0s` is not `off` or a time such as `5m`")]
fn a_pace_that_makes_no_sense_is_refused(
    #[case] flag: &str,
    #[case] ramp: Option<&str>,
    #[case] fit: Option<&str>,
    #[case] message: &str,
) {
    let text = |text: &str| text.to_owned();
    let request =
        LoadRequest { ramp: ramp.map(text), fit: fit.map(text), ..LoadRequest::default() };
    let UsageErrors(mistakes) = LoadPlan::resolve(&request, &config(), &MACHINE).unwrap_err();
    let [mistake] = &mistakes[..] else { panic!("{mistakes:#?}") };
    assert!(mistake.starts_with(flag) && mistake.contains(message), "{mistake}");
}
