//! Scenarios of a plan, and those that it leaves out.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cancellations::Cancellations;
use crate::scenario::{Cost, Group, Mix, Need, Scenario, ScenarioId};
use crate::shape::LoadShape;

/// A scenario of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PlannedScenario {
    /// ID of the scenario.
    pub id: ScenarioId,
    /// Number of users; of a load in stages, the largest one; of an arrival rate, the most
    /// iterations at a time.
    pub users: u32,
    /// Load over time.
    pub shape: LoadShape,
    /// Maximum number of concurrently active users: all, unless the executors that they start
    /// exceed the machine's memory.
    pub concurrency: u32,
    /// Infras of the scenario, as values of SkyPilot's `--infra`; its users alternate between them.
    /// Empty for a scenario that runs without an infra.
    #[serde(default)]
    pub infras: Vec<String>,
    /// Operations of `api:mix`; `None` for every other scenario.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mix: Option<Mix>,
    /// Cancellations of `api:launch_cancel`; `None` for every other scenario.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancellations: Option<Cancellations>,
}

/// Scenarios that a planned one consists of: itself, or the operations of a mix.
pub(super) fn parts(id: ScenarioId, mix: Option<&Mix>) -> Vec<(&'static Scenario, f64)> {
    match mix.filter(|_| id == ScenarioId::ApiMix) {
        Some(mix) => mix.shares().map(|(id, share)| (Scenario::of(id), share)).collect(),
        None => vec![(Scenario::of(id), 1.0)],
    }
}

impl PlannedScenario {
    /// Scenarios that iterations run, each with its share of them: the scenario itself, or the
    /// operations of a mix.
    pub fn parts(&self) -> Vec<(&'static Scenario, f64)> {
        parts(self.id, self.mix.as_ref())
    }

    /// Requirements that must be met before the load starts.
    pub fn needs(&self) -> BTreeSet<Need> {
        self.parts().into_iter().map(|(scenario, _)| scenario.needs).collect()
    }

    /// Group of the scenario; `None` for one that accompanies the load of all groups.
    pub fn group(&self) -> Option<Group> {
        match self.id.group()? {
            // Its operations may launch or use something launched.
            Group::Api if self.takes_infrastructure() => Some(Group::ApiInfra),
            group => Some(group),
        }
    }

    /// Whether the scenario launches something, or requests something launched before.
    pub fn takes_infrastructure(&self) -> bool {
        self.needs().into_iter().any(Need::takes_infrastructure)
    }

    /// Estimate for the clusters that all iterations launch, rounded up.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an estimate; not negative, and a cast saturates"
    )]
    pub fn expected_launches(&self) -> u64 {
        let launches = |(scenario, share): (&Scenario, f64)| share * f64::from(scenario.launches());
        let of_iteration: f64 = self.parts().into_iter().map(launches).sum();
        (of_iteration * self.expected_iterations() as f64).ceil() as u64
    }

    /// Estimate for the clusters that stay until the teardown after the load, rounded up: those of a
    /// burst. In a load that lasts for a time, iterations take their clusters down.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an estimate; not negative, and a cast saturates"
    )]
    pub(super) fn clusters_that_stay(&self) -> u64 {
        match self.shape {
            LoadShape::Burst { .. } => {
                (self.share_leaving_clusters() * self.expected_iterations() as f64).ceil() as u64
            }
            LoadShape::Timed(_) => 0,
        }
    }

    /// Number of an iteration's clusters that are gone after it, at most.
    pub(super) fn clusters_taken_down(&self) -> u32 {
        let is_burst = self.shape.timed().is_none();
        let parts = self.parts().into_iter();
        let taken_down = parts.filter(|(scenario, _)| !(is_burst && scenario.leaves_cluster()));
        taken_down.map(|(scenario, _)| scenario.launches()).max().unwrap_or(0)
    }

    /// Number of clusters that an iteration launches, at most.
    pub fn launches(&self) -> u32 {
        self.parts().iter().map(|(scenario, _)| scenario.launches()).max().unwrap_or(0)
    }

    /// Whether iterations submit managed jobs.
    pub(super) fn submits_jobs(&self) -> bool {
        self.parts().iter().any(|(scenario, _)| scenario.submits_jobs())
    }

    /// Mean cost of an iteration.
    pub(super) fn cost(&self) -> Cost {
        self.parts().into_iter().fold(Cost::default(), |sum, (Scenario { cost, .. }, share)| Cost {
            server: sum.server + share * cost.server,
            nodes: sum.nodes + share * cost.nodes,
            client: sum.client + share * cost.client,
        })
    }

    /// Share of the iterations that leave a cluster behind.
    pub(super) fn share_leaving_clusters(&self) -> f64 {
        let leaving = |(scenario, share): (&Scenario, f64)| {
            if scenario.leaves_cluster() { share } else { 0.0 }
        };
        self.parts().into_iter().map(leaving).sum()
    }

    /// Number of server processes that one user keeps busy concurrently, at most.
    pub(super) fn concurrent_processes(&self) -> u32 {
        self.parts().iter().map(|(scenario, _)| scenario.concurrent_processes).max().unwrap_or(0)
    }

    /// Iterations of all users; `None` if their number depends on how long they take.
    pub fn iterations(&self) -> Option<u64> {
        match &self.shape {
            LoadShape::Burst { iterations } => {
                Some(u64::from(*iterations).saturating_mul(self.users.into()))
            }
            LoadShape::Timed(timed) => timed.arrivals(),
        }
    }
}

/// Scenario that the plan leaves out although a list of scenarios includes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LeftOut {
    /// ID of the scenario.
    pub id: ScenarioId,
    /// Requirement that no infra of the run meets, as a phrase after "needs".
    pub needs: String,
}
