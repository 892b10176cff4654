//! NEXT after loads of any shape: a command that is no usage error.

use std::time::Duration;

use clap::{Args as _, Command, FromArgMatches as _};
use rstest::rstest;
use skyload::analysis::{Evidence, Report, Verdict};
use skyload::config::Config;
use skyload::limits::Cpus;
use skyload::metric::{Amount, ServerMetric};
use skyload::plan::{Fit, LoadPlan, Reduction, Speed};
use skyload::record::events::{Event, StopReason};
use skyload::record::request::LoadRequest;
use skyload::render::next_step;
use skyload::scenario::ScenarioId;

use super::changes::Change as _;
use super::evidence::{LOAD_ENDED, config, good_run_of, plan};

/// Plans with shapes of their own.
const SHAPES: &str = r#"
[plans.default]

[plans.rates]
ramp = "auto"
fit = "5m"
cli = "none"
api = "status validate"
rate = "5/s"
for = "1m"
[plans.rates.thresholds]
"api:status" = [{ when = "p95 < 1h", abort = true }]

[plans.loops]
cli = "none"
api = "status validate"
users = 4
for = "1m"
pause = "1s..3s"

[plans.held]
cli = "none"
api = "status validate"
hold = "logs=3"
users = 4

[plans.stages]
cli = "none"
api = "status"
stages = "4 in 1m, 4 for 2m"

[plans.mixed]
ramp = "auto"
fit = "5m"
cli = "none"
api = "status validate cli_status"
users = 4
iterations = 1
[plans.mixed.scenarios."api:status"]
rate = "5/s"
for = "1m"
max-in-flight = 4
"#;

/// Request of a command line.
fn request(command: &str) -> LoadRequest {
    let args = shlex::split(command).expect("the test's data is valid");
    let load = Command::new("load").no_binary_name(true);
    let matches = LoadRequest::augment_args(load)
        .try_get_matches_from(&args[3..])
        .expect("the test's data is valid");
    LoadRequest::from_arg_matches(&matches).expect("the test's data is valid")
}

/// Plan of a command line, or its usage errors.
fn resolved(config: &Config, command: &str) -> LoadPlan {
    plan(config, &request(command)).unwrap_or_else(|errors| panic!("`{command}`: {errors}"))
}

fn shapes() -> Config {
    Config::parse(SHAPES, "shapes").expect("the test's data is valid")
}

/// Evidence of a run of a command line on a machine of a known speed.
fn run_of(config: &Config, command: &str) -> Evidence {
    let mut run = good_run_of(config, &request(command));
    let import = Duration::from_secs(1);
    let cpus = Cpus { allowed: 2, quota: None };
    run.plan.speed = Some(Speed { cpus, import, elapsed: import, concurrency: 1, others: None });
    run.plan.budgets.clear();
    run
}

fn after(run: &Evidence, verdict: Verdict) -> String {
    let report = Report::assemble(run);
    assert_eq!(report.verdict, verdict, "{:#?}", report.findings);
    next_step(&report).command
}

/// Pass of a remote server. Without a profile there are no constants to recommend.
fn passes(run: &mut Evidence) -> Verdict {
    run.profile.clear();
    run.processes = None;
    Verdict::Pass
}

fn is_over_budget(run: &mut Evidence) -> Verdict {
    run.limit(ServerMetric::Threads, Amount::Count(1));
    Verdict::OverBudget
}

fn fails(run: &mut Evidence) -> Verdict {
    run.fail_iterations(1);
    Verdict::ScenarioFailed
}

fn probe_fails(run: &mut Evidence) -> Verdict {
    run.fail_iterations_of(ScenarioId::ProbeHealth, 1);
    Verdict::ScenarioFailed
}

fn is_inconclusive(run: &mut Evidence) -> Verdict {
    run.happens(LOAD_ENDED - 1, Event::LoadStopped(StopReason::Interrupted));
    Verdict::Inconclusive
}

fn was_reduced(run: &mut Evidence) -> Verdict {
    let [within, wanted, planned] = [300, 600, 280].map(Duration::from_secs);
    let left_out = Reduction { one_iteration: true, halvings: 1 };
    run.plan.fit = Some(Fit { within, wanted, planned, left_out });
    run.plan.scenarios.iter_mut().for_each(|planned| planned.users = 4);
    is_inconclusive(run)
}

#[rstest]
fn the_next_command_is_no_usage_error(
    #[values(
        "--api status --rate 2/s --for 1m",
        "--api status validate --rate 9000/s --for 1m --max-in-flight 8 --warm-up 5s",
        "--api status --stages '50 in 2m, 50 for 5m, 0 in 1m' --pause 1s",
        "--api status --stages '1 for 5m'",
        "--api status --stages '9000 for 5m'",
        "--api status --stages '20/s in 1m, 20/s for 5m' --threshold 'api:status stage 2 p95 < 1h'",
        "--api status validate -n 4 --for 1m --ramp 20s",
        "--api status -n 4",
        "--api status validate -n 4 --hold stream=3,logs",
        "--plan held",
        "--plan rates",
        "--plan rates --for 30s",
        "--plan rates --api status --max-in-flight 20",
        "--plan loops",
        "--plan loops -n 3",
        "--plan stages",
        "--plan mixed",
        "--plan mixed --seed 7 --ramp 10s",
        "--plan mixed -n 4 --for 10s --pause 1s --graceful-stop 5s"
    )]
    flags: &str,
    #[values(is_over_budget, fails, probe_fails, is_inconclusive, was_reduced)]
    change: fn(&mut Evidence) -> Verdict,
    #[values(true, false)] is_recorded: bool,
) {
    let config = shapes();
    let mut run = run_of(&config, &format!("cargo xtask load {flags}"));
    if !is_recorded {
        run.request = None;
    }
    let verdict = change(&mut run);
    resolved(&config, &after(&run, verdict));
}

#[rstest]
fn the_next_command_after_a_pass_is_no_usage_error(
    #[values(
        "--api status --rate 2/s --for 1m",
        "--api status --stages '50 in 2m, 50 for 5m, 0 in 1m'",
        "--api status -n 4 --for 1m",
        "--plan rates",
        "--plan loops",
        "--plan mixed"
    )]
    flags: &str,
    #[values(true, false)] is_recorded: bool,
) {
    let config = shapes();
    let server = "--server http://127.0.0.1:9";
    let mut run = run_of(&config, &format!("cargo xtask load {server} {flags}"));
    if !is_recorded {
        run.request = None;
    }
    let verdict = passes(&mut run);
    resolved(&config, &after(&run, verdict));
}

#[rstest]
#[case::rate("--rate 2/s --for 1m", "--rate 4/s --for 1m", "--rate 1/s --for 1m")]
#[case::users_in_stages(
    "--stages '3 in 2m, 0 in 1m'",
    "--stages '6 in 2m, 0 in 1m'",
    "--stages '2 in 2m, 0 in 1m'"
)]
#[case::rates_in_stages(
    "--stages '20/s in 2m' --max-in-flight 9",
    "--stages '40/s in 2m' --max-in-flight 9",
    "--stages '10/s in 2m' --max-in-flight 9"
)]
#[case::closed_loop("-n 4 --for 1m", "-n 8 --for 1m", "-n 2 --for 1m")]
fn a_typed_load_is_doubled_and_halved(
    #[case] flags: &str,
    #[case] doubled: &str,
    #[case] halved: &str,
) {
    let (config, server) = (config(), "--server http://127.0.0.1:9");
    let after = |change: fn(&mut Evidence) -> Verdict| {
        let mut run = run_of(&config, &format!("cargo xtask load {server} --api status {flags}"));
        let verdict = change(&mut run);
        request(&after(&run, verdict))
    };
    let expected =
        |flags: &str| request(&format!("cargo xtask load {server} --api status {flags}"));
    assert_eq!(after(passes), expected(doubled));
    assert_eq!(
        after(|run| {
            passes(run);
            fails(run)
        }),
        expected(halved)
    );
}

#[rstest]
#[case::too_many_to_double("--for 1m --rate 9000/s", passes)]
#[case::one_user_in_stages("--stages '1 for 1m'", fails)]
fn a_load_that_cannot_be_scaled_is_repeated(
    #[case] flags: &str,
    #[case] change: fn(&mut Evidence) -> Verdict,
) {
    let command = format!("cargo xtask load --server http://127.0.0.1:9 --api status {flags}");
    let mut run = run_of(&config(), &command);
    passes(&mut run);
    let verdict = change(&mut run);
    assert_eq!(after(&run, verdict), command);
}

#[rstest]
#[case::connections(
    "--api status -n 1 --hold stream=9 --for 90s",
    ScenarioId::HoldStream,
    Some("3m")
)]
#[case::iterations("--api status -n 9 --for 2m", ScenarioId::ApiStatus, Some("4m"))]
#[case::no_load_may_last_as_long("--api status -n 9 --for 16d", ScenarioId::ApiStatus, Some("16d"))]
#[case::time_of_a_plan("--plan loops", ScenarioId::ApiStatus, None)]
fn a_load_that_was_too_short_gets_twice_the_time(
    #[case] flags: &str,
    #[case] id: ScenarioId,
    #[case] time: Option<&str>,
) {
    let config = shapes();
    let mut run = run_of(&config, &format!("cargo xtask load {flags}"));
    let segment = &mut run.outcomes.get_mut(&id).expect("it is planned").segments[0];
    segment.interrupted = segment.succeeded;
    segment.succeeded = 0;
    let command = after(&run, Verdict::Inconclusive);
    assert_eq!(request(&command).time.as_deref(), time, "{command}");
    resolved(&config, &command);
}

#[test]
fn bursts_of_a_mixed_plan_are_halved_alone() {
    let config = shapes();
    let mut run = run_of(&config, "cargo xtask load --plan mixed");
    run.fail_iterations_of(ScenarioId::ApiValidate, 1);
    let command = after(&run, Verdict::ScenarioFailed);
    assert_eq!(command, "cargo xtask load --plan mixed --api validate -n 2");
    resolved(&config, &command);
}

#[rstest]
#[case::of_a_flag(
    "--api status validate -n 4 --hold stream=3",
    "--api validate --hold 'stream=3' -n 2"
)]
#[case::of_a_plan("--plan held", "--plan held --api validate --hold 'logs=3' -n 2")]
fn connections_go_on_beside_a_smaller_load(#[case] flags: &str, #[case] halved: &str) {
    let config = shapes();
    let mut run = run_of(&config, &format!("cargo xtask load {flags}"));
    run.fail_iterations_of(ScenarioId::ApiValidate, 1);
    let command = after(&run, Verdict::ScenarioFailed);
    assert_eq!(command, format!("cargo xtask load {halved}"));
    resolved(&config, &command);
}

#[test]
fn the_load_is_halved_if_only_held_connections_failed() {
    let config = shapes();
    let mut run = run_of(&config, "cargo xtask load --api status -n 4 --hold stream=3");
    run.fail_iterations_of(ScenarioId::HoldStream, 1);
    let command = after(&run, Verdict::ScenarioFailed);
    assert_eq!(command, "cargo xtask load --api status --hold 'stream=3' -n 2");
    let alone = "cargo xtask load --hold 'stream=3' --for 1m";
    let mut run = run_of(&config, alone);
    run.fail_iterations_of(ScenarioId::HoldStream, 1);
    // With the ramp that the run had.
    let again = "cargo xtask load --hold 'stream=3' --ramp 0s --for 1m";
    assert_eq!(after(&run, Verdict::ScenarioFailed), again);
}

#[rstest]
#[case::rates("--api status validate --rate 5/s --for 1m --max-in-flight 9 --warm-up 5s")]
#[case::closed_loop("--api status -n 4 --for 1m --pause 1s..3s --graceful-stop 5s --seed 7")]
#[case::stages("--api status -c none --stages '4 in 1m, 0 in 10s'")]
#[case::thresholds("--api status -n 4 --threshold 'api:status p95 < 9s'")]
#[case::iterations("--api status -n 4 --iterations 7")]
#[case::held_connections("--api status -n 4 --hold stream=3")]
#[case::held_connections_alone("--hold stream=3 logs=2 --for 1m")]
#[case::a_plan_with_abort("--plan rates")]
#[case::a_mixed_plan("--plan mixed")]
fn a_plan_without_its_request_is_repeated_as_it_was(#[case] flags: &str) {
    let config = shapes();
    let mut run = run_of(&config, &format!("cargo xtask load {flags}"));
    is_inconclusive(&mut run);
    run.request = None;
    let again = resolved(&config, &after(&run, Verdict::Inconclusive));
    assert_eq!((again.scenarios, again.seed), (run.plan.scenarios, run.plan.seed));
    assert_eq!(again.thresholds, run.plan.thresholds);
}
