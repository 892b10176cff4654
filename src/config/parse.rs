//! Parser of `skyload.toml` that reports all unknown keys and invalid values together.

use serde_ignored::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer, Error};

use super::Config;
use super::keys;
use crate::suggest::suggest;

/// Tables of the file whose keys are names of metrics or scenarios. They are maps, for which
/// serde accepts any key.
const MAPS: [&str; 2] = ["budgets", "thresholds"];

/// Tables of each plan whose keys are names of metrics or scenarios.
const MAPS_OF_PLANS: [&str; 3] = ["budgets", "scenarios", "thresholds"];

/// Error in the text, with its byte offset.
struct Diagnostic {
    offset: usize,
    message: String,
}

/// Parses the text of the file called `name`. Returns one message per error.
pub(super) fn parse(text: &str, name: &str) -> Result<Config, Vec<String>> {
    read(text).map_err(|mut diagnostics| {
        diagnostics.sort_by_key(|diagnostic| diagnostic.offset);
        let with_location =
            |Diagnostic { offset, message }| format!("{}: {message}", location(text, name, offset));
        diagnostics.into_iter().map(with_location).collect()
    })
}

fn read(text: &str) -> Result<Config, Vec<Diagnostic>> {
    let document = DeTable::parse(text).map_err(|error| vec![Diagnostic::of(&error)])?;
    let mut diagnostics = Vec::new();
    let mut valid = document.clone();
    // Serde stops at the first invalid value. Each one is removed and the rest parsed again, until
    // all invalid values and, in the last pass, all unknown keys have been found.
    let (config, ignored) = loop {
        let (config, ignored) = deserialized(valid.clone());
        match config {
            Ok(config) => break (Some(config), ignored),
            Err(error) => {
                let diagnostic = Diagnostic::of(&error);
                let is_removed = remove_value_at(valid.get_mut(), diagnostic.offset);
                diagnostics.push(diagnostic);
                // Without a value to remove, the next pass would find this error again.
                if !is_removed {
                    break (None, ignored);
                }
            }
        }
    };
    // From `document`: `valid` lacks entries with invalid values, whose names may be unknown too.
    let unknown = ignored.into_iter().chain(unknown_names(document.get_ref()));
    diagnostics.extend(unknown.map(|path| Diagnostic::unknown_key(document.get_ref(), &path)));
    diagnostics.extend(config.iter().flat_map(mistaken_thresholds));
    config.filter(|_| diagnostics.is_empty()).ok_or(diagnostics)
}

/// Configuration in a document, and the paths of all keys that are no fields.
fn deserialized(document: Spanned<DeTable<'_>>) -> (Result<Config, Error>, Vec<Vec<String>>) {
    let mut ignored = Vec::new();
    let note = |path: Path<'_>| ignored.push(keys_of(&path));
    let config = serde_ignored::deserialize(Deserializer::from(document), note);
    (config, ignored)
}

impl Diagnostic {
    fn of(error: &Error) -> Self {
        let offset = error.span().map_or(0, |span| span.start);
        Self { offset, message: error.message().to_owned() }
    }

    fn unknown_key(document: &DeTable<'_>, path: &[String]) -> Self {
        let table: Vec<&str> = path.iter().map(String::as_str).collect();
        let (key, table) = table.split_last().map_or(("", &[][..]), |(key, table)| (*key, table));
        let known = keys::of_table(table);
        let suggestion = suggest(key, known.iter().map(String::as_str));
        let message = format!("unknown key `{}`; {suggestion}", path.join("."));
        Self { offset: offset_of(document, path).unwrap_or(0), message }
    }
}

/// Keys on the path to an ignored value; the index of an element counts as its key.
fn keys_of(path: &Path<'_>) -> Vec<String> {
    match path {
        Path::Root => Vec::new(),
        Path::Map { parent, key } => {
            let mut keys = keys_of(parent);
            keys.push(key.clone());
            keys
        }
        Path::Seq { parent, index } => {
            let mut keys = keys_of(parent);
            keys.push(index.to_string());
            keys
        }
        Path::Some { parent }
        | Path::NewtypeStruct { parent }
        | Path::NewtypeVariant { parent } => keys_of(parent),
    }
}

/// Paths of keys in [`MAPS`] and [`MAPS_OF_PLANS`] that name no metric or scenario.
fn unknown_names(document: &DeTable<'_>) -> Vec<Vec<String>> {
    let of_file = MAPS.iter().map(|name| vec![(*name).to_owned()]);
    let plans = table_in(document, "plans").into_iter().flat_map(|plans| plans.keys());
    let of_plans = plans.flat_map(|plan| {
        let plan = plan.get_ref();
        MAPS_OF_PLANS.map(|map| vec!["plans".to_owned(), plan.to_string(), map.to_owned()])
    });
    let unknown = of_file.chain(of_plans).flat_map(|path| {
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        let known = keys::of_table(&names);
        let table = names.iter().try_fold(document, |table, key| table_in(table, key));
        let found = table.into_iter().flat_map(|table| table.keys());
        let found: Vec<String> = found.map(|key| key.get_ref().to_string()).collect();
        let unknown = found.into_iter().filter(move |key| !known.contains(key));
        unknown.map(move |key| path.iter().cloned().chain([key]).collect())
    });
    unknown.collect()
}

/// Mistakes in thresholds of the file and of its plans.
fn mistaken_thresholds(config: &Config) -> Vec<Diagnostic> {
    let of_plans = config
        .plans
        .iter()
        .map(|(name, plan)| (format!("plans.{name}.thresholds"), &plan.thresholds));
    let tables = of_plans.chain([("thresholds".to_owned(), &config.thresholds)]);
    let mistakes = tables.flat_map(|(table, thresholds)| {
        thresholds.iter().flat_map(move |(scenario, thresholds)| {
            let table = format!("{table}.{scenario}");
            thresholds.mistakes(scenario.parse().ok()).map(move |(offset, mistake)| Diagnostic {
                offset,
                message: format!("{table}: {mistake}"),
            })
        })
    });
    mistakes.collect()
}

/// Removes the innermost value that contains the byte at `offset`. Returns whether there was one.
fn remove_value_at(table: &mut DeTable<'_>, offset: usize) -> bool {
    // Tables are searched whatever their span: it may cover the header only.
    let mut tables = table.iter_mut().filter_map(|(_, value)| match value.get_mut() {
        DeValue::Table(inner) => Some(inner),
        _ => None,
    });
    if tables.any(|inner| remove_value_at(inner, offset)) {
        return true;
    }
    let found = table.iter().find(|(_, value)| value.span().contains(&offset));
    let key = found.map(|(key, _)| key.clone());
    key.is_some_and(|key| table.remove(&key).is_some())
}

/// Byte offset of a key in the text.
fn offset_of(table: &DeTable<'_>, path: &[String]) -> Option<usize> {
    let (key, above) = path.split_last()?;
    let (first, inner) = match above.split_first() {
        None => return Some(table.get_key_value(key.as_str())?.0.span().start),
        Some((first, inner)) => (table.get(first.as_str())?, inner),
    };
    let table = inner.iter().try_fold(first, |value, key| match value.get_ref() {
        DeValue::Table(table) => table.get(key.as_str()),
        DeValue::Array(list) => list.get(key.parse::<usize>().ok()?),
        _ => None,
    })?;
    Some(table.get_ref().as_table()?.get_key_value(key.as_str())?.0.span().start)
}

fn table_in<'a, 'i>(table: &'a DeTable<'i>, key: &str) -> Option<&'a DeTable<'i>> {
    table.get(key)?.get_ref().as_table()
}

/// Location of a byte offset in the text, as `name:line`.
fn location(text: &str, name: &str, offset: usize) -> String {
    let line = text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1;
    format!("{name}:{line}")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::metric::ThresholdOwner;
    use crate::scenario::ScenarioId;

    const BOTH_FORMS: &str = r#"
        [thresholds."api:status"]
        p95 = "5s"
        "step status/get p99.9" = "300ms"
        throughput = "2/s"
        error-rate = "1%"
        dropped = 10

        [thresholds]
        "api:validate" = [
            { when = "p95 < 5s", abort = true, after = "30s" },
            { when = "step health p99 < 1s", abort = true },
            { when = "max <= 1m" },
        ]
    "#;

    #[test]
    fn thresholds_are_a_table_or_a_list() {
        let config = parse(BOTH_FORMS, "f").unwrap();
        let of = |id: ScenarioId| -> Vec<String> {
            let thresholds = config.thresholds[&id.to_string()].of(ThresholdOwner::Scenario(id));
            let text = |it: crate::metric::Threshold| match it.abort {
                None => it.to_string(),
                Some(abort) => format!("{it}, abort after {:?}", abort.after),
            };
            thresholds.map(text).collect()
        };
        let table = [
            "api:status dropped <= 10",
            "api:status error-rate <= 1%",
            "api:status p95 <= 5s",
            "api:status step status/get p99.9 <= 300ms",
            "api:status throughput >= 2/s",
        ];
        let mut found = of(ScenarioId::ApiStatus);
        found.sort();
        assert_eq!(found, table);
        let list = [
            "api:validate p95 < 5s, abort after 30s",
            "api:validate step health p99 < 1s, abort after 0ns",
            "api:validate max <= 1m",
        ];
        assert_eq!(of(ScenarioId::ApiValidate), list);
    }

    #[rstest]
    #[case::of_the_file("thresholds")]
    #[case::of_a_plan("plans.ci.thresholds")]
    fn all_mistakes_in_thresholds_are_reported_with_their_lines(#[case] table: &str) {
        let text = format!(
            "[{table}]\n\
             \"api:stauts\" = {{ p95 = \"5s\" }}\n\
             \"api:status\" = {{ p96 = \"5s\" }}\n\
             \"api:validate\" = [\n\
             {{ when = \"p95 < 5\" }},\n\
             {{ when = \"max < 1s\", abrot = true }},\n\
             {{ when = \"step x p99 < 1s\" }},\n\
             {{ when = \"p99 < 1s\", after = \"3s\" }},\n\
             {{ when = \"p99 < 1s\", abort = true, after = \"40days\" }},\n\
             {{ when = \"throughput > 2/s\", abort = true }},\n\
             {{ when = \"dropped >= 2\", abort = true, after = \"0s\" }},\n\
             {{ when = \"throughput > 2/s\", abort = true, after = \"1m\" }},\n\
             {{ when = \"throughput < 2/s\", abort = true }},\n\
             ]\n\
             \"hold:stream\" = [{{ when = \"throughput > 2/s\", abort = true, after = \"1m\" }}]\n\
             [{table}.\"cli:jobs\"]\n\
             p95 = 5\n\
             throughput = \"2\"\n"
        );
        let errors = parse(&text, "f").unwrap_err();
        let expected = [
            format!("f:2: unknown key `{table}.api:stauts`; did you mean `api:status`?"),
            format!("f:3: {table}.api:status: unknown metric `p96`; did you mean `p90`?"),
            format!("f:5: {table}.api:validate: p95: expected a duration with its unit"),
            format!("f:6: unknown key `{table}.api:validate.1.abrot`; did you mean `abort`?"),
            format!("f:7: {table}.api:validate: unknown step `x` of api:validate; valid: health"),
            format!("f:8: {table}.api:validate: after: only with `abort = true`"),
            format!("f:9: {table}.api:validate: after: must be at most 30days"),
            format!("f:10: {table}.api:validate: abort: throughput is 0 at first; add `after`"),
            format!("f:11: {table}.api:validate: abort: dropped is 0 at first; add `after`"),
            format!("f:15: {table}.hold:stream: abort: connections count for throughput when they"),
            format!("f:17: {table}.cli:jobs: p95: expected a duration with its unit"),
            format!("f:18: {table}.cli:jobs: throughput: expected a rate per second"),
        ];
        assert_eq!(errors.len(), expected.len(), "{errors:#?}");
        for (error, start) in errors.iter().zip(expected) {
            assert!(error.starts_with(&start), "{error}\n{start}");
        }
    }

    #[rstest]
    #[case::no_condition("\"api:status\" = [{ abort = true }]", "missing field `when`")]
    #[case::no_text("\"api:status\" = [{ when = 5 }]", "invalid type: integer `5`")]
    #[case::neither("\"api:status\" = \"p95 < 5s\"", "expected a table such as")]
    #[case::no_limit("\"api:status\" = { p95 = true }", "expected a limit such as")]
    fn thresholds_of_another_type_are_errors_with_their_line(
        #[case] entry: &str,
        #[case] message: &str,
    ) {
        let errors = parse(&format!("[thresholds]\n{entry}\n"), "f").unwrap_err();
        assert!(errors[0].starts_with("f:2: ") && errors[0].contains(message), "{errors:#?}");
        assert_eq!(errors.len(), 1, "{errors:#?}");
    }
}
