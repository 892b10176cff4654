//! The JSON schema of `report.json`, generated from the types that write it.
//!
//! `schema/report.schema.json` is what `cargo xtask schema` writes; a test compares.
//! Most types derive their part. Here are those of quantities and names that are
//! written in a way of their own.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::transform::{Transform as _, transform_subschemas};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::analysis::Report;
use crate::scenario::ScenarioId;
use crate::units::Percent;

/// The file of the repository that holds the schema.
pub const FILE: &str = "schema/report.schema.json";

/// The schema of `report.json` as this build writes it.
pub fn of_report() -> Schema {
    let mut schema = SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<Report>();
    say_null.transform(&mut schema);
    schema.insert("title".to_owned(), "skyload's report.json".into());
    schema
}

/// Descriptions are what the types' documentation says: in JSON, `None` is `null`.
fn say_null(schema: &mut Schema) {
    if let Some(serde_json::Value::String(words)) = schema.get_mut("description") {
        *words = words.replace("`None`", "`null`").replace('\n', " ");
    }
    transform_subschemas(&mut say_null, schema);
}

/// A duration in results: [`crate::units::seconds`].
pub(crate) enum Seconds {}

impl JsonSchema for Seconds {
    fn schema_name() -> Cow<'static, str> {
        "Seconds".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "A duration in seconds.", "type": "number", "minimum": 0 })
    }
}

/// A duration in plans and costs: [`crate::units::duration`].
pub(crate) enum DurationText {}

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

impl JsonSchema for ScenarioId {
    fn schema_name() -> Cow<'static, str> {
        "ScenarioId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A scenario: its kind and its name.",
            "type": "string",
            "enum": Self::ALL.map(|id| id.to_string()),
        })
    }
}
