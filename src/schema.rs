//! The JSON schema of `report.json`, generated from the types that write it.
//!
//! `schema/report.schema.json` is what `cargo xtask schema` writes; a test compares.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform as _, transform_subschemas};

use crate::analysis::Report;

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
