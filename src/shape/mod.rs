//! Shapes of a scenario's load over time: how many users, or how many iterations per second.
//!
//! [`LoadShape`] is one type for flags, `skyload.toml`, the plan and the load generator. A burst
//! has synchronized iterations; all other shapes are a list of stages. [`Windows`] and
//! [`Arrivals`] compute all times before the load starts, so that two runs of one plan send the
//! same at the same times.

mod arrivals;
mod delays;
mod pause;
mod rate;
mod stage;
#[cfg(test)]
mod tests;
mod windows;

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use arrivals::Arrivals;
pub use delays::Delays;
pub use pause::Pause;
pub use rate::Rate;
use stage::area;
pub use stage::{Change, Level, Stage, StageList, total_time};
pub use windows::{Window, Windows};

use crate::units;

/// Shape of a scenario's load over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum LoadShape {
    /// Iterations that all users start together; the run's ramp spreads their starts.
    Burst {
        /// Iterations of each user.
        iterations: u32,
    },
    /// Iterations during a time, in stages.
    Timed(Timed),
}

/// Load that lasts for a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Timed {
    /// Model of the load, with its stages.
    pub model: Model,
    /// Time at the beginning whose iterations are left out of thresholds.
    #[serde(with = "units::duration", default)]
    #[schemars(with = "crate::units::DurationText")]
    pub warm_up: Duration,
    /// Time that running iterations get after the last stage.
    #[serde(with = "units::duration")]
    #[schemars(with = "crate::units::DurationText")]
    pub graceful_stop: Duration,
}

/// Model of a load that lasts for a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Model {
    /// Closed loop: each user starts an iteration when the one before has ended.
    Users {
        /// Stages, each with a number of users.
        stages: Vec<Stage<u32>>,
        /// Time between two iterations of a user.
        #[serde(default)]
        pause: Pause,
    },
    /// Open loop: iterations start at scheduled times, whatever the server does.
    Arrivals {
        /// Stages, each with a rate.
        stages: Vec<Stage<Rate>>,
    },
}

impl LoadShape {
    /// Burst of one iteration.
    pub const SINGLE: Self = Self::Burst { iterations: 1 };

    /// Synchronized iterations of the shape: a load that lasts for a time starts once.
    pub const fn synchronized_starts(&self) -> u32 {
        match self {
            Self::Burst { iterations } => *iterations,
            Self::Timed(_) => 1,
        }
    }

    /// Iterations of each user; `None` if their number depends on how long they take.
    pub const fn iterations(&self) -> Option<u32> {
        match self {
            Self::Burst { iterations } => Some(*iterations),
            Self::Timed(_) => None,
        }
    }

    /// Stages and model of a load that lasts for a time; `None` for a burst.
    pub const fn timed(&self) -> Option<&Timed> {
        match self {
            Self::Burst { .. } => None,
            Self::Timed(timed) => Some(timed),
        }
    }

    /// Whether iterations start at scheduled times, whatever the server does.
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Timed(Timed { model: Model::Arrivals { .. }, .. }))
    }

    /// Highest arrival rate, per second; `None` for a load of users.
    pub fn most_per_second(&self) -> Option<f64> {
        match self {
            Self::Timed(Timed { model: Model::Arrivals { stages }, .. }) => {
                Some(stages.iter().map(|stage| stage.level.as_per_second()).fold(0.0, f64::max))
            }
            Self::Burst { .. } | Self::Timed(_) => None,
        }
    }

    /// Whether anything in the load is drawn at random.
    pub fn draws(&self) -> bool {
        match self {
            Self::Timed(Timed { model: Model::Users { pause, .. }, .. }) => pause.is_range(),
            Self::Burst { .. } | Self::Timed(_) => false,
        }
    }

    /// Whether the run's ramp spreads the first starts of the users: those of a burst, and those
    /// of a closed loop whose users all begin with the first stage.
    pub fn is_ramped(&self) -> bool {
        match self {
            Self::Burst { .. } => true,
            Self::Timed(Timed { model: Model::Users { stages, .. }, .. }) => {
                stages.first().is_some_and(|first| first.change == Change::Hold)
            }
            Self::Timed(Timed { model: Model::Arrivals { .. }, .. }) => false,
        }
    }
}

impl Timed {
    /// Time from the start of the first stage to the end of the last one.
    pub fn total(&self) -> Duration {
        match &self.model {
            Model::Users { stages, .. } => total_time(stages),
            Model::Arrivals { stages } => total_time(stages),
        }
    }

    /// Time from the start of the first stage until the load is over at the latest.
    pub fn longest(&self) -> Duration {
        self.total().saturating_add(self.graceful_stop)
    }

    /// Number of arrivals of an open loop; `None` for a closed one.
    pub fn arrivals(&self) -> Option<u64> {
        match &self.model {
            Model::Users { .. } => None,
            Model::Arrivals { .. } => Some(whole(self.area())),
        }
    }

    /// Number and text of the stages after the warm-up in which there is any load.
    pub fn loaded_stages(&self) -> Vec<(u32, String)> {
        let levels: Vec<f64> = match &self.model {
            Model::Users { stages, .. } => {
                stage::pieces(stages).map(|piece| piece.area()).collect()
            }
            Model::Arrivals { stages } => stage::pieces(stages).map(|piece| piece.area()).collect(),
        };
        let stages = self.stages().into_iter().zip(levels);
        let after_warm_up = stages.filter(|((_, end), _)| *end > self.warm_up);
        let numbered = (1..).zip(after_warm_up);
        let loaded = numbered.filter(|(_, (_, area))| match &self.model {
            Model::Users { .. } => *area > 0.0,
            // Less than one arrival may come in another stage.
            Model::Arrivals { .. } => *area >= 1.0,
        });
        loaded.map(|(number, ((text, _), _))| (number, text)).collect()
    }

    /// Arrivals of an open loop; seconds of all users together in a closed one.
    pub fn area(&self) -> f64 {
        match &self.model {
            Model::Users { stages, .. } => area(stages),
            Model::Arrivals { stages } => area(stages),
        }
    }

    /// Stages as text, each with the offset of its end.
    pub fn stages(&self) -> Vec<(String, Duration)> {
        fn with_ends<T: Level>(stages: &[Stage<T>]) -> Vec<(String, Duration)> {
            let ends = stages.iter().scan(Duration::ZERO, |end, stage| {
                *end = end.saturating_add(stage.time);
                Some(*end)
            });
            stages.iter().map(ToString::to_string).zip(ends).collect()
        }
        match &self.model {
            Model::Users { stages, .. } => with_ends(stages),
            Model::Arrivals { stages } => with_ends(stages),
        }
    }
}

/// Whole number of iterations.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "plans have at most 1e8 arrivals, and a cast saturates"
)]
fn whole(iterations: f64) -> u64 {
    iterations.ceil() as u64
}

/// Text of a plan: `2 iterations`, `50 for 5m, pause 1s`, `20/s for 2m`.
impl fmt::Display for LoadShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Burst { iterations: 1 } => f.write_str("1 iteration"),
            Self::Burst { iterations } => write!(f, "{iterations} iterations"),
            Self::Timed(timed) => timed.fmt(f),
        }
    }
}

impl fmt::Display for Timed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stages: Vec<String> = self.stages().into_iter().map(|(text, _)| text).collect();
        f.write_str(&stages.join(", "))?;
        match &self.model {
            Model::Users { pause, .. } if !pause.is_none() => write!(f, ", pause {pause}")?,
            Model::Users { .. } | Model::Arrivals { .. } => {}
        }
        if !self.warm_up.is_zero() {
            write!(f, ", warm-up {}", humantime::format_duration(self.warm_up))?;
        }
        Ok(())
    }
}
