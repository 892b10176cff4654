//! JSON schemas of quantities with their own serialization.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::Percent;

/// Schema of a duration in results, written by [`super::seconds`].
pub enum Seconds {}

impl JsonSchema for Seconds {
    fn schema_name() -> Cow<'static, str> {
        "Seconds".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "A duration in seconds.", "type": "number", "minimum": 0 })
    }
}

/// Schema of a duration with units, written by [`super::duration`].
pub enum DurationText {}

impl JsonSchema for DurationText {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A duration as text: numbers with units, the largest first.",
            "type": "string",
            "pattern": "^[0-9]+[a-z]+( [0-9]+[a-z]+)*$",
            "examples": ["50ms", "1m 30s"],
        })
    }
}

impl JsonSchema for Percent {
    fn schema_name() -> Cow<'static, str> {
        "Percent".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A share, from 0% to 100%.",
            "type": "string",
            "pattern": "^[0-9.]+%$",
            "examples": ["0.5%"],
        })
    }
}
