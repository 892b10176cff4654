//! Time limits of scenarios: their longest times by plan.

use std::time::Duration;

use super::LoadPlan;
use crate::scenario::{Group, ScenarioId, ScenarioKind};
use crate::shape::Timed;
use crate::units;

impl LoadPlan {
    /// Time after which an unfinished scenario is stopped: `scenario_timeout` plus the time over
    /// which starts are spread, and the time of a load that lasts for one.
    pub fn time_limit(&self, id: ScenarioId) -> Duration {
        let limit_of = |group| {
            let by_shape = self.shaped_time(group).saturating_add(self.ramp_time(group));
            by_shape.saturating_add(self.longest_scenario())
        };
        // Held connections wait for the ends of the others, which write their outcomes before.
        const AFTER_OTHERS: Duration = Duration::from_secs(60);
        let limit = match self.groups().as_slice() {
            [] => limit_of(None),
            // The health probe runs during all groups, so its limit is the sum of theirs.
            groups if self.group_of(id).is_none() => {
                units::total(groups.iter().map(|group| limit_of(Some(*group))))
            }
            _ => limit_of(self.group_of(id)),
        };
        match id.kind() {
            ScenarioKind::Hold => limit.saturating_add(AFTER_OTHERS),
            ScenarioKind::Api | ScenarioKind::Cli | ScenarioKind::Probe => limit,
        }
    }

    /// Time limit of scenarios without the times of ramp and shape. Where a script or a stuck
    /// request may take longer, others wait for the iterations of that scenario as long.
    fn longest_scenario(&self) -> Duration {
        const TIME_TO_END: Duration = Duration::from_secs(60);
        let of_iterations = |id, longest: Duration| {
            let starts = self.scenario(id).map(|it| it.shape.synchronized_starts())?;
            Some(longest.saturating_mul(starts.max(1)).saturating_add(TIME_TO_END))
        };
        let script = self.script.as_ref();
        let of_script =
            script.and_then(|script| of_iterations(ScenarioId::CliScript, script.timeout));
        let launches = self.scenario(ScenarioId::ApiLaunchCancel);
        let cancellations = launches.and_then(|it| it.cancellations.as_ref());
        let of_launches = cancellations
            .and_then(|it| of_iterations(ScenarioId::ApiLaunchCancel, it.longest_iteration()));
        let longest = of_script.into_iter().chain(of_launches).max();
        self.scenario_timeout.max(longest.unwrap_or_default())
    }

    /// Longest time that a load of a group takes by its shape; zero if all are bursts.
    fn shaped_time(&self, group: Option<Group>) -> Duration {
        let participants = self.participants(group, 0);
        let times = participants.iter().filter_map(|planned| planned.shape.timed());
        times.map(Timed::longest).max().unwrap_or_default()
    }
}
