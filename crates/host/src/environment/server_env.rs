//! Variables that `--server-env` passes to an isolated server.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use skyload::env;
use skyload::record::request::{RecordedValue, ServerVariable};

/// Variables of `typed` that are named without a value and that the shell has.
pub fn from_shell(typed: &[String]) -> Vec<ServerVariable> {
    let named = typed.iter().filter(|text| !text.contains('='));
    let read = |name: &String| Some(ServerVariable::of_shell(name, env::raw(name)?.as_bytes()));
    named.filter_map(read).collect()
}

/// Names and values of `variables`. Values of the shell are read again here: records have only
/// their SHA-256.
pub fn with_values(variables: &[ServerVariable]) -> Vec<(OsString, OsString)> {
    let value = |variable: &ServerVariable| match &variable.value {
        RecordedValue::Typed(value) => Some(value.into()),
        RecordedValue::Sha256(_) => env::raw(&variable.name),
    };
    let pairs = variables.iter();
    pairs.filter_map(|it| Some((OsStr::new(&it.name).to_owned(), value(it)?))).collect()
}
