//! The command that makes a request.
//!
//! How a flag is written is said once, where [`LoadRequest`] declares it, and clap reads that
//! in one direction. Here it is read in the other: for each argument that clap knows of, the
//! request's own JSON has the value. A flag that is added is therefore repeated as well.

use clap::{Arg, Args as _, Command};
use serde_json::Value;

use crate::record::request::LoadRequest;
use crate::shell;

/// The fields whose flags a command begins with: what is tested, what it is loaded with, and
/// how much. All others follow in the order in which they are declared.
const FIRST: [&str; 15] = [
    "config",
    "plan",
    "sky",
    "server",
    "server_profile",
    "deploy",
    "server_env",
    "keep_server",
    "infra",
    "copy_credentials",
    "cli",
    "api",
    "run_async",
    "users",
    "iterations",
];

impl LoadRequest {
    /// The arguments of `cargo xtask load` that ask for the same. `--yes` is not among
    /// them: it is for one run, and whoever repeats the command is asked again.
    pub fn to_args(&self) -> Vec<String> {
        // Only a path that is not Unicode cannot be written, and then there is no run.
        let Ok(Value::Object(values)) = serde_json::to_value(self) else { return Vec::new() };
        let flags = flags();
        let typed = flags.iter().filter_map(|flag| Some((flag, values.get(&key(flag))?)));
        typed.flat_map(|(flag, value)| words(flag, value)).collect()
    }

    /// The whole command, as a POSIX shell takes it.
    pub fn command(&self) -> String {
        let args = self.to_args();
        let words = args.iter().map(|arg| shell::word(arg));
        let command = ["cargo", "xtask", "load"].into_iter().map(Into::into);
        command.chain(words).collect::<Vec<_>>().join(" ")
    }
}

/// All flags, in the order in which a command has them.
fn flags() -> Vec<Arg> {
    let command = LoadRequest::augment_args(Command::new("load"));
    let mut flags: Vec<Arg> = command.get_arguments().cloned().collect();
    let rank = |flag: &Arg| FIRST.iter().position(|id| *id == flag.get_id().as_str());
    flags.sort_by_key(|flag| rank(flag).unwrap_or(FIRST.len()));
    flags
}

/// The key of a flag's value in the request's JSON, which has the same fields.
fn key(flag: &Arg) -> String {
    flag.get_id().as_str().replace('_', "-")
}

/// A flag with its value, as they are typed; nothing where it was left out.
fn words(flag: &Arg, value: &Value) -> Vec<String> {
    match value {
        Value::Bool(true) => vec![name(flag)],
        Value::String(text) => with_value(flag, text),
        Value::Array(list) => with_list(flag, list),
        _ => Vec::new(),
    }
}

/// A value that looks like a flag is attached to the long name, which nothing else can.
fn with_value(flag: &Arg, value: &str) -> Vec<String> {
    match value.starts_with('-') {
        true => vec![format!("{}={value}", long_name(flag))],
        false => vec![name(flag), value.to_owned()],
    }
}

/// A list is typed behind one flag if that takes all words up to the next flag, and else, or
/// where a word looks like one, behind a flag for each.
fn with_list(flag: &Arg, list: &[Value]) -> Vec<String> {
    let values: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
    let takes_all = flag.get_num_args().is_some_and(|range| range.max_values() > 1);
    let is_plain = !values.iter().any(|value| value.starts_with('-'));
    match takes_all && is_plain && !values.is_empty() {
        true => [name(flag)].into_iter().chain(values.into_iter().map(str::to_owned)).collect(),
        false => values.into_iter().flat_map(|value| with_value(flag, value)).collect(),
    }
}

/// The short name if there is one.
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

    use clap::builder::PossibleValue;
    use clap::{ArgAction, FromArgMatches as _};
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::{option, sample};

    use super::*;
    use crate::record::request::RequestFile;

    /// The request that a command line makes.
    fn typed(args: Vec<String>) -> LoadRequest {
        let command = LoadRequest::augment_args(Command::new("load").no_binary_name(true));
        LoadRequest::from_arg_matches(&command.try_get_matches_from(args).unwrap()).unwrap()
    }

    /// Flags that a request keeps: all but the one that is agreed to anew.
    fn kept_flags() -> Vec<Arg> {
        flags().into_iter().filter(|flag| flag.get_id() != "yes").collect()
    }

    /// Whatever a shell can hand over: signs, spaces, quotes, flags and nothing at all.
    fn word(flag: &Arg) -> BoxedStrategy<String> {
        let possible = flag.get_possible_values();
        if !possible.is_empty() {
            let names = possible.iter().map(PossibleValue::get_name).map(str::to_owned);
            return sample::select(names.collect::<Vec<_>>()).boxed();
        }
        let word = prop_oneof!["[a-z0-9.:/=]{1,8}", "[^\0]{0,6}", "-{1,2}[a-z]{0,4}"];
        let is_path = flag.get_value_parser().type_id() == TypeId::of::<PathBuf>();
        // A path that is empty is refused by clap itself.
        word.prop_filter("no path", move |word| !(is_path && word.is_empty())).boxed()
    }

    /// Any value that a flag can have.
    fn value(flag: &Arg) -> BoxedStrategy<Value> {
        match flag.get_action() {
            ArgAction::SetTrue => any::<bool>().prop_map(Value::from).boxed(),
            ArgAction::Append => vec(word(flag), 0..4).prop_map(Value::from).boxed(),
            _ => option::of(word(flag)).prop_map(Value::from).boxed(),
        }
    }

    /// Any request, over all flags that there are.
    fn any_request() -> impl Strategy<Value = LoadRequest> {
        let flags = kept_flags();
        let keys: Vec<String> = flags.iter().map(key).collect();
        flags.iter().map(value).collect::<Vec<_>>().prop_map(move |values| {
            let request = keys.iter().cloned().zip(values).collect();
            serde_json::from_value(Value::Object(request)).unwrap()
        })
    }

    proptest! {
        #[test]
        fn every_flag_survives_the_way_to_a_command_and_back(request in any_request()) {
            prop_assert_eq!(&typed(request.to_args()), &request);
            let words = shlex::split(&request.command()).unwrap();
            prop_assert_eq!(typed(words[3..].to_vec()), request);
        }

        #[test]
        fn every_flag_survives_the_way_to_a_file_and_back(request in any_request()) {
            let file = RequestFile::of(request);
            let text = serde_json::to_string(&file).unwrap();
            prop_assert_eq!(serde_json::from_str::<RequestFile>(&text).unwrap(), file);
        }
    }

    #[test]
    fn whatever_is_kept_of_a_request_is_a_flag_with_a_name() {
        let Value::Object(kept) = serde_json::to_value(LoadRequest::default()).unwrap() else {
            panic!("a request has fields");
        };
        let keys: BTreeSet<String> = kept_flags().iter().map(key).collect();
        assert_eq!(kept.into_iter().map(|(key, _)| key).collect::<BTreeSet<_>>(), keys);
        assert!(flags().iter().all(|flag| flag.get_long().is_some()));
        let is_declared = |id: &&str| flags().iter().any(|flag| flag.get_id() == *id);
        assert!(FIRST.iter().all(is_declared));
    }

    #[test]
    fn no_password_is_part_of_a_request_that_is_kept() {
        let args = ["--server", "http://me:s3cret@127.0.0.1:1/"].map(str::to_owned);
        let kept = RequestFile::of(typed(args.to_vec())).request;
        assert_eq!(kept.server.as_deref(), Some("http://127.0.0.1:1/"));
    }
}
