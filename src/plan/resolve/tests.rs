//! What flags and files amount to, and all that can be wrong with them.

use super::*;
use crate::class::ProcessClass;
use crate::plan::BudgetSubject;
use crate::units::ByteSize;

const MACHINE: Machine =
    Machine { memory_total: ByteSize::gib(24), memory_available: ByteSize::gib(22) };

fn config() -> Config {
    Config::parse(include_str!("../../../skyload.toml"), "skyload.toml").unwrap()
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn without_flags_the_default_profile_runs_everything() {
    let plan = LoadPlan::resolve(&LoadRequest::default(), &config(), MACHINE).unwrap();
    assert_eq!(plan.scenarios.len(), ScenarioId::ALL.len());
    let profile = &config().profiles["default"];
    let of_api = |s: &&PlannedScenario| s.id.kind() == ScenarioKind::Api;
    let mut api = plan.scenarios.iter().filter(of_api);
    assert!(api.all(|scenario| scenario.users == profile.requests_per_scenario));
}

#[test]
fn naming_api_scenarios_leaves_the_cli_out_and_keeps_the_bystander() {
    let request = LoadRequest {
        apis: words(&["status,validate", "status"]),
        requests_per_scenario: Some("50".to_owned()),
        ..LoadRequest::default()
    };
    let plan = LoadPlan::resolve(&request, &config(), MACHINE).unwrap();
    let ids: Vec<_> = plan.scenarios.iter().map(|s| s.id).collect();
    assert_eq!(ids, [ScenarioId::ApiStatus, ScenarioId::ApiValidate, ScenarioId::ProbeHealth]);
    assert_eq!(plan.scenarios[0].users, 50);
}

#[test]
fn all_mistakes_are_reported_together() {
    let request = LoadRequest {
        requests_per_scenario: Some("abc".to_owned()),
        apis: words(&["nosuch"]),
        requests: words(&["launchh"]),
        budgets: words(&["short=1XB", "server"]),
        sky: Some("latest".to_owned()),
        server: Some("ftp://x".to_owned()),
        profile: Some("smok".to_owned()),
        waves: Some("0".to_owned()),
        ..LoadRequest::default()
    };
    let UsageErrors(mistakes) = LoadPlan::resolve(&request, &config(), MACHINE).unwrap_err();
    assert_eq!(mistakes.len(), 10, "{mistakes:#?}");
    assert!(mistakes.iter().any(|m| m.contains("did you mean `smoke`")), "{mistakes:#?}");
    assert!(mistakes.iter().any(|m| m.contains("cli_status, validate")), "{mistakes:#?}");
}

#[test]
fn zero_requests_are_refused() {
    let request =
        LoadRequest { requests_per_scenario: Some("0".to_owned()), ..LoadRequest::default() };
    assert!(LoadPlan::resolve(&request, &config(), MACHINE).is_err());
}

#[test]
fn a_flag_overrides_the_budget_of_the_file() {
    let request =
        LoadRequest { budgets: words(&["short-executor=100MiB"]), ..LoadRequest::default() };
    let plan = LoadPlan::resolve(&request, &config(), MACHINE).unwrap();
    let short = BudgetSubject::Class(ProcessClass::ShortExecutor);
    let budget = plan.budgets.iter().find(|budget| budget.subject == short).unwrap();
    assert_eq!(budget.limit, Some(ByteSize::mib(100)));
    assert_eq!(plan.budgets.len(), 4);
}

#[test]
fn a_budget_for_a_server_out_of_sight_is_refused() {
    let request = LoadRequest {
        server: Some("http://127.0.0.1:1".to_owned()),
        budgets: words(&["server=1GiB"]),
        ..LoadRequest::default()
    };
    let error = LoadPlan::resolve(&request, &config(), MACHINE).unwrap_err();
    assert!(error.to_string().contains("cannot be measured"), "{error}");
}

#[test]
fn auto_is_for_classes_that_skypilot_has_a_constant_for() {
    let request = LoadRequest { budgets: words(&["queue=auto"]), ..LoadRequest::default() };
    assert!(LoadPlan::resolve(&request, &config(), MACHINE).is_err());
}
