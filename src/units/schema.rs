//! JSON schemas of quantities, which are written in ways of their own.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::Percent;

/// A duration in results: [`super::seconds`].
pub enum Seconds {}

impl JsonSchema for Seconds {
    fn schema_name() -> Cow<'static, str> {
        "Seconds".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "A duration in seconds.", "type": "number", "minimum": 0 })
    }
}

/// A duration in plans and costs: [`super::duration`].
pub enum DurationText {}

impl JsonSchema for DurationText {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A duration in words: numbers with their units, the largest first.",
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
