//! The keys that `skyload.toml` may have, with the nearest one for each that it may not.
//!
//! Serde knows them: a key is a field, and no list beside it.

use serde::de::value::Error;
use serde::de::{Deserialize, Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;

use super::{Config, PlanSettings, ProfilerSettings, Safety, Thresholds, Validity};
use crate::metric::Metric;
use crate::scenario::ScenarioId;

/// The keys of the table at this path; none where nobody knows which it may have.
pub(super) fn of_table(path: &[&str]) -> Vec<String> {
    let fields = match path {
        [] => fields_of::<Config>(),
        ["plans", _] => fields_of::<PlanSettings>(),
        ["thresholds", _] => fields_of::<Thresholds>(),
        ["safety"] => fields_of::<Safety>(),
        ["validity"] => fields_of::<Validity>(),
        ["profiler"] => fields_of::<ProfilerSettings>(),
        ["budgets"] => return budget_names(),
        ["thresholds"] => return ScenarioId::ALL.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    };
    fields.into_iter().map(str::to_owned).collect()
}

/// What a budget can be set for.
pub(crate) fn budget_names() -> Vec<String> {
    Metric::budgets().map(|metric| metric.to_string()).collect()
}

/// "did you mean ..?" when a valid word is near, all valid words otherwise.
pub(crate) fn suggest<'a>(found: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let nearest = known
        .clone()
        .map(|word| (strsim::damerau_levenshtein(found, word), word))
        .min_by_key(|(distance, _)| *distance);
    match nearest {
        Some((distance, word)) if distance <= 2.max(found.len() / 4) => {
            format!("did you mean `{word}`?")
        }
        _ => format!("valid: {}", known.collect::<Vec<_>>().join(", ")),
    }
}

/// The fields of a struct, by the names that they have in files.
fn fields_of<T: for<'de> Deserialize<'de>>() -> Vec<&'static str> {
    let mut fields: &'static [&'static str] = &[];
    // It ends as soon as the fields are known.
    _ = T::deserialize(Fields(&mut fields));
    fields.to_vec()
}

/// Hears which fields a struct asks for, and has no value for any.
struct Fields<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Fields<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("only a struct has fields"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        Err(Error::custom("the fields are all that was asked for"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        option unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier
        ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_of_each_table_are_known() {
        for section in of_table(&[]) {
            let inside = [of_table(&[&section]), of_table(&[&section, "any"])];
            assert!(inside.iter().any(|keys| !keys.is_empty()), "{section}");
        }
        assert!(of_table(&["plans", "any"]).contains(&"cli-users".to_owned()));
    }
}
