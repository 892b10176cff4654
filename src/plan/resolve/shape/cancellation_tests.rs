use rstest::rstest;

use crate::config::Config;
use crate::plan::resolve::tests::{MACHINE, words};
use crate::plan::{LoadPlan, UsageErrors};
use crate::record::request::LoadRequest;
use crate::scenario::ScenarioId;

/// Plan of `api:launch_cancel` on a cloud, or of another scenario.
fn resolve(change: impl FnOnce(&mut LoadRequest), file: &str) -> Result<LoadPlan, Vec<String>> {
    let mut request = LoadRequest {
        api: words(&["launch_cancel"]),
        infra: words(&["aws"]),
        copy_credentials: true,
        users: text("3"),
        ..LoadRequest::default()
    };
    change(&mut request);
    let config = Config::parse(file, "file").unwrap();
    LoadPlan::resolve(&request, &config, &MACHINE).map_err(|UsageErrors(errors)| errors)
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn cancellations(plan: &LoadPlan) -> String {
    let planned = plan.scenario(ScenarioId::ApiLaunchCancel).unwrap();
    planned.cancellations.as_ref().unwrap().to_string()
}

const FILE: &str = r#"
    [plans.default]
    infra-iterations = 3
    probe-every = 7
    stuck-after = "2m"
    [plans.default.scenarios."api:launch_cancel"]
    cancel-after = "3s 1m..2m"
    probe-every = 9
"#;

#[test]
fn flags_replace_the_settings_of_the_scenario_and_those_of_the_plan() {
    let default = resolve(|it| it.iterations = text("2"), "").unwrap();
    let expected = "cancelled after 1s..30s, 1 of 5 is a probe and must finish; suspected wedge \
                    after 5m";
    assert_eq!(cancellations(&default), expected);
    assert!(default.draws());
    let of_file = resolve(|_| {}, FILE).unwrap();
    let expected = "cancelled after 3s 1m..2m, 1 of 9 is a probe and must finish; suspected wedge \
                    after 2m";
    assert_eq!(cancellations(&of_file), expected);
    let typed = resolve(|it| it.cancel_after = text("10s"), FILE).unwrap();
    assert!(cancellations(&typed).starts_with("cancelled after 10s, 1 of 9"));
}

#[test]
fn a_load_that_lasts_for_a_time_waits_for_its_last_launch() {
    let timed = |change: fn(&mut LoadRequest)| {
        let plan = resolve(
            |request| {
                (request.time, request.rate, request.users) = (text("10m"), text("6/m"), None);
                change(request);
            },
            "",
        );
        let plan = plan.unwrap();
        let planned = plan.scenario(ScenarioId::ApiLaunchCancel).unwrap();
        planned.shape.timed().unwrap().graceful_stop.as_secs()
    };
    assert_eq!(timed(|_| {}), 360, "the longest delay, the limit, and 30 s");
    assert_eq!(timed(|request| request.graceful_stop = text("10s")), 10);
}

#[test]
fn a_scenario_may_take_as_long_as_its_stuck_requests() {
    let limit = |stuck: &str| {
        let change = |request: &mut LoadRequest| {
            (request.stuck_after, request.users) = (text(stuck), text("5"));
        };
        let plan = resolve(change, "").unwrap();
        plan.time_limit(ScenarioId::ApiLaunchCancel).as_secs()
    };
    assert_eq!(limit("1m"), 900, "the scenario-timeout");
    assert_eq!(limit("20m"), 3 * 20 * 60 + 30 + 30 + 60);
}

#[test]
fn all_mistakes_are_reported_together() {
    let mistaken = |request: &mut LoadRequest| {
        request.cancel_after = text("5..30");
        request.probe_every = text("1");
        request.stuck_after = text("5");
        request.users = text("5");
    };
    let errors = resolve(mistaken, "").unwrap_err();
    let expected = [
        "--cancel-after: expected a time, such as `10s`, a range, such as `5s..30s`, or several",
        "--probe-every: expected a whole number from 2 to 1000, got `1`",
        "--stuck-after: expected a time, such as `30s` or `5m`, got `5`",
    ];
    assert_eq!(errors.len(), expected.len(), "{errors:#?}");
    for (error, start) in errors.iter().zip(expected) {
        assert!(error.starts_with(start), "{error}\n{start}");
    }
}

#[rstest]
#[case::no_probe("probe-every = 0", "probe-every: expected a number from 2 to 1000, got 0")]
#[case::only_probes("probe-every = 1", "probe-every: expected a number from 2 to 1000, got 1")]
#[case::no_time("stuck-after = \"0s\"", "stuck-after: must be longer than 0s")]
#[case::a_long_delay("cancel-after = \"40days\"", "cancel-after: must be at most 30days")]
fn a_setting_out_of_range_is_a_usage_error(#[case] setting: &str, #[case] message: &str) {
    let file = format!("[plans.default.scenarios.\"api:launch_cancel\"]\n{setting}\n");
    let errors = resolve(|_| {}, &file).unwrap_err();
    assert_eq!(errors, [format!("scenarios.\"api:launch_cancel\".{message}")]);
}

#[rstest]
#[case::of_a_burst(
    "2",
    "2",
    Some("api:launch_cancel: none of 4 iterations is a probe launch (1 of 5)")
)]
#[case::enough_for_one("5", "1", None)]
fn a_load_without_a_probe_launch_is_a_usage_error(
    #[case] users: &str,
    #[case] iterations: &str,
    #[case] message: Option<&str>,
) {
    let size = |request: &mut LoadRequest| {
        (request.users, request.iterations) = (text(users), text(iterations));
    };
    let errors = resolve(size, "").err().unwrap_or_default();
    assert_eq!(errors.len(), usize::from(message.is_some()), "{errors:#?}");
    assert!(message.is_none_or(|message| errors[0].starts_with(message)), "{errors:#?}");
}

#[test]
fn flags_without_a_launch_to_cancel_are_usage_errors() {
    let other = |request: &mut LoadRequest| {
        request.api = words(&["status"]);
        request.cancel_after = text("5s");
        request.probe_every = text("3");
        request.stuck_after = text("1m");
    };
    let errors = resolve(other, "").unwrap_err();
    for flag in ["--cancel-after", "--probe-every", "--stuck-after"] {
        let message =
            format!("{flag}: no selected scenario cancels launches; add `--api launch_cancel`");
        assert!(errors.iter().any(|error| error.starts_with(&message)), "{errors:#?}");
    }
    assert_eq!(errors.len(), 3, "{errors:#?}");
}

#[test]
fn all_leaves_the_scenario_out_and_a_probe_may_be_thresholded() {
    let all = resolve(|it| it.api = words(&["all"]), "").unwrap();
    assert!(all.scenario(ScenarioId::ApiLaunchCancel).is_none());
    let with = |threshold: &str| {
        let change = |request: &mut LoadRequest| {
            (request.thresholds, request.users) = (words(&[threshold]), text("5"));
        };
        resolve(change, "")
    };
    assert!(with("api:launch_cancel step launch p95 < 2m").is_ok());
    assert!(with("api:launch_cancel step cancel max < 10s").is_ok());
    assert!(with("api:launch_cancel step logs/get max < 10s").is_err());
}
