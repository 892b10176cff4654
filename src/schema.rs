//! JSON schemas of `report.json`, `compare.json`, `bisect.json`, `explanation.json` and of a
//! reference, generated from the types that are written to them.
//!
//! `cargo xtask schema` writes them to `schema`; a test checks that the files are up to date.

use schemars::generate::SchemaSettings;
use schemars::transform::{Transform as _, transform_subschemas};
use schemars::{JsonSchema, Schema};

use crate::analysis::Report;
use crate::comparison::{Bisection, Comparison, Reference};
use crate::explanation::Explanation;

/// Path of the schema of `report.json`, from the root of the repository.
pub const FILE: &str = "schema/report.schema.json";

/// Path of the schema of `compare.json`, from the root of the repository.
pub const COMPARISON_FILE: &str = "schema/compare.schema.json";

/// Path of the schema of `bisect.json`, from the root of the repository.
pub const BISECTION_FILE: &str = "schema/bisect.schema.json";

/// Path of the schema of `explanation.json`, from the root of the repository.
pub const EXPLANATION_FILE: &str = "schema/explanation.schema.json";

/// Path of the schema of a reference, from the root of the repository.
pub const REFERENCE_FILE: &str = "schema/reference.schema.json";

/// Schemas as this build writes them, with their paths from the root of the repository.
pub fn all() -> [(&'static str, Schema); 5] {
    [
        (FILE, of_report()),
        (COMPARISON_FILE, of::<Comparison>("skyload's compare.json")),
        (BISECTION_FILE, of::<Bisection>("skyload's bisect.json")),
        (EXPLANATION_FILE, of::<Explanation>("skyload's explanation.json")),
        (REFERENCE_FILE, of::<Reference>("skyload's reference")),
    ]
}

/// Schema of `report.json` as this build writes it.
pub fn of_report() -> Schema {
    of::<Report>("skyload's report.json")
}

fn of<T: JsonSchema>(title: &str) -> Schema {
    let mut schema =
        SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>();
    null_for_none.transform(&mut schema);
    schema.insert("title".to_owned(), title.into());
    schema
}

/// Replaces `None` by `null` in descriptions, which are the doc comments of the Rust types.
fn null_for_none(schema: &mut Schema) {
    if let Some(serde_json::Value::String(description)) = schema.get_mut("description") {
        *description = description.replace("`None`", "`null`").replace('\n', " ");
    }
    transform_subschemas(&mut null_for_none, schema);
}
