//! Command line of a request.
//!
//! Flags are declared once, in [`LoadRequest`], from which clap parses a command line. This
//! module goes the other way: it takes each flag from clap's declaration and its value from the
//! request's JSON. A new flag is therefore included without a change here.

use clap::{Arg, Args as _, Command, FromArgMatches as _};
use serde_json::Value;

use crate::record::request::LoadRequest;
use crate::shell;

/// Fields whose flags a command begins with: server, scenarios and size of the load. All other
/// flags follow in the order of their declaration.
const LEADING_FIELDS: [&str; 23] = [
    "config",
    "plan",
    "sky",
    "server",
    "token_file",
    "server_profile",
    "metrics",
    "metrics_url",
    "size",
    "workers",
    "deploy",
    "local",
    "server_env",
    "keep_server",
    "infra",
    "copy_credentials",
    "cli",
    "api",
    "mix",
    "hold",
    "run_async",
    "users",
    "iterations",
];

impl LoadRequest {
    /// Arguments of `cargo xtask load` that repeat the request, except `--yes`, which is a
    /// confirmation for one run only.
    pub fn to_args(&self) -> Vec<String> {
        // Serialization fails only for a path that is not Unicode. There is no run then, since
        // its `request.json` could not be written either.
        let Ok(Value::Object(values)) = serde_json::to_value(self) else { return Vec::new() };
        let flags = flags();
        let set = flags.iter().filter_map(|flag| Some((flag, values.get(&key(flag))?)));
        set.flat_map(|(flag, value)| flag_args(flag, value)).collect()
    }

    /// Request of arguments, as of [`Self::to_args`].
    ///
    /// # Errors
    ///
    /// When the arguments are none of `cargo xtask load`: one line that names the first mistake.
    pub fn from_args(args: &[String]) -> Result<Self, String> {
        let command = Self::augment_args(Command::new("load").no_binary_name(true));
        let parsed = command.try_get_matches_from(args);
        let request = parsed.and_then(|matches| Self::from_arg_matches(&matches));
        request.map_err(|error| {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            first.trim_start_matches("error: ").to_owned()
        })
    }

    /// Complete command, quoted for a POSIX shell.
    pub fn command(&self) -> String {
        let args = self.to_args();
        let quoted = args.iter().map(|arg| shell::word(arg));
        let command = ["cargo", "xtask", "load"].into_iter().map(Into::into);
        command.chain(quoted).collect::<Vec<_>>().join(" ")
    }
}

/// Flags of `load`, in the order of a generated command.
fn flags() -> Vec<Arg> {
    let command = LoadRequest::augment_args(Command::new("load"));
    let mut flags: Vec<Arg> = command.get_arguments().cloned().collect();
    let rank = |flag: &Arg| LEADING_FIELDS.iter().position(|id| *id == flag.get_id().as_str());
    // The sort is stable, so all other flags stay in the order of their declaration.
    flags.sort_by_key(|flag| rank(flag).unwrap_or(LEADING_FIELDS.len()));
    flags
}

/// Key of a flag's value in the request's JSON.
fn key(flag: &Arg) -> String {
    flag.get_id().as_str().replace('_', "-")
}

/// Arguments of a flag with its value; empty for a flag that is not set.
fn flag_args(flag: &Arg, value: &Value) -> Vec<String> {
    match value {
        Value::Bool(true) => vec![name(flag)],
        Value::String(text) => with_value(flag, text),
        Value::Array(list) => with_list(flag, list),
        _ => Vec::new(),
    }
}

/// Arguments of a flag with one value. A value with a leading `-` would be parsed as a flag, so
/// it is joined to the long name by `=`.
fn with_value(flag: &Arg, value: &str) -> Vec<String> {
    match value.starts_with('-') {
        true => vec![format!("{}={value}", long_name(flag))],
        false => vec![name(flag), value.to_owned()],
    }
}

/// Arguments of a flag with a list: the flag once if it takes several values and none of them
/// has a leading `-`, otherwise the flag once per value.
fn with_list(flag: &Arg, list: &[Value]) -> Vec<String> {
    let values: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
    let takes_all = flag.get_num_args().is_some_and(|range| range.max_values() > 1);
    let is_plain = !values.iter().any(|value| value.starts_with('-'));
    match takes_all && is_plain && !values.is_empty() {
        true => [name(flag)].into_iter().chain(values.into_iter().map(str::to_owned)).collect(),
        false => values.into_iter().flat_map(|value| with_value(flag, value)).collect(),
    }
}

/// Short name of a flag, or the long name of a flag without one.
fn name(flag: &Arg) -> String {
    flag.get_short().map_or_else(|| long_name(flag), |short| format!("-{short}"))
}

fn long_name(flag: &Arg) -> String {
    format!("--{}", flag.get_long().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::any::TypeId;
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use clap::ArgAction;
    use clap::builder::PossibleValue;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::{option, sample};

    use super::*;
    use crate::record::request::RequestFile;

    /// Request of a command line.
    fn parse(args: Vec<String>) -> LoadRequest {
        LoadRequest::from_args(&args).unwrap()
    }

    /// Flags that are recorded in a request: all except `--yes`.
    fn recorded_flags() -> Vec<Arg> {
        flags().into_iter().filter(|flag| flag.get_id() != "yes").collect()
    }

    /// Arbitrary argument as a shell may pass it: signs, spaces, quotes, flags, or empty.
    fn word(flag: &Arg) -> BoxedStrategy<String> {
        let possible = flag.get_possible_values();
        if !possible.is_empty() {
            let names = possible.iter().map(PossibleValue::get_name).map(str::to_owned);
            return sample::select(names.collect::<Vec<_>>()).boxed();
        }
        let word = prop_oneof!["[a-z0-9.:/=]{1,8}", "[^\0]{0,6}", "-{1,2}[a-z]{0,4}"];
        let is_path = flag.get_value_parser().type_id() == TypeId::of::<PathBuf>();
        // clap rejects an empty path.
        word.prop_filter("no path", move |word| !(is_path && word.is_empty())).boxed()
    }

    /// Arbitrary value of a flag.
    fn value(flag: &Arg) -> BoxedStrategy<Value> {
        match flag.get_action() {
            ArgAction::SetTrue => any::<bool>().prop_map(Value::from).boxed(),
            ArgAction::Append => vec(word(flag), 0..4).prop_map(Value::from).boxed(),
            _ => option::of(word(flag)).prop_map(Value::from).boxed(),
        }
    }

    /// Arbitrary request with values for all recorded flags.
    fn any_request() -> impl Strategy<Value = LoadRequest> {
        let flags = recorded_flags();
        let keys: Vec<String> = flags.iter().map(key).collect();
        flags.iter().map(value).collect::<Vec<_>>().prop_map(move |values| {
            let request = keys.iter().cloned().zip(values).collect();
            serde_json::from_value(Value::Object(request)).unwrap()
        })
    }

    proptest! {
        #[test]
        fn every_flag_survives_a_round_trip_through_a_command(request in any_request()) {
            prop_assert_eq!(&parse(request.to_args()), &request);
            let args = shlex::split(&request.command()).unwrap();
            prop_assert_eq!(parse(args[3..].to_vec()), request);
        }

        #[test]
        fn every_flag_survives_a_round_trip_through_a_file(request in any_request()) {
            let file = RequestFile::of(request);
            let text = serde_json::to_string(&file).unwrap();
            prop_assert_eq!(serde_json::from_str::<RequestFile>(&text).unwrap(), file);
        }
    }

    #[test]
    fn every_recorded_field_is_a_flag_with_a_long_name() {
        let Value::Object(recorded) = serde_json::to_value(LoadRequest::default()).unwrap() else {
            panic!("a request has fields");
        };
        let keys: BTreeSet<String> = recorded_flags().iter().map(key).collect();
        assert_eq!(recorded.into_iter().map(|(key, _)| key).collect::<BTreeSet<_>>(), keys);
        assert!(flags().iter().all(|flag| flag.get_long().is_some()));
        let is_declared = |id: &&str| flags().iter().any(|flag| flag.get_id() == *id);
        assert!(LEADING_FIELDS.iter().all(is_declared));
    }

    #[test]
    fn names_of_upstream_and_of_earlier_builds_ask_for_the_same() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect();
        let now = "-n 4 -r status --api validate -c none --iterations 2 --plan smoke";
        for before in [
            "-n 4 --requests status --apis validate --clouds none --iterations 2 --plan smoke",
            "--requests-per-scenario 4 -r status --api validate --cloud none --waves 2 \
             --profile smoke",
        ] {
            assert_eq!(parse(words(before)), parse(words(now)), "{before}");
        }
    }

    #[test]
    fn arguments_that_load_does_not_have_are_an_error_in_one_line() {
        let error = LoadRequest::from_args(&["--no-such-flag".to_owned()]).unwrap_err();
        assert!(error.contains("--no-such-flag") && !error.contains('\n'), "{error}");
    }

    #[test]
    fn a_recorded_request_has_no_password() {
        let url = "http://me:s3cret@127.0.0.1:1/";
        let args = ["--server", url, "--metrics-url", url].map(str::to_owned);
        let recorded = RequestFile::of(parse(args.to_vec())).request;
        assert_eq!(recorded.server.as_deref(), Some("http://127.0.0.1:1/"));
        assert_eq!(recorded.metrics_url, recorded.server);
    }
}
