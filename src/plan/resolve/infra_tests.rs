//! Tests of the infras of a plan: which scenarios run, and where.

use std::collections::BTreeMap;

use rstest::rstest;

use super::tests::{MACHINE, config, words};
use super::*;
use crate::infrastructure::{Infrastructure, LocalInfra};
use crate::plan::PlannedScenario;
use crate::scenario::{Need, Scenario, ScenarioKind};
use crate::units::ByteSize;

#[test]
fn without_flags_the_default_plan_runs_all_scenarios_that_loopback_supports() {
    let plan = LoadPlan::resolve(&LoadRequest::default(), &config(), &MACHINE).unwrap();
    let all = || ScenarioId::ALL.into_iter().filter(|id| id.is_in_all());
    let supported = all().filter(|id| Scenario::of(*id).supports("slurm/loop"));
    assert!(plan.scenarios.iter().map(|planned| planned.id).eq(supported));
    assert_eq!(plan.scenarios.len() + plan.left_out.len(), all().count());
    let settings = &config().plans["default"];
    assert_eq!(plan.infrastructure, Infrastructure::local(LocalInfra::Loopback));
    for scenario in &plan.scenarios {
        let expected = match (Scenario::of(scenario.id).needs, scenario.id.kind()) {
            (_, ScenarioKind::Probe) => (1, 1),
            (Need::Nothing, ScenarioKind::Api) => (settings.users, settings.iterations),
            (Need::Nothing, _) => (settings.cli_users.unwrap(), settings.iterations),
            _ => (settings.infra_users, settings.infra_iterations),
        };
        let (users, iterations) = expected;
        let expected = (users, Some(iterations));
        assert_eq!((scenario.users, scenario.shape.iterations()), expected, "{}", scenario.id);
    }
}

#[test]
fn typed_sizes_apply_to_scenarios_of_every_kind_and_to_each_infra() {
    let request = LoadRequest {
        users: Some("3".to_owned()),
        iterations: Some("4".to_owned()),
        infra: words(&["aws", "gcp/us-east1"]),
        copy_credentials: true,
        ..LoadRequest::default()
    };
    let plan = LoadPlan::resolve(&request, &config(), &MACHINE).unwrap();
    let launch = plan.scenario(ScenarioId::CliLaunch).unwrap();
    assert_eq!((launch.users, launch.shape.iterations()), (6, Some(4)), "three on each of two");
    let status = plan.scenario(ScenarioId::ApiStatus).unwrap();
    assert_eq!((status.users, status.shape.iterations()), (3, Some(4)));
}

#[test]
fn clusters_of_a_burst_that_do_not_fit_into_memory_are_named() {
    let machine = Machine { memory_available: ByteSize::gib(15), ..MACHINE };
    let request = LoadRequest {
        users: Some("30".to_owned()),
        cli: words(&["launch"]),
        api: words(&["none"]),
        ..LoadRequest::default()
    };
    let error = LoadPlan::resolve(&request, &config(), &machine).unwrap_err().to_string();
    let wanted = ["13.2 GiB of it for clusters that stay until the teardown", "fewer users (-n), "];
    assert!(wanted.iter().all(|text| error.contains(text)), "{error}");
    let timed = LoadRequest { time: Some("5m".to_owned()), ..request };
    assert!(LoadPlan::resolve(&timed, &config(), &machine).is_ok(), "clusters are taken down");
}

#[rstest]
#[case::unknown(&["nosuch"], "-c: unknown infra `nosuch`")]
#[case::misspelled(&["kubernets"], "did you mean `kubernetes`?")]
#[case::without_credentials(&["aws"], "the isolated server has no credentials for aws\n  hint: use --copy")]
#[case::mixed(&["loopback", "aws"], "`loopback` cannot be combined")]
fn an_unusable_infra_is_named(#[case] infra: &[&str], #[case] message: &str) {
    let request =
        LoadRequest { infra: words(infra), cli: words(&["launch"]), ..LoadRequest::default() };
    let error = LoadPlan::resolve(&request, &config(), &MACHINE).unwrap_err().to_string();
    assert!(error.contains(message), "{error}");
}

#[test]
fn without_loopback_all_scenarios_run_that_do_not_need_it() {
    let machine = Machine {
        obstacles: BTreeMap::from([(LocalInfra::Loopback, "no Slurm here".to_owned())]),
        ..MACHINE
    };
    let plan = LoadPlan::resolve(&LoadRequest::default(), &config(), &machine).unwrap();
    assert_eq!(plan.infrastructure, Infrastructure::None);
    assert_eq!(plan.without_infrastructure.as_deref(), Some("no Slurm here"));
    let needs = |s: &PlannedScenario| Scenario::of(s.id).needs;
    assert!(plan.scenarios.iter().all(|s| needs(s) == Need::Nothing));
    assert!(plan.scenario(ScenarioId::CliStatus).is_some() && !plan.launches());
}

#[test]
fn if_no_scenario_launches_the_server_gets_no_infra() {
    let request = LoadRequest { cli: words(&["status"]), ..LoadRequest::default() };
    let plan = LoadPlan::resolve(&request, &config(), &MACHINE).unwrap();
    assert_eq!((plan.infrastructure, plan.without_infrastructure), (Infrastructure::None, None));
}

#[rstest]
#[case::named(&["launch"], &[], true)]
#[case::as_part_of_all(&["all"], &[], false)]
#[case::of_both_kinds(&["status"], &["exec"], true)]
fn a_named_scenario_that_cannot_run_is_an_error(
    #[case] cli: &[&str],
    #[case] api: &[&str],
    #[case] is_error: bool,
) {
    let request = LoadRequest {
        cli: words(cli),
        api: words(api),
        infra: words(&["none"]),
        ..LoadRequest::default()
    };
    let result = LoadPlan::resolve(&request, &config(), &MACHINE);
    assert_eq!(result.is_err(), is_error, "{result:?}");
}

/// Plan of a file with one plan, which has one user and `settings`.
fn plan_of(settings: &str) -> LoadPlan {
    let config = Config::parse(&format!("[plans.default]\nusers = 1\n{settings}\n"), "f").unwrap();
    LoadPlan::resolve(&LoadRequest::default(), &config, &MACHINE).unwrap()
}

/// Infras of a scenario.
fn infras(plan: &LoadPlan, id: ScenarioId) -> Vec<&str> {
    plan.scenario(id).unwrap().infras.iter().map(String::as_str).collect()
}

#[rstest]
#[case::on_slurm(
    &[],
    "api:check, api:show_gpus: expected a cloud, got slurm/loop\n  hint: use -c emulated-aws or -c \
     emulated-kubernetes"
)]
#[case::without_an_infra(
    &["none"],
    "api:check, api:show_gpus cannot run without an infra: -c is none\n  hint: use -c \
     emulated-aws or -c emulated-kubernetes"
)]
fn a_named_scenario_that_needs_a_cloud_is_an_error_that_names_the_infra_to_use(
    #[case] infra: &[&str],
    #[case] message: &str,
) {
    let request = LoadRequest {
        api: words(&["check", "show_gpus"]),
        infra: words(infra),
        ..LoadRequest::default()
    };
    let UsageErrors(errors) = LoadPlan::resolve(&request, &config(), &MACHINE).unwrap_err();
    assert!(errors.iter().any(|error| error == message), "{errors:?}");
    let request = LoadRequest { infra: words(&["emulated-aws"]), ..request };
    let plan = LoadPlan::resolve(&request, &config(), &MACHINE).unwrap();
    assert_eq!(infras(&plan, ScenarioId::ApiCheck), ["aws/us-east-1"]);
}

#[test]
fn each_feature_that_is_missing_is_an_error_of_its_own() {
    let request = LoadRequest {
        api: words(&["check", "start_stop"]),
        infra: words(&["slurm/mine"]),
        server: Some("system".to_owned()),
        ..LoadRequest::default()
    };
    let UsageErrors(errors) = LoadPlan::resolve(&request, &config(), &MACHINE).unwrap_err();
    let expected = [
        "api:check: expected a cloud, got slurm/mine\n  hint: name a cloud that the server has \
         enabled, such as -c aws",
        "api:start_stop: expected an infra whose clusters can be stopped, got slurm/mine\n  hint: \
         name an infra whose clusters can be stopped that the server has enabled, such as -c aws",
    ];
    assert_eq!(errors[..2], expected, "{errors:#?}");
}

#[test]
fn scenarios_of_a_list_that_no_infra_supports_are_left_out() {
    let plan = plan_of("infra = \"loopback\"");
    let left_out: Vec<ScenarioId> = plan.left_out.iter().map(|left_out| left_out.id).collect();
    assert!(
        left_out.contains(&ScenarioId::CliCheck) && plan.scenario(ScenarioId::CliCheck).is_none()
    );
    assert!(plan.left_out.iter().all(|left_out| left_out.needs.starts_with("a")), "{left_out:?}");
    assert!(plan_of("infra = \"emulated-aws\"").left_out.is_empty());
}

#[test]
fn scenarios_run_on_all_infras_that_support_them() {
    let plan = plan_of(
        "infra = \"loopback emulated-aws\"\ninfra-users = 2\ncli = \"launch\"\napi = \"status \
         start_stop\"",
    );
    assert_eq!(infras(&plan, ScenarioId::CliLaunch), ["slurm/loop", "aws/us-east-1"]);
    assert_eq!(infras(&plan, ScenarioId::ApiStartStop), ["aws/us-east-1"]);
    assert_eq!(infras(&plan, ScenarioId::ApiStatus), [""; 0]);
    let users = |id| plan.scenario(id).unwrap().users;
    assert_eq!((users(ScenarioId::CliLaunch), users(ScenarioId::ApiStartStop)), (4, 2));
}

#[test]
fn round_robin_runs_each_scenario_on_one_infra_and_a_launch_on_each() {
    let plan = plan_of("infra = \"loopback emulated-aws\"\ninfra-assignment = \"round-robin\"");
    for planned in &plan.scenarios {
        let expected = usize::from(Scenario::of(planned.id).takes_infra());
        assert_eq!(planned.infras.len(), expected, "{}", planned.id);
    }
    for infra in plan.infrastructure.names() {
        let launches = plan.scenarios.iter().filter(|planned| {
            Scenario::of(planned.id).needs == Need::Infrastructure && planned.infras[0] == infra
        });
        assert!(launches.count() >= 2, "{infra}");
    }
    assert_eq!(infras(&plan, ScenarioId::CliJobs), ["aws/us-east-1"], "a cloud, of equals");
    let shared = |need| plan.shared_resources().into_iter().filter(move |(one, _)| *one == need);
    assert_eq!(shared(Need::Service).count(), 1, "one scenario needs a service");
    assert_eq!(shared(Need::Job).count(), 1, "one scenario needs a job");
}

#[test]
fn round_robin_gives_both_infras_a_launch_if_one_scenario_has_no_choice() {
    let plan = plan_of(
        "infra = \"loopback emulated-aws\"\ninfra-assignment = \"round-robin\"\ncli = \
         \"launch\"\napi = \"start_stop\"",
    );
    assert_eq!(infras(&plan, ScenarioId::ApiStartStop), ["aws/us-east-1"]);
    assert_eq!(infras(&plan, ScenarioId::CliLaunch), ["slurm/loop"]);
}

#[test]
fn a_local_infra_without_a_scenario_is_not_started() {
    let plan =
        plan_of("infra = \"loopback emulated-aws\"\ncli = \"status\"\napi = \"start_stop check\"");
    assert_eq!(plan.infrastructure, Infrastructure::local(LocalInfra::EmulatedAws));
}

#[test]
fn scenarios_that_flags_name_run_on_all_infras() {
    let text = "[plans.default]\ninfra = \"loopback emulated-aws\"\ninfra-assignment = \
                \"round-robin\"\n";
    let config = Config::parse(text, "f").unwrap();
    let request = LoadRequest { cli: words(&["launch"]), ..LoadRequest::default() };
    let plan = LoadPlan::resolve(&request, &config, &MACHINE).unwrap();
    assert_eq!(infras(&plan, ScenarioId::CliLaunch).len(), 2);
}

fn machine_without_nodes() -> Machine {
    let reason = "nodes of emulated AWS need root".to_owned();
    Machine { without_nodes: BTreeMap::from([(LocalInfra::EmulatedAws, reason)]), ..MACHINE }
}

#[test]
fn without_nodes_the_control_plane_of_emulated_aws_alone_is_loaded() {
    let request = LoadRequest {
        api: words(&["all"]),
        infra: words(&["emulated-aws"]),
        ..LoadRequest::default()
    };
    let plan = LoadPlan::resolve(&request, &config(), &machine_without_nodes()).unwrap();
    assert_eq!(plan.infrastructure, Infrastructure::local(LocalInfra::EmulatedAws));
    assert_eq!(infras(&plan, ScenarioId::ApiCheck), ["aws/us-east-1"]);
    assert!(plan.scenario(ScenarioId::ApiLaunchAndLogs).is_none() && !plan.launches());
    let left_out: Vec<_> = plan.left_out.iter().map(|left_out| left_out.id).collect();
    assert!(left_out.contains(&ScenarioId::ApiLaunchAndLogs));
    assert_eq!(plan.without_infrastructure.as_deref(), Some("nodes of emulated AWS need root"));
}

#[test]
fn a_named_launch_without_nodes_is_an_error_with_the_reason() {
    let request = LoadRequest {
        cli: words(&["launch"]),
        infra: words(&["emulated-aws"]),
        ..LoadRequest::default()
    };
    let error = LoadPlan::resolve(&request, &config(), &machine_without_nodes()).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("cli:launch: expected an infra to launch on"), "{error}");
    assert!(error.contains("(nodes of emulated AWS need root)"), "{error}");
}

#[test]
fn an_obstacle_to_one_infra_of_a_file_leaves_the_others() {
    let config =
        "[plans.default]\ninfra = \"loopback emulated-aws\"\napi = \"all\"\ncli = \"all\"\n";
    let config = Config::parse(config, "skyload.toml").unwrap();
    let obstacles = BTreeMap::from([(LocalInfra::Loopback, "no Slurm here".to_owned())]);
    let machine = Machine { obstacles, ..MACHINE };
    let plan = LoadPlan::resolve(&LoadRequest::default(), &config, &machine).unwrap();
    assert_eq!(plan.infrastructure, Infrastructure::local(LocalInfra::EmulatedAws));
    assert_eq!(plan.without_infrastructure.as_deref(), Some("no Slurm here"));
}
