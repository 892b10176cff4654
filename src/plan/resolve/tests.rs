//! Tests of the resolution of flags and files, and of its usage errors.

use std::collections::BTreeMap;

use super::*;
use crate::class::ProcessClass;
use crate::limits::{AvailableMemory, MachineLimits, OpenFiles};
use crate::metric::{Amount, Metric, ServerMetric};
use crate::scenario::Group;
use crate::units::ByteSize;
use rstest::rstest;

pub(super) const MACHINE: Machine = Machine {
    memory_total: ByteSize::gib(24),
    memory_available: ByteSize::gib(22),
    limits: MachineLimits::NONE,
    obstacles: BTreeMap::new(),
    without_nodes: BTreeMap::new(),
    speed: None,
    shell: Vec::new(),
};

pub(super) fn config() -> Config {
    Config::parse(include_str!("../../../skyload.toml"), "skyload.toml").unwrap()
}

pub(super) fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn times_that_are_too_long_are_errors() {
    let config = "[plans.default]\nbaseline = \"5000years\"\nscenario-timeout = \"31days\"\n";
    let config = Config::parse(config, "skyload.toml").unwrap();
    let UsageErrors(errors) =
        LoadPlan::resolve(&LoadRequest::default(), &config, &MACHINE).unwrap_err();
    let named = |key: &str| errors.iter().any(|error| error.starts_with(key));
    assert!(named("baseline: must be at most 30days"), "{errors:?}");
    assert!(named("scenario-timeout: ") && !named("cooldown: "), "{errors:?}");
}

#[test]
fn groups_run_sequentially_only_with_phase_peaks() {
    let plan = |phase_peaks| {
        let request = LoadRequest { phase_peaks, ..LoadRequest::default() };
        LoadPlan::resolve(&request, &config(), &MACHINE).unwrap()
    };
    assert!(plan(false).groups().is_empty());
    assert_eq!(plan(true).groups(), Group::ALL);
}

#[rstest]
#[case::typed(
    "",
    true,
    true,
    "--phase-peaks: sampling cannot reset peaks; remove it or --peaks sampled"
)]
#[case::of_the_file(
    "peaks = \"sampled\"\nphase-peaks = true",
    false,
    false,
    "[profiler] phase-peaks: sampling cannot reset peaks; remove it or [profiler] peaks = \"sampled\""
)]
#[case::a_flag_against_the_file(
    "peaks = \"sampled\"",
    true,
    false,
    "--phase-peaks: sampling cannot reset peaks; remove it or [profiler] peaks"
)]
#[case::the_file_against_a_flag(
    "phase-peaks = true",
    false,
    true,
    "[profiler] phase-peaks: sampling cannot reset peaks; remove it or --peaks sampled"
)]
fn phase_peaks_with_sampling_are_an_error_that_names_what_was_written(
    #[case] file: &str,
    #[case] phase_peaks: bool,
    #[case] sampled: bool,
    #[case] message: &str,
) {
    let text = format!("[plans.default]\n[profiler]\n{file}\n");
    let config = Config::parse(&text, "skyload.toml").unwrap();
    let peaks = sampled.then_some(crate::record::profile::LevelChoice::Sampled);
    let request = LoadRequest { phase_peaks, peaks, ..LoadRequest::default() };
    let UsageErrors(errors) = LoadPlan::resolve(&request, &config, &MACHINE).unwrap_err();
    let [error] = &errors[..] else { panic!("{errors:#?}") };
    assert!(error.starts_with(message), "{error}");
    // The file's setting has no effect on a remote server.
    let remote = LoadRequest { server: Some("http://127.0.0.1:1".to_owned()), ..<_>::default() };
    assert!(!LoadPlan::resolve(&remote, &config, &MACHINE).unwrap().phase_peaks);
}

#[rstest]
#[case::near("stauts", "did you mean `status`?")]
#[case::far("nothing-like-it", "valid: status, ")]
fn an_unknown_scenario_is_an_error_with_the_valid_names(#[case] word: &str, #[case] message: &str) {
    let request = LoadRequest { cli: words(&[word]), ..LoadRequest::default() };
    let UsageErrors(errors) = LoadPlan::resolve(&request, &config(), &MACHINE).unwrap_err();
    assert!(errors[0].contains(message), "{errors:#?}");
}

#[test]
fn naming_api_scenarios_leaves_the_cli_out_and_keeps_the_health_probe() {
    let request = LoadRequest {
        api: words(&["status,validate", "status"]),
        users: Some("50".to_owned()),
        ..LoadRequest::default()
    };
    let plan = LoadPlan::resolve(&request, &config(), &MACHINE).unwrap();
    let ids: Vec<_> = plan.scenarios.iter().map(|s| s.id).collect();
    assert_eq!(ids, [ScenarioId::ApiStatus, ScenarioId::ApiValidate, ScenarioId::ProbeHealth]);
    assert_eq!(plan.scenarios[0].users, 50);
}

#[test]
fn all_usage_errors_are_reported_together() {
    let request = LoadRequest {
        users: Some("abc".to_owned()),
        api: words(&["nosuch"]),
        cli: words(&["launchh"]),
        budgets: words(&["short=1XB", "server"]),
        sky: Some("latest".to_owned()),
        server: Some("ftp://x".to_owned()),
        plan: Some("smok".to_owned()),
        iterations: Some("0".to_owned()),
        ..LoadRequest::default()
    };
    let UsageErrors(errors) = LoadPlan::resolve(&request, &config(), &MACHINE).unwrap_err();
    assert_eq!(errors.len(), 10, "{errors:#?}");
    assert!(errors.iter().any(|m| m.contains("did you mean `smoke`")), "{errors:#?}");
    assert!(errors.iter().any(|m| m.contains("cli_status, validate")), "{errors:#?}");
}

#[test]
fn zero_users_are_an_error() {
    let request = LoadRequest { users: Some("0".to_owned()), ..LoadRequest::default() };
    assert!(LoadPlan::resolve(&request, &config(), &MACHINE).is_err());
}

#[test]
fn a_flag_overrides_the_budget_of_the_file() {
    let request =
        LoadRequest { budgets: words(&["short-executor=100MiB"]), ..LoadRequest::default() };
    let plan = LoadPlan::resolve(&request, &config(), &MACHINE).unwrap();
    let short = Metric::max_peak(ProcessClass::ShortExecutor);
    let budget = plan.budgets.iter().find(|budget| budget.metric == short).unwrap();
    assert_eq!(budget.at_most, Some(ByteSize::mib(100).into()));
    assert_eq!(plan.budgets.len(), 4);
}

#[test]
fn a_plans_budget_replaces_the_one_of_the_file_and_a_flag_replaces_both() {
    let text = "[budgets]\nserver = \"1GiB\"\nthreads = 500\n[plans.default.budgets]\nserver = \
                \"2GiB\"\n";
    let config = Config::parse(text, "f").unwrap();
    let server = Metric::max_peak(ProcessClass::Server);
    let budgets_of = |flags: &[&str], plan: Option<&str>| {
        let request = LoadRequest {
            budgets: words(flags),
            plan: plan.map(str::to_owned),
            ..LoadRequest::default()
        };
        LoadPlan::resolve(&request, &config, &MACHINE).map(|plan| {
            let of_server = plan.budgets.iter().find(|budget| budget.metric == server);
            (plan.budgets.len(), of_server.and_then(|budget| budget.at_most))
        })
    };
    let amount = |gib| Some(ByteSize::gib(gib).into());
    assert_eq!(budgets_of(&[], None), Ok((2, amount(2))));
    assert_eq!(budgets_of(&["server=3GiB"], None), Ok((2, amount(3))));
}

#[test]
fn a_budget_for_a_remote_server_is_an_error() {
    let request = LoadRequest {
        server: Some("http://127.0.0.1:1".to_owned()),
        budgets: words(&["server=1GiB"]),
        ..LoadRequest::default()
    };
    let error = LoadPlan::resolve(&request, &config(), &MACHINE).unwrap_err();
    assert!(error.to_string().contains("cannot be measured"), "{error}");
}

#[rstest]
#[case::a_class_without_constant(&["queue=auto"], "expected a size for `queue`, such as `300MiB`, got `auto`")]
#[case::a_count_without_constant(&["threads=auto"], "expected a count for `threads`, such as `500`, got `auto`")]
#[case::a_size_for_a_count(&["threads=500MiB"], "expected a count for `threads`, such as `500`, got the size 500.0 MiB")]
#[case::a_count_for_a_size(&["growth=500"], "expected a size for `growth`, such as `300MiB`, got the count 500")]
#[case::a_class_by_a_count(&["server=500"], "expected a size for `server`")]
#[case::neither(&["zombies=1.5"], "--budget zombies: expected a size, such as")]
#[case::no_limit(&["leaked-processes"], "expected WHAT=LIMIT, such as `short-executor=300MiB` or `threads=500`, got `leaked-processes`")]
#[case::unknown_name(&["thread=500"], "did you mean `threads`?")]
fn an_invalid_budget_is_an_error(#[case] budgets: &[&str], #[case] message: &str) {
    let request = LoadRequest { budgets: words(budgets), ..LoadRequest::default() };
    let UsageErrors(errors) = LoadPlan::resolve(&request, &config(), &MACHINE).unwrap_err();
    let [error] = &errors[..] else { panic!("{errors:#?}") };
    assert!(error.contains(message), "{error}");
}

#[rstest]
#[case::flag("", &["threads=500", "growth=300MiB", "leaked-processes=0"])]
#[case::file("threads = 500\ngrowth = \"300 MiB\"\nleaked-processes = \"0\"\n", &[])]
#[case::flag_over_file("threads = 9\ngrowth = \"300 MiB\"\nleaked-processes = 0\n", &["threads=500"])]
fn a_budget_is_a_size_or_a_count_according_to_its_metric(
    #[case] file: &str,
    #[case] flags: &[&str],
) {
    let text = format!("[plans.default]\n[budgets]\n{file}");
    let config = Config::parse(&text, "skyload.toml").unwrap();
    let request = LoadRequest { budgets: words(flags), ..LoadRequest::default() };
    let plan = LoadPlan::resolve(&request, &config, &MACHINE).unwrap();
    let limits: Vec<_> = plan.budgets.iter().map(|b| (b.metric, b.at_most)).collect();
    let expected = [
        (Metric::Server(ServerMetric::Growth), Some(Amount::Size(ByteSize::mib(300)))),
        (Metric::Server(ServerMetric::Threads), Some(Amount::Count(500))),
        (Metric::Server(ServerMetric::LeakedProcesses), Some(Amount::Count(0))),
    ];
    assert_eq!(limits, expected);
}

#[test]
fn a_memory_limit_bounds_usable_memory_and_errors_name_it() {
    let limit = ByteSize::gib(2);
    let available = AvailableMemory { limit, available: ByteSize::mib(1_900) };
    let file = "/sys/fs/cgroup/memory.max".to_owned();
    let memory = Some(crate::limits::MemoryLimit { limit, file });
    let limits = MachineLimits { memory, ..MachineLimits::NONE };
    let machine = Machine { limits, ..MACHINE }.below(Some(available));
    assert_eq!(machine.memory_total, limit);
    let UsageErrors(errors) =
        LoadPlan::resolve(&LoadRequest::default(), &config(), &machine).unwrap_err();
    let wanted = "(1.9 GiB available, 1.0 GiB kept free; memory limit 2.0 GiB \
                  (/sys/fs/cgroup/memory.max))";
    assert!(errors.iter().any(|error| error.contains(wanted)), "{errors:?}");
    // A limit above the machine's memory has no effect.
    let available = AvailableMemory { limit: ByteSize::gib(90), available: ByteSize::gib(90) };
    assert_eq!(MACHINE.below(Some(available)).memory_available, MACHINE.memory_available);
}

#[test]
fn only_concurrent_users_need_open_files() {
    let open_files = Some(OpenFiles { soft: 1024, hard: 1024 });
    let limits = MachineLimits { open_files, ..MachineLimits::NONE };
    let machine = Machine { memory_available: ByteSize::gib(10), limits, ..MACHINE };
    let request = LoadRequest {
        users: Some("400".to_owned()),
        api: words(&["none"]),
        cli: words(&["status"]),
        ..LoadRequest::default()
    };
    let plan = LoadPlan::resolve(&request, &config(), &machine).unwrap();
    let planned = plan.scenario(ScenarioId::CliStatus).unwrap();
    assert!(planned.concurrency < 100 && planned.users == 400, "{planned:?}");
}

#[rstest]
#[case::every_kind("users = 900", "users: 900 concurrent users of api:")]
#[case::the_cli("cli-users = 900", "cli-users: 900 concurrent users of cli:")]
#[case::launches("infra-users = 900", "infra-users: 900 concurrent users of ")]
fn an_error_about_open_files_names_the_key_that_set_the_users(
    #[case] setting: &str,
    #[case] expected: &str,
) {
    let open_files = Some(OpenFiles { soft: 512, hard: 512 });
    let limits = MachineLimits { open_files, ..MachineLimits::NONE };
    let machine = Machine { memory_available: ByteSize::gib(9_000_000), limits, ..MACHINE };
    let mut text = format!("[plans.default]\n{setting}\n");
    if !setting.starts_with("cli") {
        text.push_str("cli-users = 1\n");
    }
    let config = Config::parse(&text, "skyload.toml").unwrap();
    let UsageErrors(errors) =
        LoadPlan::resolve(&LoadRequest::default(), &config, &machine).unwrap_err();
    assert!(errors.iter().any(|error| error.starts_with(expected)), "{errors:?}");
}

#[rstest]
#[case::api(
    "status",
    "none",
    400,
    256,
    Some("-n: 400 concurrent users of api:status need 432 open files")
)]
#[case::cli(
    "none",
    "status",
    80,
    256,
    Some("-n: 80 concurrent users of cli:status need 272 open files")
)]
#[case::that_fit("status", "status", 60, 256, None)]
fn a_plan_that_needs_more_open_files_than_the_hard_limit_is_an_error(
    #[case] api: &str,
    #[case] cli: &str,
    #[case] users: u32,
    #[case] hard: u64,
    #[case] expected: Option<&str>,
) {
    let open_files = Some(OpenFiles { soft: hard, hard });
    let limits = MachineLimits { open_files, ..MachineLimits::NONE };
    let machine = Machine { memory_available: ByteSize::gib(900), limits, ..MACHINE };
    let request = LoadRequest {
        users: Some(users.to_string()),
        api: words(&[api]),
        cli: words(&[cli]),
        ..LoadRequest::default()
    };
    let result = LoadPlan::resolve(&request, &config(), &machine);
    match expected {
        None => assert!(result.is_ok(), "{result:?}"),
        Some(words) => {
            let UsageErrors(errors) = result.unwrap_err();
            assert!(errors.iter().any(|error| error.starts_with(words)), "{errors:?}");
        }
    }
}
