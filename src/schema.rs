//! JSON schema of `report.json`, generated from the types that are written to it.
//!
//! `cargo xtask schema` writes `schema/report.schema.json`; a test checks that the file is
//! up to date.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform as _, transform_subschemas};

use crate::analysis::Report;

/// Path of the schema, from the root of the repository.
pub const FILE: &str = "schema/report.schema.json";

/// Schema of `report.json` as this build writes it.
pub fn of_report() -> Schema {
    let mut schema = SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<Report>();
    null_for_none.transform(&mut schema);
    schema.insert("title".to_owned(), "skyload's report.json".into());
    schema
}

/// Replaces `None` by `null` in descriptions, which are the doc comments of the Rust types.
fn null_for_none(schema: &mut Schema) {
    if let Some(serde_json::Value::String(description)) = schema.get_mut("description") {
        *description = description.replace("`None`", "`null`").replace('\n', " ");
    }
    transform_subschemas(&mut null_for_none, schema);
}
