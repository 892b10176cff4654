//! Load of a request, doubled or halved.

use crate::plan::{LONGEST_TIME, MAX_USERS};
use crate::shape::{Level, Rate, Stage, StageList};

/// Factor between two loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Factor {
    Double,
    Half,
}

impl Factor {
    /// Users of a scenario, as many as one may have; `None` if they stay the same.
    pub(super) fn of_users(self, users: u32) -> Option<u32> {
        let scaled = match self {
            Self::Double => MAX_USERS.min(users.saturating_mul(2)),
            Self::Half => users / 2,
        };
        (scaled != users && scaled > 0).then_some(scaled)
    }

    /// Text of an arrival rate; `None` if it would be too high.
    pub(super) fn of_rate(self, rate: &str) -> Option<String> {
        self.rate(rate.parse().ok()?).map(|rate| rate.to_string())
    }

    /// Text of stages; `None` if a level would be too high, or if no level changes.
    pub(super) fn of_stages(self, stages: &str) -> Option<String> {
        let stages: StageList = stages.parse().ok()?;
        let scaled = match &stages {
            StageList::Users(stages) => {
                StageList::Users(levels(stages, |users| self.users(users))?)
            }
            StageList::Rates(stages) => StageList::Rates(levels(stages, |rate| self.rate(rate))?),
        };
        (scaled != stages).then(|| scaled.to_string())
    }

    /// Users of a stage. A stage with users keeps at least one.
    fn users(self, users: u32) -> Option<u32> {
        let scaled = match self {
            Self::Double => users.saturating_mul(2),
            Self::Half => users.div_ceil(2),
        };
        Some(scaled).filter(|scaled| *scaled <= MAX_USERS)
    }

    fn rate(self, rate: Rate) -> Option<Rate> {
        rate.times(match self {
            Self::Double => 2.0,
            Self::Half => 0.5,
        })
    }
}

/// Text of twice a load's duration; `None` if a load may not last as long.
pub(super) fn twice_the_time(time: &str) -> Option<String> {
    let twice = humantime::parse_duration(time.trim()).ok()?.checked_mul(2)?;
    (twice <= LONGEST_TIME).then(|| humantime::format_duration(twice).to_string().replace(' ', ""))
}

fn levels<T: Level>(stages: &[Stage<T>], scaled: impl Fn(T) -> Option<T>) -> Option<Vec<Stage<T>>> {
    stages.iter().map(|stage| Some(Stage { level: scaled(stage.level)?, ..*stage })).collect()
}
