//! Mix: API scenarios as weighted operations of one scenario, `api:mix`.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ScenarioId, ScenarioKind};
use crate::suggest::suggest;

/// Largest weight of an operation: a larger one is most likely a typing error.
const MAX_WEIGHT: u32 = 1_000_000;

/// Operations of a scenario, each an API scenario with its weight. Each iteration is one operation,
/// drawn in proportion to the weights. In flags `status=6 jobs_queue=2`, in files
/// `{ status = 6, jobs_queue = 2 }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mix(Vec<Operation>);

/// Operation of a mix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Operation {
    scenario: ScenarioId,
    weight: u32,
}

/// Error of a text or a table that is no mix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MixError(String);

impl Mix {
    /// Mix of operations, by their names.
    fn of<'a>(operations: impl IntoIterator<Item = (&'a str, u64)>) -> Result<Self, MixError> {
        let mut mix: Vec<Operation> = Vec::new();
        for (name, weight) in operations {
            let scenario = operation_with_name(name)?;
            if mix.iter().any(|operation| operation.scenario == scenario) {
                return Err(MixError(format!("`{name}` is given twice")));
            }
            let weight = u32::try_from(weight).ok().filter(|it| (1..=MAX_WEIGHT).contains(it));
            let Some(weight) = weight else {
                let expected = format!("expected a whole number from 1 to {MAX_WEIGHT}");
                return Err(MixError(format!("weight of `{name}`: {expected}")));
            };
            mix.push(Operation { scenario, weight });
        }
        // Tables of a file have no order, and a mix is the same in each.
        mix.sort_by_key(|operation| operation.scenario);
        match mix.is_empty() {
            true => Err(MixError("expected at least one operation, such as `status=6`".to_owned())),
            false => Ok(Self(mix)),
        }
    }

    /// Scenarios of the operations, each with its share of the iterations. The shares are 1
    /// together.
    pub fn shares(&self) -> impl Iterator<Item = (ScenarioId, f64)> {
        let total = f64::from(self.total());
        self.0.iter().map(move |one| (one.scenario, f64::from(one.weight) / total))
    }

    /// Scenario of an operation that is drawn from a sequence.
    pub fn draw(&self, random: &mut fastrand::Rng) -> ScenarioId {
        let mut at = random.u32(..self.total());
        let drawn = self.0.iter().find(|operation| match at.checked_sub(operation.weight) {
            Some(rest) => {
                at = rest;
                false
            }
            None => true,
        });
        // The weights are `total` together, so there is one.
        drawn.unwrap_or(&self.0[0]).scenario
    }

    /// Sum of the weights. There are fewer than 100 scenarios, so it does not overflow.
    fn total(&self) -> u32 {
        self.0.iter().map(|operation| operation.weight).sum()
    }
}

/// Whether a scenario can be an operation of a mix.
pub(super) fn is_operation(id: ScenarioId) -> bool {
    // Which launches are cancelled is counted over the iterations of a scenario of its own.
    id.kind() == ScenarioKind::Api && id.is_listed() && id != ScenarioId::ApiLaunchCancel
}

fn operation_with_name(name: &str) -> Result<ScenarioId, MixError> {
    let mut known = ScenarioId::ALL.into_iter().filter(|id| is_operation(*id));
    known.clone().find(|id| id.name() == name).ok_or_else(|| {
        let names: Vec<&str> = known.by_ref().map(ScenarioId::name).collect();
        let suggestion = suggest(name, names.iter().copied());
        MixError(format!("unknown API scenario `{name}`; {suggestion}"))
    })
}

impl FromStr for Mix {
    type Err = MixError;

    fn from_str(text: &str) -> Result<Self, MixError> {
        let mut operations = Vec::new();
        for word in text.split([',', ' ']).filter(|word| !word.is_empty()) {
            let parsed = word.split_once('=');
            let parsed = parsed.and_then(|(name, weight)| Some((name, weight.parse().ok()?)));
            operations.push(parsed.ok_or_else(|| {
                MixError(format!("expected NAME=WEIGHT, such as `status=6`, got `{word}`"))
            })?);
        }
        Self::of(operations)
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> =
            self.0.iter().map(|one| format!("{}={}", one.scenario.name(), one.weight)).collect();
        f.pad(&words.join(" "))
    }
}

impl Serialize for Mix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|one| (one.scenario.name(), one.weight)))
    }
}

impl<'de> Deserialize<'de> for Mix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Table;

        impl<'de> Visitor<'de> for Table {
            type Value = Mix;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of weights, such as { status = 6, jobs_queue = 2 }")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Mix, A::Error> {
                let mut entries: Vec<(String, u64)> = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                let operations = entries.iter().map(|(name, weight)| (name.as_str(), *weight));
                Mix::of(operations).map_err(A::Error::custom)
            }
        }

        deserializer.deserialize_map(Table)
    }
}

/// Schema of any table of weights: with the names listed, each new scenario would change it.
impl JsonSchema for Mix {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Mix".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Operations of `api:mix`: names of API scenarios with their weights.",
            "type": "object",
            "additionalProperties": { "type": "integer", "minimum": 1 },
            "minProperties": 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn mix(text: &str) -> Mix {
        text.parse().unwrap()
    }

    #[test]
    fn a_mix_has_one_meaning_in_flags_and_files() {
        let typed = mix("status=6, jobs_queue=2 exec=1");
        let file: Mix = toml::from_str("status = 6\njobs_queue = 2\nexec = 1\n").unwrap();
        assert_eq!(typed, file);
        assert_eq!(typed.to_string().parse(), Ok(typed.clone()));
        let json = serde_json::to_string(&typed).unwrap();
        assert_eq!(json, r#"{"status":6,"jobs_queue":2,"exec":1}"#);
        assert_eq!(mix("exec=1 status=6 jobs_queue=2"), typed);
        assert_eq!(serde_json::from_str::<Mix>(&json).unwrap(), typed);
    }

    #[rstest]
    #[case::unknown("stats=1", "did you mean `status`?")]
    #[case::not_a_number("status=many", "got `status=many`")]
    #[case::without_a_weight("status", "NAME=WEIGHT")]
    #[case::zero("status=0", "weight of `status`: expected a whole number from 1 to")]
    #[case::too_large("status=1000001", "from 1 to 1000000")]
    #[case::twice("status=1 status=2", "`status` is given twice")]
    #[case::itself("mix=1", "unknown API scenario `mix`")]
    #[case::no_operation("launch_cancel=1", "unknown API scenario `launch_cancel`")]
    #[case::empty(" , ", "at least one operation")]
    fn a_mistake_is_named(#[case] text: &str, #[case] message: &str) {
        let error = text.parse::<Mix>().unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }

    #[test]
    fn operations_are_drawn_in_proportion_to_their_weights() {
        let (mix, mut random) =
            (mix("status=6 jobs_queue=3 validate=1"), fastrand::Rng::with_seed(7));
        let drawn: Vec<_> = (0..10_000).map(|_| mix.draw(&mut random)).collect();
        for (id, share) in mix.shares() {
            let count = drawn.iter().filter(|it| **it == id).count();
            #[expect(clippy::cast_precision_loss, reason = "a count of at most 10,000")]
            let measured = count as f64 / 10_000.0;
            assert!((measured - share).abs() < 0.02, "{id}: {measured} instead of {share}");
        }
    }
}
