//! Schema of `report.json` in the repository.

use std::path::Path;

use serde_json::Value;
use skyload::schema;

#[test]
fn the_schemas_in_the_repository_are_up_to_date() {
    for (file, schema) in schema::all() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let kept = std::fs::read_to_string(path).expect("the schema is in the repository");
        let kept: Value = serde_json::from_str(&kept).expect("valid JSON");
        assert!(
            kept == *schema.as_value(),
            "{file} differs from the types\n  hint: run `cargo xtask schema`"
        );
    }
}

#[test]
fn quantities_have_the_schema_of_their_json_form() {
    let schema = schema::of_report().to_value();
    let property = |of: &str, name: &str| schema["$defs"][of]["properties"][name]["$ref"].clone();
    assert_eq!(property("Stats", "p95"), "#/$defs/Seconds");
    assert_eq!(property("ProfilerOverhead", "longest-gap"), "#/$defs/Duration");
    assert_eq!(property("ValidityLimits", "profiler-gap"), "#/$defs/Duration");
    assert_eq!(property("SnapshotMemory", "pss"), "#/$defs/ByteSize");
    assert_eq!(schema["$defs"]["Seconds"]["type"], "number");
    assert_eq!(schema["$defs"]["Duration"]["type"], "string");
    assert_eq!(schema["$defs"]["ByteSize"]["type"], "integer");
    assert_eq!(schema["$defs"]["ScenarioId"]["enum"][0], "api:status");
}

#[test]
fn descriptions_use_null_instead_of_none() {
    let text = schema::of_report().to_value().to_string();
    assert!(!text.contains("`None`"), "JSON has `null`");
}
