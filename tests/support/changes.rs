//! Random changes to valid inputs of parsers: to their structure more than to single bytes,
//! as damaged files, other programs and other versions have them.
//!
//! Tests try a few hundred cases of each parser; `PROPTEST_CASES=1000000` tries more.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

/// Change of an input. An [`Index`] selects a position when the length of the input is known.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// Changes the JSON value in a line, or the whole text if that is one JSON value.
    Json(Index, Index, JsonChange),
    /// Replaces a number in the text.
    Number(Index, &'static str),
    RemoveLine(Index),
    DuplicateLine(Index),
    SwapLines(Index, Index),
    RemoveLines(Index, Index),
    /// Truncates the input.
    Cut(Index),
    /// Replaces a byte.
    Byte(Index, u8),
    Insert(Index, Vec<u8>),
    RemoveBytes(Index, u8),
}

/// Change of one value within a JSON value.
#[derive(Clone, Debug)]
pub(crate) enum JsonChange {
    Replace(Value),
    /// Removes a key or an element.
    Remove(Index),
    /// Duplicates an element, or copies the value of a key to the first key.
    Duplicate(Index),
    /// Adds an unknown key.
    Add,
    /// Replaces the value by a copy of another value in the same text.
    Copy(Index),
}

/// Numbers at and beyond the limits of integers, floats and timestamps.
const NUMBERS: [&str; 14] = [
    "0",
    "-1",
    "1",
    "18446744073709551615",
    "18446744073709551616",
    "9223372036854775807",
    "-9223372036854775808",
    "4294967295",
    "1e308",
    "-1e308",
    "1e-308",
    "NaN",
    "253402300800000000",
    "99999999999999999999999999999999999999999",
];

/// Replacement values: other types, and texts that parsers, renderers and terminals treat
/// specially.
fn values() -> Vec<Value> {
    let mut values = vec![
        Value::Null,
        json!(true),
        json!(""),
        json!("x".repeat(3000)),
        json!("\u{0}\u{1b}[31m\u{202e}\r\n<script>&]]>\u{fffe}|`"),
        json!("99999999999years"),
        json!("584542046090years"),
        json!("1ns"),
        json!("100%"),
        json!("0%"),
        json!("9999999999GiB"),
        json!([]),
        json!({}),
        json!([[u64::MAX, u64::MAX], [0, 0], [1, u64::MAX]]),
    ];
    values.extend(NUMBERS.iter().filter_map(|number| serde_json::from_str(number).ok()));
    values
}

/// Strategy for one to four changes.
pub(crate) fn changes() -> impl Strategy<Value = Vec<Change>> {
    let (place, other) = (any::<Index>, any::<Index>);
    let json = prop_oneof![
        8 => select(values()).prop_map(JsonChange::Replace),
        2 => place().prop_map(JsonChange::Remove),
        2 => place().prop_map(JsonChange::Duplicate),
        1 => Just(JsonChange::Add),
        2 => place().prop_map(JsonChange::Copy),
    ];
    let change = prop_oneof![
        12 => (place(), other(), json).prop_map(|(line, at, change)| Change::Json(line, at, change)),
        4 => (place(), select(NUMBERS.to_vec())).prop_map(|(at, to)| Change::Number(at, to)),
        1 => place().prop_map(Change::RemoveLine),
        1 => place().prop_map(Change::DuplicateLine),
        1 => (place(), other()).prop_map(|(one, two)| Change::SwapLines(one, two)),
        1 => (place(), other()).prop_map(|(one, two)| Change::RemoveLines(one, two)),
        1 => place().prop_map(Change::Cut),
        2 => (place(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        1 => (place(), vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        1 => (place(), 1..40_u8).prop_map(|(at, count)| Change::RemoveBytes(at, count)),
    ];
    vec(change, 1..5)
}

/// Input with all changes applied.
pub(crate) fn changed(input: &[u8], changes: &[Change]) -> Vec<u8> {
    changes.iter().fold(input.to_vec(), apply)
}

/// Calls `parse` with changed versions of an input, for as many cases as proptest is
/// configured to run. Fails if `parse` panics.
#[track_caller]
pub(crate) fn try_changes(input: &[u8], mut parse: impl FnMut(&[u8])) {
    try_all(&[input], |inputs| parse(&inputs[0]));
}

/// Calls `parse` like [`try_changes`], with several inputs that belong together, of which one
/// or two are changed. The same input may be chosen twice.
#[track_caller]
pub(crate) fn try_all(inputs: &[&[u8]], parse: impl FnMut(&[Vec<u8>])) {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let each = vec((any::<Index>(), changes()), 1..3);
    let parse = std::cell::RefCell::new(parse);
    let tried = TestRunner::new(config).run(&each, |each| {
        let mut inputs: Vec<Vec<u8>> = inputs.iter().map(|input| input.to_vec()).collect();
        for (which, changes) in &each {
            let input = which.get_mut(&mut inputs);
            *input = changed(input, changes);
        }
        (parse.borrow_mut())(&inputs);
        Ok(())
    });
    tried.unwrap_or_else(|error| panic!("{error}"));
}

fn apply(mut input: Vec<u8>, change: &Change) -> Vec<u8> {
    match change {
        Change::Json(line, at, change) => return change_json(&input, line, at, change),
        Change::Number(at, to) => return change_number(&input, at, to),
        Change::RemoveLine(at) => {
            change_lines(&mut input, |lines| _ = lines.remove(at.index(lines.len())))
        }
        Change::DuplicateLine(at) => change_lines(&mut input, |lines| {
            let at = at.index(lines.len());
            lines.insert(at, lines[at].clone());
        }),
        Change::SwapLines(one, two) => change_lines(&mut input, |lines| {
            let count = lines.len();
            lines.swap(one.index(count), two.index(count));
        }),
        Change::RemoveLines(one, two) => change_lines(&mut input, |lines| {
            let (one, two) = (one.index(lines.len()), two.index(lines.len()));
            lines.drain(one.min(two)..one.max(two));
        }),
        Change::Cut(at) if !input.is_empty() => input.truncate(at.index(input.len())),
        Change::Byte(at, byte) if !input.is_empty() => *at.get_mut(&mut input) = *byte,
        Change::Insert(at, bytes) => {
            let at = at.index(input.len() + 1);
            input.splice(at..at, bytes.iter().copied());
        }
        Change::RemoveBytes(at, count) if !input.is_empty() => {
            let at = at.index(input.len());
            let end = input.len().min(at + usize::from(*count));
            input.drain(at..end);
        }
        Change::Cut(_) | Change::Byte(..) | Change::RemoveBytes(..) => {}
    }
    input
}

fn change_lines(input: &mut Vec<u8>, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let mut lines: Vec<Vec<u8>> = input.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    change(&mut lines);
    *input = lines.join(&b'\n');
}

fn change_number(input: &[u8], at: &Index, to: &str) -> Vec<u8> {
    let is_start =
        |at: &usize| input[*at].is_ascii_digit() && (*at == 0 || !input[*at - 1].is_ascii_digit());
    let starts: Vec<usize> = (0..input.len()).filter(is_start).collect();
    if starts.is_empty() {
        return input.to_vec();
    }
    let start = starts[at.index(starts.len())];
    let digits = input[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    [&input[..start], to.as_bytes(), &input[start + digits..]].concat()
}

fn change_json(input: &[u8], line: &Index, at: &Index, change: &JsonChange) -> Vec<u8> {
    if let Ok(value) = serde_json::from_slice(input) {
        return change_value(value, at, change);
    }
    let mut lines: Vec<Vec<u8>> = input.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let line = line.get_mut(&mut lines);
    if let Ok(value) = serde_json::from_slice(line) {
        *line = change_value(value, at, change);
    }
    lines.join(&b'\n')
}

fn change_value(mut value: Value, at: &Index, change: &JsonChange) -> Vec<u8> {
    let count = count(&value);
    let copy = match change {
        JsonChange::Copy(from) => nth(&mut value, &mut from.index(count)).map(|from| from.clone()),
        _ => None,
    };
    if let Some(place) = nth(&mut value, &mut at.index(count)) {
        match change {
            JsonChange::Replace(by) => *place = by.clone(),
            JsonChange::Copy(_) => *place = copy.unwrap_or_default(),
            JsonChange::Add => {
                if let Value::Object(map) = place {
                    map.insert("unknown-key".to_owned(), Value::Null);
                }
            }
            JsonChange::Remove(which) => remove(place, which),
            JsonChange::Duplicate(which) => duplicate(place, which),
        }
    }
    value.to_string().into_bytes()
}

fn remove(place: &mut Value, which: &Index) {
    match place {
        Value::Array(list) if !list.is_empty() => _ = list.remove(which.index(list.len())),
        Value::Object(map) if !map.is_empty() => {
            let key = key(map, which);
            map.remove(&key);
        }
        _ => {}
    }
}

fn duplicate(place: &mut Value, which: &Index) {
    match place {
        Value::Array(list) if !list.is_empty() => {
            let element = which.get(list).clone();
            list.push(element);
        }
        Value::Object(map) if !map.is_empty() => {
            let value = map[&key(map, which)].clone();
            let first = map.keys().next().cloned().unwrap_or_default();
            map.insert(first, value);
        }
        _ => {}
    }
}

fn key(map: &Map<String, Value>, which: &Index) -> String {
    let keys: Vec<&String> = map.keys().collect();
    (*which.get(&keys)).clone()
}

/// Elements or values of a JSON value.
fn children(value: &mut Value) -> Box<dyn Iterator<Item = &mut Value> + '_> {
    match value {
        Value::Array(list) => Box::new(list.iter_mut()),
        Value::Object(map) => Box::new(map.values_mut()),
        _ => Box::new(std::iter::empty()),
    }
}

/// Number of values in a JSON value, itself included.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(list) => list.iter().map(count).sum(),
        Value::Object(map) => map.values().map(count).sum(),
        _ => 0,
    }
}

/// Value number `index` in depth-first order, starting with `value` itself as number 0.
fn nth<'a>(value: &'a mut Value, index: &mut usize) -> Option<&'a mut Value> {
    if *index == 0 {
        return Some(value);
    }
    *index -= 1;
    for child in children(value) {
        if let Some(found) = nth(child, index) {
            return Some(found);
        }
    }
    None
}
