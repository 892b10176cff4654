//! The text of `skyload.toml` read, or all that is wrong with it: keys that mean nothing, and
//! values that are none.

use serde_ignored::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer, Error};

use super::Config;
use super::keys::{self, suggest};

/// Tables whose keys are names that no struct lists: serde takes any.
const OF_NAMES: [&str; 2] = ["budgets", "thresholds"];

/// What is wrong, and where: a byte of the text.
struct Mistake {
    offset: usize,
    message: String,
}

/// Parses the text of the file called `name`; otherwise one message for each mistake.
pub(super) fn parse(text: &str, name: &str) -> Result<Config, Vec<String>> {
    read(text).map_err(|mut mistakes| {
        mistakes.sort_by_key(|mistake| mistake.offset);
        let with_place =
            |Mistake { offset, message }| format!("{}: {message}", place(text, name, offset));
        mistakes.into_iter().map(with_place).collect()
    })
}

fn read(text: &str) -> Result<Config, Vec<Mistake>> {
    let document = DeTable::parse(text).map_err(|error| vec![Mistake::of(&error)])?;
    let mut mistakes = Vec::new();
    let mut valid = document.clone();
    // Serde stops at the first value that is none. Without that it finds the next, and at last
    // all keys that nothing asks for.
    let (config, ignored) = loop {
        let (config, ignored) = deserialized(valid.clone());
        match config {
            Ok(config) => break (Some(config), ignored),
            Err(error) => {
                let mistake = Mistake::of(&error);
                let is_out = take_out(valid.get_mut(), mistake.offset);
                mistakes.push(mistake);
                if !is_out {
                    break (None, ignored);
                }
            }
        }
    };
    let unknown = ignored.into_iter().chain(misnamed(document.get_ref()));
    mistakes.extend(unknown.map(|path| Mistake::unknown_key(document.get_ref(), &path)));
    config.filter(|_| mistakes.is_empty()).ok_or(mistakes)
}

/// What a document says, and the paths of all keys that nothing asks for.
fn deserialized(document: Spanned<DeTable<'_>>) -> (Result<Config, Error>, Vec<Vec<String>>) {
    let mut ignored = Vec::new();
    let note = |path: Path<'_>| ignored.push(keys_of(&path));
    let config = serde_ignored::deserialize(Deserializer::from(document), note);
    (config, ignored)
}

impl Mistake {
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

/// The keys that lead to something ignored.
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

/// Keys that name nothing, where any name is taken for a key.
fn misnamed(document: &DeTable<'_>) -> Vec<Vec<String>> {
    let tables = OF_NAMES.iter().filter_map(|name| Some((*name, table_in(document, name)?)));
    let misnamed = tables.flat_map(|(name, table)| {
        let known = keys::of_table(&[name]);
        let found = table.keys().map(|key| key.get_ref().to_string());
        found.filter(move |key| !known.contains(key)).map(|key| vec![name.to_owned(), key])
    });
    misnamed.collect()
}

/// Takes out the innermost value of which this byte is part; whether there is one.
fn take_out(table: &mut DeTable<'_>, offset: usize) -> bool {
    // The span of a table may be that of its header alone.
    let mut tables = table.iter_mut().filter_map(|(_, value)| match value.get_mut() {
        DeValue::Table(inner) => Some(inner),
        _ => None,
    });
    if tables.any(|inner| take_out(inner, offset)) {
        return true;
    }
    let found = table.iter().find(|(_, value)| value.span().contains(&offset));
    let key = found.map(|(key, _)| key.clone());
    key.is_some_and(|key| table.remove(&key).is_some())
}

/// Where a key is in the text.
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

/// `name:line` of a byte offset into the text.
fn place(text: &str, name: &str, offset: usize) -> String {
    let line = text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1;
    format!("{name}:{line}")
}
