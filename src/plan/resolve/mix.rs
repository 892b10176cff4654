//! Mix of API scenarios: `--mix` and the `mix` setting.

use super::Resolver;
use crate::scenario::Mix;

impl Resolver<'_> {
    /// Operations of `api:mix`: those of the flag, or the plan's unless flags name scenarios.
    pub(super) fn mix(&mut self) -> Option<Mix> {
        match self.request.mix.as_deref() {
            Some(text) => match text.parse() {
                Ok(mix) => Some(mix),
                Err(error) => {
                    self.error(format!("--mix: {error}"));
                    None
                }
            },
            None if self.names_scenarios() => None,
            None => self.settings.mix.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use crate::config::Config;
    use crate::plan::resolve::tests::{MACHINE, words};
    use crate::plan::{LoadPlan, UsageErrors};
    use crate::record::request::LoadRequest;
    use crate::scenario::{Group, Need, ScenarioId};

    const FILE: &str = r#"
        [plans.default]
        [plans.mixed]
        api = "none"
        cli = "none"
        mix = { status = 6, cluster_queue = 1 }
        [plans.mixed.scenarios."api:mix"]
        users = 7
    "#;

    fn resolve(request: &LoadRequest) -> Result<LoadPlan, String> {
        let config = Config::parse(FILE, "skyload.toml").unwrap();
        let plan = LoadPlan::resolve(request, &config, &MACHINE);
        plan.map_err(|UsageErrors(errors)| errors.join("\n"))
    }

    fn mixed(mix: &str) -> LoadRequest {
        LoadRequest { mix: Some(mix.to_owned()), ..LoadRequest::default() }
    }

    fn ids(plan: &LoadPlan) -> Vec<String> {
        plan.scenarios.iter().map(|planned| planned.id.to_string()).collect()
    }

    #[test]
    fn a_typed_mix_is_one_scenario_that_needs_what_its_operations_need() {
        let plan = resolve(&mixed("status=6 cluster_queue=1")).unwrap();
        assert_eq!(ids(&plan), ["api:mix", "probe:health"]);
        assert_eq!(plan.needs().into_iter().collect::<Vec<_>>(), [Need::Nothing, Need::Cluster]);
        assert_eq!(plan.shared_resources().len(), 1);
        assert!(plan.draws());
        let alone = resolve(&LoadRequest { api: words(&["validate"]), ..mixed("status=1") });
        assert_eq!(ids(&alone.unwrap()), ["api:validate", "api:mix", "probe:health"]);
    }

    #[test]
    fn a_plan_has_a_mix_unless_flags_name_scenarios() {
        let request = LoadRequest { plan: Some("mixed".to_owned()), ..LoadRequest::default() };
        let plan = resolve(&request).unwrap();
        assert_eq!((ids(&plan)[0].as_str(), plan.scenarios[0].users), ("api:mix", 7));
        let named = resolve(&LoadRequest { api: words(&["status"]), ..request }).unwrap();
        assert_eq!(ids(&named), ["api:status", "probe:health"]);
    }

    #[test]
    fn the_shared_job_outlasts_a_mix_that_follows_it() {
        let (time, rate) = (Some("5m".to_owned()), Some("1/s".to_owned()));
        let request = LoadRequest { time, rate, ..mixed("jobs_logs=1 status=5") };
        assert!(resolve(&request).unwrap().shared_job_seconds() > 300);
    }

    #[test]
    fn a_mix_that_launches_is_of_the_group_of_launching_scenarios() {
        let group = |mix: &str| resolve(&mixed(mix)).unwrap().scenarios[0].group();
        assert_eq!(group("status=1"), Some(Group::Api));
        assert_eq!(group("status=1 exec=1"), Some(Group::ApiInfra));
    }

    #[test]
    fn the_work_of_a_mix_is_the_mean_of_its_operations() {
        let cost = |mix: &str| resolve(&mixed(mix)).unwrap().scenarios[0].cost().server;
        let (status, validate) = (cost("status=1"), cost("validate=1"));
        assert!((cost("status=3 validate=1") - (3.0 * status + validate) / 4.0).abs() < 1e-9);
    }

    #[rstest]
    #[case::no_mix("status", "--mix: expected NAME=WEIGHT")]
    #[case::an_operation_without_its_infra("check=1", "api:mix: expected a cloud, got slurm/loop")]
    fn a_mistake_in_a_typed_mix_is_an_error(#[case] mix: &str, #[case] message: &str) {
        let error = resolve(&mixed(mix)).unwrap_err();
        assert!(error.contains(message), "{error}");
    }

    #[test]
    fn a_threshold_is_on_a_step_of_the_operations() {
        let with = |threshold: &str| {
            resolve(&LoadRequest { thresholds: words(&[threshold]), ..mixed("status=1") })
        };
        assert_eq!(with("api:mix step operation status p95 < 1s").unwrap().thresholds.len(), 1);
        let error = with("api:mix step operation validate p95 < 1s").unwrap_err();
        assert!(error.contains("no operation of the mix (status=1) has the step"), "{error}");
    }

    #[test]
    fn the_mix_is_no_word_of_a_list() {
        let api = words(&["mix"]);
        let error = resolve(&LoadRequest { api, ..LoadRequest::default() }).unwrap_err();
        assert!(error.contains("--api: unknown api scenario `mix`"), "{error}");
        assert_eq!(ScenarioId::ApiMix.to_string(), "api:mix");
    }
}
