//! Changes to valid inputs, such as damage, other programs and other versions make them:
//! of the structure more than of single bytes.
//!
//! Tests try a few hundred cases of each parser; `PROPTEST_CASES=1000000` tries more.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

/// One change; a place is chosen once it is known how many there are.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// Of the JSON value in a line, or in the whole text.
    Json(Index, Index, JsonChange),
    /// A number within the text becomes another.
    Number(Index, &'static str),
    RemoveLine(Index),
    DuplicateLine(Index),
    SwapLines(Index, Index),
    RemoveLines(Index, Index),
    Cut(Index),
    Byte(Index, u8),
    Insert(Index, Vec<u8>),
    RemoveBytes(Index, u8),
}

/// A change of one value within a JSON value.
#[derive(Clone, Debug)]
pub(crate) enum JsonChange {
    Replace(Value),
    /// Without one of its keys or elements.
    Remove(Index),
    /// An element or key once more.
    Duplicate(Index),
    /// With a key that nobody knows.
    Add,
    /// Takes the place of another value of the same text.
    Copy(Index),
}

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

/// One to four changes.
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

/// The input with these changes.
pub(crate) fn changed(input: &[u8], changes: &[Change]) -> Vec<u8> {
    changes.iter().fold(input.to_vec(), one)
}

/// Tries changes of one input, as many as proptest's configuration says.
#[track_caller]
pub(crate) fn try_changes(input: &[u8], mut parse: impl FnMut(&[u8])) {
    try_all(&[input], |inputs| parse(&inputs[0]));
}

/// The same of several inputs that belong together.
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

fn one(mut input: Vec<u8>, change: &Change) -> Vec<u8> {
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
                    map.insert("nobody-knows".to_owned(), Value::Null);
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

fn children(value: &mut Value) -> Box<dyn Iterator<Item = &mut Value> + '_> {
    match value {
        Value::Array(list) => Box::new(list.iter_mut()),
        Value::Object(map) => Box::new(map.values_mut()),
        _ => Box::new(std::iter::empty()),
    }
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(list) => list.iter().map(count).sum(),
        Value::Object(map) => map.values().map(count).sum(),
        _ => 0,
    }
}

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
