//! `--server-env`: variables of the shell that an isolated server is given on purpose.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use skyload::env;
use skyload::record::request::{RecordedValue, ServerVariable};

/// The variables that are named without a value, as far as the shell has them.
pub fn of_shell(typed: &[String]) -> Vec<ServerVariable> {
    let named = typed.iter().filter(|text| !text.contains('='));
    let read = |name: &String| Some(ServerVariable::of_shell(name, env::raw(name)?.as_bytes()));
    named.filter_map(read).collect()
}

/// The variables with their values, of which the shell's are read once more.
pub fn with_values(variables: &[ServerVariable]) -> Vec<(OsString, OsString)> {
    let value = |variable: &ServerVariable| match &variable.value {
        RecordedValue::Typed(value) => Some(value.into()),
        RecordedValue::Sha256(_) => env::raw(&variable.name),
    };
    let pairs = variables.iter();
    pairs.filter_map(|it| Some((OsStr::new(&it.name).to_owned(), value(it)?))).collect()
}
