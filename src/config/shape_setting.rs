//! Shape of a load as written: in flags, in a plan, or for one scenario of a plan.

use std::time::Duration;

use serde::Deserialize;

use crate::shape::{Delays, Pause, Rate, StageList};
use crate::units;

/// Size and shape of a load as written in one place. [`crate::plan`] combines the places.
// `PlanSettings` repeats most of these fields. With `serde(flatten)`, errors in them would have no
// line, and unknown keys of a plan would not be found.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ShapeSettings {
    /// Number of users; of a scenario that needs an infra, per infra.
    pub users: Option<u32>,
    /// Iterations of each user, which all users start together.
    pub iterations: Option<u32>,
    /// Duration of a closed loop or of an arrival rate.
    #[serde(rename = "for", with = "units::duration::option")]
    pub time: Option<Duration>,
    /// Time between two iterations of a user of a closed loop.
    pub pause: Option<Pause>,
    /// Arrival rate.
    pub rate: Option<Rate>,
    /// Maximum number of iterations of an arrival rate at a time; further arrivals are dropped.
    pub max_in_flight: Option<u32>,
    /// Stages, of users or of a rate.
    pub stages: Option<StageList>,
    /// Time at the beginning whose iterations are left out of thresholds.
    #[serde(with = "units::duration::option")]
    pub warm_up: Option<Duration>,
    /// Time that running iterations get after the end of the load's time.
    #[serde(with = "units::duration::option")]
    pub graceful_stop: Option<Duration>,
    /// Time from a launch of `api:launch_cancel` to its cancellation.
    pub cancel_after: Option<Delays>,
    /// Distance between two launches that are not cancelled.
    pub probe_every: Option<u32>,
    /// Time after which a request of `api:launch_cancel` is a suspected wedge.
    #[serde(with = "units::duration::option")]
    pub stuck_after: Option<Duration>,
}
