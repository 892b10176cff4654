//! What a user's iteration has to name, and on which infrastructure it is taken.

use super::{Stage, TrafficError};
use crate::plan::LoadPlan;
use crate::record::RunDir;
use crate::record::outcome::{Failure, SegmentOutcome};
use crate::record::read_optional;
use crate::record::resources::ResourceLog;
use crate::scenario::{IterationNames, Need, SharedNames};

/// What scenarios share on one infrastructure.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    names: SharedNames,
    job_id: Option<u64>,
    /// Why what the scenario needs isn't there, if it isn't.
    missing: Option<Failure>,
}

impl Shared {
    /// What there is on each infrastructure of the plan. Without any, scenarios
    /// name things that they don't reach.
    pub(super) fn of(run: &RunDir, plan: &LoadPlan, need: Need) -> Result<Vec<Self>, TrafficError> {
        let log: Option<ResourceLog> = read_optional(&run.resources())?;
        let log = log.unwrap_or_default();
        let mut infras = plan.infrastructure.names();
        if infras.is_empty() {
            infras.push(String::new());
        }
        let shared = infras.iter().enumerate().map(|(number, infra)| Self {
            names: SharedNames::new(&run.id(), infra, number),
            job_id: log.job_id(infra),
            missing: log.missing(need, infra),
        });
        Ok(shared.collect())
    }
}

impl Stage {
    fn shared_by(&self, user: u32) -> &Shared {
        // Users go from one infrastructure to the next, so that each has as many.
        &self.shared[user as usize % self.shared.len()]
    }

    /// Why the scenario cannot be driven, if it can't: what it needs isn't there.
    pub(super) fn missing(&self) -> Option<&Failure> {
        self.shared.iter().find_map(|shared| shared.missing.as_ref())
    }

    /// A segment in which every user failed for one reason.
    pub(super) fn all_failed(&self, failure: &Failure) -> SegmentOutcome {
        let users = u64::from(self.planned.users);
        let mut outcome = SegmentOutcome::begin(self.timeline.now(), users);
        outcome.failed = users;
        (0..users).for_each(|_| outcome.tally.add(failure.clone(), None));
        outcome
    }

    /// What one user has to name in one segment.
    pub(super) fn names(&self, segment: u32, user: u32) -> IterationNames {
        let shared = self.shared_by(user);
        let scenario = self.planned.id.file_stem().replace('_', "-");
        IterationNames {
            shared: shared.names.clone(),
            own: format!("{}-{scenario}-{segment}-{user}", self.run.id().tag()),
            job_id: shared.job_id,
            ..IterationNames::none()
        }
    }

    /// Where a user's iteration runs, if there is more than one place.
    pub(super) fn place(&self, user: u32) -> Option<&str> {
        let matters = self.shared.len() > 1 && self.scenario.needs != Need::Nothing;
        matters.then(|| self.shared_by(user).names.infra.as_str())
    }
}
