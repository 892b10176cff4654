use rstest::rstest;

use crate::config::Config;
use crate::plan::resolve::tests::MACHINE;
use crate::plan::{LoadPlan, Machine, UsageErrors};
use crate::record::request::LoadRequest;
use crate::scenario::ScenarioId;
use crate::units::ByteSize;

/// Plan of these flags, `--` and a name each, with a value.
fn plan(flags: &[(&str, &str)], file: &str) -> Result<LoadPlan, UsageErrors> {
    let text = |name: &str| {
        let found = flags.iter().find(|(flag, _)| *flag == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let request = LoadRequest {
        api: vec![text("api").unwrap_or_else(|| "status".to_owned())],
        infra: vec!["none".to_owned()],
        server: text("server"),
        users: text("users"),
        iterations: text("iterations"),
        time: text("for"),
        pause: text("pause"),
        rate: text("rate"),
        max_in_flight: text("max-in-flight"),
        stages: text("stages"),
        warm_up: text("warm-up"),
        graceful_stop: text("graceful-stop"),
        ramp: text("ramp"),
        fit: text("fit"),
        seed: text("seed"),
        ..LoadRequest::default()
    };
    LoadPlan::resolve(&request, &Config::parse(file, "file").unwrap(), &MACHINE)
}

fn shape(flags: &[(&str, &str)], file: &str) -> String {
    let plan = plan(flags, file).unwrap();
    let planned = plan.scenario(ScenarioId::ApiStatus).unwrap();
    format!("{} users, {}", planned.users, planned.shape)
}

fn errors(flags: &[(&str, &str)], file: &str) -> Vec<String> {
    let UsageErrors(errors) = plan(flags, file).unwrap_err();
    errors
}

#[rstest]
#[case::burst(&[("users", "3")], "3 users, 2 iterations")]
#[case::iterations(&[("iterations", "4")], "5 users, 4 iterations")]
#[case::closed_loop(&[("users", "3"), ("for", "5m")], "3 users, 3 for 5m")]
#[case::pause(
    &[("users", "3"), ("for", "5m"), ("pause", "1s..2s")],
    "3 users, 3 for 5m, pause 1s..2s"
)]
#[case::warm_up(
    &[("users", "3"), ("for", "5m"), ("warm-up", "30s")],
    "3 users, 3 for 30s, 3 for 5m, warm-up 30s"
)]
#[case::rate(&[("rate", "20/s"), ("for", "2m")], "500 users, 20/s for 2m")]
#[case::cap(&[("rate", "20/s"), ("for", "2m"), ("max-in-flight", "9")], "9 users, 20/s for 2m")]
#[case::stages(
    &[("stages", "5 in 2m, 7 for 5m, 0 in 1m")],
    "7 users, 5 in 2m, 7 for 5m, 0 in 1m"
)]
#[case::stages_of_a_rate(&[("stages", "5/s in 2m")], "500 users, 5/s in 2m")]
fn flags_name_a_shape(#[case] flags: &[(&str, &str)], #[case] expected: &str) {
    assert_eq!(shape(flags, ""), expected);
}

const RATE: &str = "[plans.default.scenarios.\"api:status\"]\nrate = \"20/s\"\nfor = \"1m\"\n";

#[rstest]
#[case::of_the_plan("[plans.default]\nfor = \"1m\"\nusers = 4\n", "4 users, 4 for 1m")]
#[case::of_a_scenario(RATE, "500 users, 20/s for 1m")]
#[case::of_another_scenario(
    "[plans.default.scenarios.\"api:validate\"]\nusers = 9\n",
    "5 users, 2 iterations"
)]
#[case::of_a_scenario_before_the_plan(
    "[plans.default]\nfor = \"1m\"\n[plans.default.scenarios.\"api:status\"]\niterations = 3\n",
    "5 users, 3 iterations"
)]
#[case::time_of_the_plan(
    "[plans.default]\nfor = \"3m\"\n[plans.default.scenarios.\"api:status\"]\nrate = \"1/s\"\n",
    "500 users, 1/s for 3m"
)]
fn a_file_names_a_shape(#[case] file: &str, #[case] expected: &str) {
    assert_eq!(shape(&[], file), expected);
}

#[test]
fn a_typed_time_replaces_that_of_a_rate() {
    assert_eq!(shape(&[("for", "10s")], RATE), "500 users, 20/s for 10s");
}

#[rstest]
#[case::rate_and_users(
    &[("rate", "1/s"), ("for", "1m"), ("users", "3")],
    &["--rate with -n: an arrival rate has no users; remove one"]
)]
#[case::time_and_iterations(
    &[("for", "1m"), ("iterations", "3")],
    &["--for with --iterations: a load has a number of iterations or a time; remove one"]
)]
#[case::stages_and_all_else(
    &[("stages", "3 for 1m"), ("users", "3"), ("for", "1m"), ("rate", "1/s")],
    &["--rate with -n", "--rate with --stages", "--stages with -n", "--stages with --for"]
)]
#[case::rate_without_a_time(&[("rate", "1/s")], &["api:status: --rate without a time"])]
#[case::pause_of_a_burst(&[("pause", "1s")], &["--pause: no selected scenario is a closed loop"])]
#[case::cap_of_a_burst(&[("max-in-flight", "5")], &["--max-in-flight: no selected scenario has"])]
#[case::warm_up_of_a_burst(&[("warm-up", "5s")], &["--warm-up: no selected scenario lasts"])]
#[case::ramp_of_a_rate(
    &[("rate", "1/s"), ("for", "1m"), ("ramp", "10s")],
    &["--ramp: no selected scenario begins with all of its users"]
)]
#[case::fit_of_a_loop(
    &[("users", "3"), ("for", "1m"), ("fit", "5m")],
    &["--fit: no selected scenario is a burst"]
)]
#[case::fit_of_a_rate(
    &[("rate", "1/s"), ("for", "1m"), ("fit", "5m")],
    &["--fit: no selected scenario is a burst"]
)]
#[case::warm_up_of_all_stages(
    &[("stages", "3 for 1m"), ("warm-up", "1m")],
    &["warm-up: expected less than the 1m of all stages"]
)]
#[case::nothing_in_stages(&[("stages", "0 for 1m")], &["--stages: expected a stage above 0"])]
#[case::no_time(&[("for", "0s")], &["--for: must be longer than 0s"])]
#[case::no_rate(&[("rate", "0/s"), ("for", "1m")], &["--rate: must be above 0"])]
#[case::no_unit(&[("for", "5")], &["--for: expected a time, such as `30s` or `5m`, got `5`"])]
#[case::not_a_number(&[("rate", "NaN/s"), ("for", "1m")], &["--rate: expected a rate"])]
#[case::all_at_once(
    &[("rate", "x"), ("for", "y"), ("max-in-flight", "0"), ("seed", "z")],
    &["--for: expected", "--rate: expected", "--max-in-flight: expected", "--seed: expected"]
)]
fn contradictory_flags_are_usage_errors(#[case] flags: &[(&str, &str)], #[case] expected: &[&str]) {
    let errors = errors(flags, "");
    assert_eq!(errors.len(), expected.len(), "{errors:#?}");
    for (error, expected) in errors.iter().zip(expected) {
        assert!(error.contains(expected), "{errors:#?}");
    }
}

#[rstest]
#[case::users_for_a_rate(&[("users", "3")], RATE, "-n with an arrival rate of the plan")]
#[case::time_for_stages(
    &[("for", "1m")],
    "[plans.default]\nstages = \"3 for 1m\"\n",
    "--for with stages of the plan"
)]
#[case::a_cap_that_nothing_uses(
    &[],
    "[plans.default.scenarios.\"api:status\"]\nmax-in-flight = 3\n",
    "scenarios.\"api:status\".max-in-flight: no selected scenario has an arrival rate"
)]
fn a_setting_without_an_effect_is_a_usage_error(
    #[case] flags: &[(&str, &str)],
    #[case] file: &str,
    #[case] expected: &str,
) {
    let errors = errors(flags, file);
    assert!(errors.len() == 1 && errors[0].contains(expected), "{errors:#?}");
}

#[test]
fn memory_limits_the_iterations_of_a_rate_at_a_time() {
    let machine = Machine { memory_available: ByteSize::gib(8), ..MACHINE };
    let request = LoadRequest {
        api: vec!["status".to_owned()],
        infra: vec!["none".to_owned()],
        rate: Some("20/s".to_owned()),
        time: Some("1m".to_owned()),
        ..LoadRequest::default()
    };
    let plan = LoadPlan::resolve(&request, &Config::default(), &machine).unwrap();
    let planned = plan.scenario(ScenarioId::ApiStatus).unwrap();
    assert!((5..50).contains(&planned.concurrency), "{planned:?}");
}

#[rstest]
#[case::iterations(&[("iterations", "3")], "5 users, 3 iterations")]
#[case::stages(&[("stages", "2 for 1m")], "2 users, 2 for 1m, warm-up 5s")]
fn flags_replace_the_whole_shape_of_a_plan(#[case] flags: &[(&str, &str)], #[case] expected: &str) {
    let file =
        "[plans.default]\nrate = \"1/s\"\nfor = \"1m\"\nwarm-up = \"5s\"\nmax-in-flight = 3\n";
    assert_eq!(shape(flags, file), expected);
}

#[test]
fn more_arrivals_than_any_load_needs_are_a_usage_error() {
    let errors = errors(&[("rate", "10000/s"), ("for", "1day")], "");
    assert!(errors[0].contains("expected at most 100000000 arrivals"), "{errors:?}");
}

#[test]
fn a_launch_that_is_taken_down_is_waited_for() {
    let request = |time: Option<&str>| LoadRequest {
        cli: vec!["launch".to_owned()],
        run_async: true,
        time: time.map(str::to_owned),
        ..LoadRequest::default()
    };
    let resolve = |request| LoadPlan::resolve(&request, &Config::default(), &MACHINE);
    assert!(resolve(request(None)).is_ok());
    let UsageErrors(errors) = resolve(request(Some("5m"))).unwrap_err();
    assert!(errors[0].starts_with("--run-async: iterations of a load"), "{errors:?}");
}

#[rstest]
#[case::users_of_the_file(&[], "20 users, 2 iterations")]
#[case::typed_users(&[("users", "30")], "30 users, 2 iterations")]
#[case::closed_loop(&[("for", "5m")], "20 users, 20 for 5m")]
#[case::typed_stages(&[("stages", "30 for 1m")], "30 users, 30 for 1m")]
#[case::rate(&[("rate", "20/s"), ("for", "2m")], "50 users, 20/s for 2m")]
#[case::typed_cap(&[("rate", "20/s"), ("for", "2m"), ("max-in-flight", "90")], "90 users, 20/s for 2m")]
fn a_load_on_another_machine_has_a_cap_that_flags_raise(
    #[case] flags: &[(&str, &str)],
    #[case] expected: &str,
) {
    const FILE: &str = "[plans.default]\nusers = 40\n";
    let on = |server| shape(&[flags, &[("server", server)]].concat(), FILE);
    assert_eq!(on("https://h.org/east"), expected);
    assert_eq!(on("http://10.0.0.1:46580"), expected);
    let local = shape(flags, FILE);
    assert_eq!(on("http://localhost:1"), local);
}

#[rstest]
#[case::of_the_file(&[], 20)]
#[case::typed(&["stream=100"], 100)]
fn typed_connections_are_not_capped_on_another_machine(#[case] typed: &[&str], #[case] users: u32) {
    const FILE: &str = "[plans.default]\napi = \"status\"\ncli = \"none\"\nhold = \"stream=90\"\n";
    let request = LoadRequest {
        server: Some("https://h.org".to_owned()),
        hold: typed.iter().map(|text| (*text).to_owned()).collect(),
        time: Some("1m".to_owned()),
        ..LoadRequest::default()
    };
    let config = Config::parse(FILE, "f").unwrap();
    let plan = LoadPlan::resolve(&request, &config, &MACHINE).unwrap();
    assert_eq!(plan.scenario(ScenarioId::HoldStream).map(|planned| planned.users), Some(users));
}

#[test]
fn a_cap_of_the_file_is_capped_on_another_machine() {
    const FILE: &str = "[plans.default]\nrate = \"20/s\"\nfor = \"2m\"\nmax-in-flight = 300\n";
    assert_eq!(shape(&[("server", "https://h.org")], FILE), "50 users, 20/s for 2m");
    assert_eq!(shape(&[("server", "http://localhost:1")], FILE), "300 users, 20/s for 2m");
}

#[test]
fn stages_of_the_file_are_capped_on_another_machine() {
    const FILE: &str = "[plans.default]\nstages = \"40 for 1m, 10 for 1m\"\n";
    assert_eq!(shape(&[("server", "https://h.org")], FILE), "20 users, 20 for 1m, 10 for 1m");
}
