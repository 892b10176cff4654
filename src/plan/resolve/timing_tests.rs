//! Tests of ramps that are chosen for a machine, and of loads that are reduced to fit.

use rstest::rstest;

use super::tests::{MACHINE, config};
use super::*;
use crate::limits::Cpus;
use crate::plan::Speed;

/// Machine on which `import sky` takes `import` CPU-seconds.
fn machine_of(import: f64, cpus: usize) -> Machine {
    let import = Duration::from_secs_f64(import);
    let cpus = Cpus { allowed: cpus, quota: None };
    let speed = Speed { cpus, import, elapsed: import, concurrency: 1, others: None };
    Machine { speed: Some(speed), ..MACHINE }
}

fn resolved(request: &LoadRequest, machine: &Machine) -> LoadPlan {
    LoadPlan::resolve(request, &config(), machine).unwrap()
}

#[test]
fn the_default_load_is_spread_and_a_typed_number_is_a_burst() {
    let machine = machine_of(1.5, 2);
    let by_default = resolved(&LoadRequest::default(), &machine);
    assert!(by_default.ramp > Duration::ZERO);
    let burst = LoadRequest { users: Some("5".to_owned()), ..<_>::default() };
    let plan = resolved(&burst, &machine);
    assert_eq!((plan.ramp, plan.fit), (Duration::ZERO, None));
    assert!(plan.overload().is_some(), "too much for two CPUs");
    let spread = LoadRequest { ramp: Some("auto".to_owned()), ..burst };
    let plan = resolved(&spread, &machine);
    assert!(plan.ramp > by_default.ramp && plan.overload().is_none());
}

#[test]
fn a_typed_ramp_is_not_changed() {
    let request = LoadRequest { ramp: Some("7s".to_owned()), ..<_>::default() };
    for machine in [MACHINE, machine_of(9.0, 1)] {
        assert_eq!(resolved(&request, &machine).ramp, Duration::from_secs(7));
    }
}

#[test]
fn a_slower_machine_runs_all_scenarios_with_a_reduced_load() {
    let quick = resolved(&LoadRequest::default(), &machine_of(1.3, 2));
    assert!(quick.fit.unwrap().left_out.is_none());
    let slow = resolved(&LoadRequest::default(), &machine_of(3.5, 2));
    assert_eq!(slow.fit.unwrap().left_out, Reduction { one_iteration: true, halvings: 0 });
    let slowest = resolved(&LoadRequest::default(), &machine_of(60.0, 1));
    assert_eq!(slowest.fit.unwrap().left_out, Reduction { one_iteration: true, halvings: 1 });
    let ids = |plan: &LoadPlan| plan.scenarios.iter().map(|s| s.id).collect::<Vec<_>>();
    assert_eq!(ids(&slowest), ids(&quick));
    assert!(slowest.scenarios.iter().all(|s| (s.users, s.shape.iterations()) == (1, Some(1))));
}

#[rstest]
#[case::by_its_users(LoadRequest { users: Some("2".to_owned()), ..<_>::default() })]
#[case::by_its_iterations(LoadRequest { iterations: Some("2".to_owned()), ..<_>::default() })]
#[case::with_fit_off(LoadRequest { fit: Some("off".to_owned()), ..<_>::default() })]
fn a_load_of_a_requested_size_is_not_reduced(#[case] request: LoadRequest) {
    let plan = resolved(&request, &machine_of(60.0, 1));
    assert_eq!(plan.fit, None);
    assert_eq!(plan.scenario(ScenarioId::ApiStatus).unwrap().shape.iterations(), Some(2));
}

#[rstest]
#[case::no_time("--ramp", Some("soon"), None, "expected `auto` or a time such as `30s`")]
#[case::longer_than_the_load(
    "--ramp",
    Some("20m"),
    None,
    "expected less than the scenario-timeout of 15m, got 20m"
)]
#[case::nothing_at_all("--fit", None, Some("0s"), "or a time such as `5m`, got `0s`")]
#[case::less_than_the_starts(
    "--fit",
    Some("6m"),
    Some("5m"),
    "expected more than the --ramp of 6m, got 5m"
)]
fn an_invalid_timing_is_an_error(
    #[case] flag: &str,
    #[case] ramp: Option<&str>,
    #[case] fit: Option<&str>,
    #[case] message: &str,
) {
    let text = |text: &str| text.to_owned();
    let request =
        LoadRequest { ramp: ramp.map(text), fit: fit.map(text), ..LoadRequest::default() };
    let UsageErrors(errors) = LoadPlan::resolve(&request, &config(), &MACHINE).unwrap_err();
    let [error] = &errors[..] else { panic!("{errors:#?}") };
    assert!(error.starts_with(flag) && error.contains(message), "{error}");
}

#[test]
fn a_load_is_not_reduced_below_the_time_of_a_typed_ramp() {
    let request = LoadRequest {
        ramp: Some("6m".to_owned()),
        iterations: Some("1".to_owned()),
        fit: Some("7m".to_owned()),
        ..<_>::default()
    };
    let plan = resolved(&request, &machine_of(1.3, 2));
    assert!(plan.fit.unwrap().left_out.is_none());
    let longer = LoadRequest { iterations: None, fit: None, ..request };
    let plan = resolved(&longer, &machine_of(1.3, 2));
    let fit = plan.fit.unwrap();
    assert_eq!(fit.left_out, Reduction { one_iteration: true, halvings: 0 });
    assert!(fit.planned > fit.within, "fewer users would start over as long a time");
}

#[test]
fn a_load_of_one_iteration_is_reduced_by_users_only() {
    let request = LoadRequest {
        users: Some("4".to_owned()),
        iterations: Some("1".to_owned()),
        fit: Some("1s".to_owned()),
        ..<_>::default()
    };
    let plan = resolved(&request, &machine_of(9.0, 1));
    assert_eq!(plan.fit.unwrap().left_out, Reduction { one_iteration: false, halvings: 2 });
}

#[test]
fn the_time_limit_of_a_scenario_is_its_timeout_plus_the_ramp() {
    let request = |phase_peaks| LoadRequest {
        users: Some("50".to_owned()),
        api: vec!["status".to_owned()],
        cli: vec!["status".to_owned()],
        ramp: Some("8m".to_owned()),
        phase_peaks,
        ..<_>::default()
    };
    let limit = |phase_peaks, id| {
        let plan = resolved(&request(phase_peaks), &MACHINE);
        plan.time_limit(id).as_secs() - plan.scenario_timeout.as_secs()
    };
    let minutes = |minutes: u64| minutes * 60;
    assert_eq!(limit(false, ScenarioId::ApiStatus), minutes(16), "two iterations");
    // api:status has 2.5 of 21.5 CPU-seconds, so its group has that share of the ramp.
    let (api, cli) = (limit(true, ScenarioId::ApiStatus), limit(true, ScenarioId::CliStatus));
    assert!(
        api < minutes(2)
            && cli > minutes(14)
            && (minutes(16) - 2..=minutes(16)).contains(&(api + cli))
    );
    let timeout = resolved(&request(true), &MACHINE).scenario_timeout.as_secs();
    let probe = limit(true, ScenarioId::ProbeHealth);
    assert!((timeout + minutes(16) - 2..=timeout + minutes(16)).contains(&probe), "{probe}");
}

#[test]
fn the_work_of_a_remote_server_does_not_reduce_a_load() {
    let server = Some("http://127.0.0.1:1".to_owned());
    let request = LoadRequest { server, ..<_>::default() };
    let plan = resolved(&request, &machine_of(6.0, 1));
    assert!(plan.fit.unwrap().left_out.is_none() && plan.ramp.is_zero());
    assert!(plan.overload().is_none() && plan.setup_interval().is_zero());
}

#[test]
fn sequential_groups_are_smaller_bursts() {
    let request = |phase_peaks| LoadRequest {
        users: Some("3".to_owned()),
        infra: vec!["none".to_owned()],
        phase_peaks,
        ..<_>::default()
    };
    let overload = |phase_peaks| resolved(&request(phase_peaks), &machine_of(1.0, 2)).overload();
    assert!(overload(false).is_some());
    assert!(overload(true) < overload(false));
}

#[test]
fn a_load_that_lasts_for_hours_extends_the_time_limits_of_all_kinds_of_scenarios() {
    let request = LoadRequest {
        users: Some("2".to_owned()),
        api: vec!["status".to_owned()],
        cli: vec!["status".to_owned()],
        hold: vec!["stream=2".to_owned()],
        time: Some("8h".to_owned()),
        ..<_>::default()
    };
    let plan = resolved(&request, &MACHINE);
    for scenario in &plan.scenarios {
        let limit = plan.time_limit(scenario.id);
        assert!(limit >= plan.scenario_timeout + Duration::from_secs(8 * 3600), "{}", scenario.id);
    }
    assert!(plan.scenarios.len() >= 4, "API, CLI, held connections and the health probe");
    // Held connections end after the others have written their outcomes.
    let more = plan.time_limit(ScenarioId::HoldStream) - plan.time_limit(ScenarioId::ApiStatus);
    assert_eq!(more, Duration::from_secs(60));
}
