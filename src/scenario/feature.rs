//! Features of infras that scenarios require: a scenario runs only where they are.

use super::{Need, Scenario};
use crate::infrastructure::{can_launch, can_stop, has_cloud_libraries};

/// Feature of an infra that a scenario requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    /// No feature: an infra of any kind has all that the scenario requires.
    None,
    /// Nodes, so that clusters can be launched. Every infra has them but an emulated control plane.
    Nodes,
    /// Cloud, with client libraries and a catalog in the executors' memory.
    Cloud,
    /// Clusters that can be stopped and started again.
    Stop,
}

impl Feature {
    /// Whether an infra has the feature. `infra` is a value of SkyPilot's `--infra`.
    pub fn is_on(self, infra: &str) -> bool {
        match self {
            Self::None => true,
            Self::Nodes => can_launch(infra),
            Self::Cloud => has_cloud_libraries(infra),
            Self::Stop => can_stop(infra),
        }
    }

    /// Name of an infra with the feature, with its article.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "an infra",
            Self::Nodes => "an infra to launch on",
            Self::Cloud => "a cloud",
            Self::Stop => "an infra whose clusters can be stopped",
        }
    }
}

impl Scenario {
    /// Whether the scenario runs only with an infra: because its clusters, jobs or services are
    /// launched there, or because of a feature.
    pub fn takes_infra(&self) -> bool {
        self.needs.takes_infrastructure() || self.requires != Feature::None
    }

    /// Whether the scenario can run on an infra. `infra` is a value of SkyPilot's `--infra`.
    pub fn supports(&self, infra: &str) -> bool {
        self.lacking_on(infra).is_none()
    }

    /// Feature that the scenario requires and an infra lacks; `None` if the scenario can run on
    /// the infra.
    pub fn lacking_on(&self, infra: &str) -> Option<Feature> {
        let launches = match self.needs {
            Need::Nothing | Need::OptionalInfrastructure => Feature::None,
            Need::Infrastructure
            | Need::Cluster
            | Need::Job
            | Need::Service
            | Need::LongJob
            | Need::LongManagedJob => Feature::Nodes,
        };
        [self.requires, launches].into_iter().find(|feature| !feature.is_on(infra))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::infrastructure::LocalInfra;
    use crate::scenario::ScenarioId;

    #[rstest]
    #[case::launches_run_anywhere(ScenarioId::CliLaunch, "slurm/loop", true)]
    #[case::a_check_needs_a_cloud(ScenarioId::CliCheck, "slurm/loop", false)]
    #[case::emulated_aws_is_a_cloud(ScenarioId::CliCheck, "aws/us-east-1", true)]
    #[case::kubernetes_is_a_cloud(ScenarioId::ApiShowGpus, "kubernetes", true)]
    #[case::machines_over_ssh_are_no_cloud(ScenarioId::ApiShowGpus, "ssh/mine", false)]
    #[case::aws_stops(ScenarioId::ApiStartStop, "aws", true)]
    #[case::kubernetes_does_not_stop(ScenarioId::ApiStartStop, "kubernetes/context", false)]
    #[case::emulated_kubernetes_does_not_launch(
        ScenarioId::CliLaunch,
        "kubernetes/skyload-emulated",
        false
    )]
    #[case::emulated_kubernetes_plans(ScenarioId::ApiOptimize, "kubernetes/skyload-emulated", true)]
    #[case::slurm_does_not_stop(ScenarioId::ApiStartStop, "slurm/loop", false)]
    fn a_scenario_runs_where_its_feature_is(
        #[case] id: ScenarioId,
        #[case] infra: &str,
        #[case] expected: bool,
    ) {
        assert_eq!(Scenario::of(id).supports(infra), expected);
    }

    #[test]
    fn some_local_infra_supports_each_scenario() {
        for scenario in ScenarioId::ALL.map(Scenario::of) {
            let supporting = LocalInfra::ALL.into_iter().find(|one| scenario.supports(one.infra()));
            assert!(supporting.is_some(), "{}", scenario.id);
        }
    }

    #[test]
    fn a_scenario_with_a_feature_takes_an_infra_even_if_it_launches_nothing() {
        let check = Scenario::of(ScenarioId::ApiCheck);
        assert!(check.needs == Need::Nothing && check.takes_infra());
        assert!(!Scenario::of(ScenarioId::ApiStatus).takes_infra());
    }
}
