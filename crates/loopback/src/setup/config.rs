//! Merging of configurations, and their text as YAML.

use std::fmt::Write as _;

use serde_json::Value;

/// Adds the sections of `more` to `config`. Of a setting that both have, the one of `config`
/// stays.
pub(super) fn merge(config: &mut Value, more: Value) {
    match (config, more) {
        (Value::Object(sections), Value::Object(more)) => {
            for (name, value) in more {
                merge(sections.entry(name).or_insert(Value::Null), value);
            }
        }
        (config @ Value::Null, more) => *config = more,
        _ => {}
    }
}

/// Text of a configuration as YAML: sections indented, values as JSON, which YAML includes.
pub(super) fn yaml(config: &Value) -> String {
    let mut text = String::new();
    write_sections(config, 0, &mut text);
    text
}

fn write_sections(config: &Value, depth: usize, text: &mut String) {
    let Value::Object(sections) = config else { return };
    for (name, value) in sections {
        let indent = "  ".repeat(depth);
        // Writing to a string does not fail.
        _ = match value {
            Value::Object(fields) if !fields.is_empty() => writeln!(text, "{indent}{name}:"),
            value => writeln!(text, "{indent}{name}: {value}"),
        };
        write_sections(value, depth + 1, text);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sections_of_both_are_merged_at_any_depth() {
        let mut config = json!({ "aws": { "a": 1 } });
        merge(&mut config, json!({ "aws": { "a": 2, "b": { "c": true } }, "slurm": "x" }));
        assert_eq!(config, json!({ "aws": { "a": 1, "b": { "c": true } }, "slurm": "x" }));
    }

    #[test]
    fn values_with_special_characters_are_quoted() {
        let config = json!({ "aws": { "command": "'/a b' --x: \"%h\"", "none": {} } });
        let text = "aws:\n  command: \"'/a b' --x: \\\"%h\\\"\"\n  none: {}\n";
        assert_eq!(yaml(&config), text);
    }
}
