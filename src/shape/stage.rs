//! Stages of a load: each holds a level, or changes it evenly over time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Rate;
use crate::units::{QuantityError, total};

/// Level of a load: a number of users, or a rate.
pub trait Level: Copy + PartialEq + fmt::Display + FromStr {
    /// Level as a number, for interpolation.
    fn number(self) -> f64;
}

impl Level for u32 {
    fn number(self) -> f64 {
        f64::from(self)
    }
}

impl Level for Rate {
    fn number(self) -> f64 {
        self.as_per_second()
    }
}

/// Way in which a stage gets to its level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Even change from the level before, over the time of the stage.
    Ramp,
    /// One level during the whole stage.
    Hold,
}

/// Stage of a load. In files and flags a text: `50 in 2m` is a ramp, `50 for 5m` holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stage<T> {
    /// Level at the end of the stage.
    pub level: T,
    /// Way to the level.
    pub change: Change,
    /// Duration of the stage, longer than zero.
    pub time: Duration,
}

/// Piece of a load whose level changes evenly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Piece {
    /// Start, in seconds from the start of the first stage.
    pub(super) start: f64,
    /// Duration in seconds.
    pub(super) time: f64,
    /// Level at the start.
    pub(super) from: f64,
    /// Level at the end.
    pub(super) to: f64,
}

/// Sum of the stages' times.
pub fn total_time<T>(stages: &[Stage<T>]) -> Duration {
    total(stages.iter().map(|stage| stage.time))
}

/// Stages as pieces of an evenly changing level, which is zero before the first stage.
pub(super) fn pieces<T: Level>(stages: &[Stage<T>]) -> impl Iterator<Item = Piece> {
    stages.iter().scan((0.0, 0.0), |(start, level), stage| {
        let (time, to) = (stage.time.as_secs_f64(), stage.level.number());
        let from = match stage.change {
            Change::Ramp => *level,
            Change::Hold => to,
        };
        let piece = Piece { start: *start, time, from, to };
        (*start, *level) = (*start + time, to);
        Some(piece)
    })
}

/// Sum of the level over time: arrivals of a rate, seconds of all users together.
pub(super) fn area<T: Level>(stages: &[Stage<T>]) -> f64 {
    pieces(stages).map(|piece| piece.area()).sum()
}

impl Piece {
    /// Sum of the level over time.
    pub(super) fn area(&self) -> f64 {
        (self.from + self.to) / 2.0 * self.time
    }
}

impl<T: Level> FromStr for Stage<T> {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let error = || QuantityError::new(text, EXPECTED);
        let words: Vec<&str> = text.split_whitespace().collect();
        let [level, way, time @ ..] = words.as_slice() else { return Err(error()) };
        let change = match *way {
            "in" => Change::Ramp,
            "for" => Change::Hold,
            _ => return Err(error()),
        };
        let time = humantime::parse_duration(&time.join(" ")).map_err(|_| error())?;
        let level = level.parse().map_err(|_| error())?;
        if time.is_zero() { Err(error()) } else { Ok(Self { level, change, time }) }
    }
}

/// Valid texts of a stage.
const EXPECTED: &str = "stages, such as `50 in 2m, 50 for 5m, 0 in 1m` (users) or `20/s in 2m` \
                        (a rate), each longer than 0s";

impl<T: Level> fmt::Display for Stage<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = match self.change {
            Change::Ramp => "in",
            Change::Hold => "for",
        };
        write!(f, "{} {way} {}", self.level, humantime::format_duration(self.time))
    }
}

impl<T: Level> Serialize for Stage<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, T: Level> Deserialize<'de> for Stage<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl<T> JsonSchema for Stage<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Stage".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "Stage of a load: `50 in 2m` changes the level evenly, `50 for 5m` \
                            holds it.",
        })
    }
}

/// Stages of one kind: of users, or of a rate.
#[derive(Clone, Debug, PartialEq)]
pub enum StageList {
    /// Stages with numbers of users.
    Users(Vec<Stage<u32>>),
    /// Stages with rates.
    Rates(Vec<Stage<Rate>>),
}

impl FromStr for StageList {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        fn all<T: Level>(text: &str) -> Result<Vec<Stage<T>>, QuantityError> {
            text.split(',').map(str::parse).collect()
        }
        let is_rate = |stage: &str| stage.contains('/');
        match text.split(',').filter(|stage| is_rate(stage)).count() {
            0 => all(text).map(Self::Users),
            count if count == text.split(',').count() => all(text).map(Self::Rates),
            _ => Err(QuantityError::new(text, "stages of users or of a rate, not mixed")),
        }
    }
}

/// Text that is parsed to the same stages.
impl fmt::Display for StageList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn all<T: Level>(stages: &[Stage<T>]) -> String {
            stages.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        }
        f.write_str(&match self {
            Self::Users(stages) => all(stages),
            Self::Rates(stages) => all(stages),
        })
    }
}

impl<'de> Deserialize<'de> for StageList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
