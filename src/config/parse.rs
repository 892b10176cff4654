//! Parser of `skyload.toml` that reports all unknown keys and invalid values together.

use serde_ignored::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer, Error};

use super::Config;
use super::keys::{self, suggest};

/// Tables whose keys are names of metrics or scenarios. They are maps, for which serde accepts
/// any key.
const MAPS: [&str; 2] = ["budgets", "thresholds"];

/// Tables of each plan whose keys are names of metrics or scenarios.
const MAPS_OF_PLANS: [&str; 2] = ["budgets", "scenarios"];

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

/// Keys on the path to an ignored value.
fn keys_of(path: &Path<'_>) -> Vec<String> {
    match path {
        Path::Root => Vec::new(),
        Path::Map { parent, key } => {
            let mut keys = keys_of(parent);
            keys.push(key.clone());
            keys
        }
        Path::Seq { parent, .. }
        | Path::Some { parent }
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
    let (first, rest) = path.split_first()?;
    if rest.is_empty() {
        return Some(table.get_key_value(first.as_str())?.0.span().start);
    }
    offset_of(table_in(table, first)?, rest)
}

fn table_in<'a, 'i>(table: &'a DeTable<'i>, key: &str) -> Option<&'a DeTable<'i>> {
    table.get(key)?.get_ref().as_table()
}

/// Location of a byte offset in the text, as `name:line`.
fn location(text: &str, name: &str, offset: usize) -> String {
    let line = text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1;
    format!("{name}:{line}")
}
