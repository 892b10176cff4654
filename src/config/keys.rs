//! Valid keys of `skyload.toml`.
//!
//! The keys are the field names that serde derives, so there is no separate list of them.

use serde::de::value::Error;
use serde::de::{Deserialize, Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;

use super::threshold_setting::Element;
use super::{
    CompareSettings, Config, PlanSettings, ProfilerSettings, Safety, ServerMetricsSettings,
    ShapeSettings, ToleranceSettings, Validity,
};
use crate::metric::{Metric, ThresholdOwner};
use crate::scenario::ScenarioId;

/// Valid keys of the table at `path`; empty for a table that does not exist.
pub(super) fn of_table(path: &[&str]) -> Vec<String> {
    let fields = match path {
        [] => fields_of::<Config>(),
        ["plans", _] => fields_of::<PlanSettings>(),
        ["thresholds", _, _] | ["plans", _, "thresholds", _, _] => fields_of::<Element>(),
        ["safety"] => fields_of::<Safety>(),
        ["validity"] => fields_of::<Validity>(),
        ["profiler"] => fields_of::<ProfilerSettings>(),
        ["server-metrics"] => fields_of::<ServerMetricsSettings>(),
        ["compare"] => fields_of::<CompareSettings>(),
        ["compare", "tolerances"] => fields_of::<ToleranceSettings>(),
        ["budgets"] | ["plans", _, "budgets"] => return budget_names(),
        ["plans", _, "scenarios", _] => fields_of::<ShapeSettings>(),
        ["thresholds"] | ["plans", _, "thresholds"] => return ThresholdOwner::names(),
        ["plans", _, "scenarios"] => {
            return ScenarioId::ALL.iter().map(ToString::to_string).collect();
        }
        _ => Vec::new(),
    };
    fields.into_iter().map(str::to_owned).collect()
}

/// Names of the metrics that a budget can be set for.
pub(crate) fn budget_names() -> Vec<String> {
    Metric::budgets().map(|metric| metric.to_string()).collect()
}

/// Field names of a struct as they are written in files.
fn fields_of<T: for<'de> Deserialize<'de>>() -> Vec<&'static str> {
    let mut fields: &'static [&'static str] = &[];
    // Always an error: `Fields` has no value to deserialize.
    _ = T::deserialize(Fields(&mut fields));
    fields.to_vec()
}

/// Deserializer without a value, which records the field names that a struct expects.
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
        Err(Error::custom("only the field names are needed"))
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
