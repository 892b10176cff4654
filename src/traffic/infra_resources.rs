//! Assignment of users to infras, and the names in their requests.

use std::path::PathBuf;
use std::sync::Arc;

use super::engine::IterationId;
use super::iteration::{FailureClock, Iteration};
use super::{ScenarioContext, TrafficError};
use crate::plan::{LoadPlan, PlannedScenario};
use crate::record::RunDir;
use crate::record::outcome::{Failure, SegmentOutcome};
use crate::record::read_optional;
use crate::record::resources::ResourceLog;
use crate::scenario::{IterationNames, JOB_SECONDS, SharedNames};

/// Shared resources on one infra.
#[derive(Clone, Debug)]
pub(super) struct InfraResources {
    names: Arc<SharedNames>,
    job_id: Option<u64>,
    /// Failure to set up the resource that the scenario needs; `None` if it exists.
    setup_failure: Option<Failure>,
}

impl InfraResources {
    /// Shared resources on each infra of the scenario. A scenario without infras gets one entry
    /// with an empty name, whose resources no request uses.
    pub(super) fn of(
        run: &RunDir,
        plan: &LoadPlan,
        planned: &PlannedScenario,
    ) -> Result<Vec<Self>, TrafficError> {
        let log: Option<ResourceLog> = read_optional(&run.resources())?;
        let (log, needs) = (log.unwrap_or_default(), planned.needs());
        // Names contain the number of the infra among those of the plan.
        let mut infras: Vec<_> = (0..)
            .zip(plan.infrastructure.names())
            .filter(|(_, infra)| planned.infras.contains(infra))
            .collect();
        if infras.is_empty() {
            infras.push((0, String::new()));
        }
        let shared = infras.iter().map(|(number, infra)| Self {
            names: Arc::new(SharedNames::new(&run.id(), infra, *number)),
            job_id: needs.iter().find_map(|need| log.job_id(*need, infra)),
            setup_failure: needs.iter().find_map(|need| log.missing(*need, infra)),
        });
        Ok(shared.collect())
    }
}

impl ScenarioContext {
    fn resources_of(&self, id: IterationId) -> &InfraResources {
        // Round-robin: each infra has the same number of users, give or take one; or of arrivals,
        // whose users depend on how fast the server is.
        let number = if self.planned.shape.is_open() { id.number } else { id.user };
        // `InfraResources::of` makes at least one entry.
        &self.resources[number as usize % self.resources.len()]
    }

    /// First failure to set up a resource that the scenario needs.
    pub(super) fn setup_failure(&self) -> Option<&Failure> {
        self.resources.iter().find_map(|resources| resources.setup_failure.as_ref())
    }

    /// Segment in which the iterations of all users failed with `failure`.
    pub(super) fn fail_all(&self, failure: &Failure) -> SegmentOutcome {
        let users = u64::from(self.planned.users);
        let now = self.timeline.now();
        let mut outcome = SegmentOutcome::begin(now, users);
        outcome.failed = users;
        (0..users).for_each(|_| outcome.tally.add(now, failure.clone(), None));
        self.activity.fail_unstarted(users);
        outcome
    }

    /// Names in the requests of one iteration.
    pub(super) fn names(&self, id: IterationId) -> IterationNames {
        let (resources, IterationId { user, number }) = (self.resources_of(id), id);
        IterationNames {
            shared: Arc::clone(&resources.names),
            own: format!("{}-{number}-{user}", self.own_prefix),
            job_id: resources.job_id,
            request_id: None,
            workdir: self.workdir.as_ref().map_or_else(PathBuf::new, |it| it.path().to_owned()),
            service_port: None,
            job_seconds: JOB_SECONDS,
        }
    }

    /// Empty result of an iteration, whose failures have the times at which they are recorded.
    pub(super) fn iteration_of(&self, id: IterationId) -> Iteration {
        Iteration::on(self.infra_label(id), FailureClock::Now(self.timeline))
    }

    /// Infra of an iteration, to distinguish steps in results; `None` if the scenario runs on one
    /// infra only or needs none.
    pub(super) fn infra_label(&self, id: IterationId) -> Option<&str> {
        let is_ambiguous = self.resources.len() > 1;
        is_ambiguous.then(|| self.resources_of(id).names.infra.as_str())
    }
}
