//! The schema of report.json that is kept in the repository.

use std::path::Path;

use serde_json::Value;
use skyload::schema;

#[test]
fn the_schema_in_the_repository_is_that_of_the_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(schema::FILE);
    let kept = std::fs::read_to_string(path).expect("it is in the repository");
    let kept: Value = serde_json::from_str(&kept).expect("it is JSON");
    assert!(
        kept == *schema::of_report().as_value(),
        "{} is not what the types say\n  hint: `cargo xtask schema` writes it",
        schema::FILE
    );
}

#[test]
fn quantities_are_described_as_they_are_written() {
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
fn the_schema_speaks_of_json_and_not_of_rust() {
    let text = schema::of_report().to_value().to_string();
    assert!(!text.contains("`None`"), "its word for that is `null`");
}
