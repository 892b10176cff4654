//! `--server-env`: a variable that an isolated server is given on purpose.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use skyload::env;
use skyload::record::request::{KeptValue, ServerVariable};

/// What skyload decides itself, or what would test another SkyPilot than the one that is
/// named.
const DECIDED: [&str; 8] = [
    "HOME",
    "PATH",
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONUSERBASE",
    env::LOCAL_PORT,
    env::ENDPOINT,
    "TMPDIR",
];

/// Words in names of variables whose values are nobody's business.
const SECRET: [&str; 7] =
    ["AUTH", "CREDENTIAL", "KEY", "PASSPHRASE", "PASSWORD", "SECRET", "TOKEN"];

/// What each `--server-env` means, and all that is wrong with them.
pub fn parse(typed: &[String]) -> (Vec<ServerVariable>, Vec<String>) {
    parse_with(typed, env::raw)
}

fn parse_with(
    typed: &[String],
    shell: impl Fn(&str) -> Option<OsString>,
) -> (Vec<ServerVariable>, Vec<String>) {
    let (mut variables, mut mistakes): (Vec<ServerVariable>, Vec<String>) = Default::default();
    for text in typed {
        match variable(text, &shell) {
            Ok(variable) if variables.iter().any(|other| other.name == variable.name) => {
                mistakes.push(format!("--server-env: `{}` is given twice", variable.name));
            }
            Ok(variable) => variables.push(variable),
            Err(mistake) => mistakes.push(format!("--server-env: {mistake}")),
        }
    }
    (variables, mistakes)
}

fn variable(
    text: &str,
    shell: impl Fn(&str) -> Option<OsString>,
) -> Result<ServerVariable, String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty()
        || !name.chars().all(is_name)
        || name.starts_with(|c: char| c.is_ascii_digit())
    {
        // It may be a value that was meant to be kept to oneself.
        return Err("what was typed is neither NAME nor NAME=VALUE".to_owned());
    }
    if DECIDED.contains(&name) || name.starts_with("SKYLOAD_") {
        return Err(format!(
            "`{name}` is decided by skyload; --sky chooses the SkyPilot under test, and \
             SKYLOAD_STATE_DIR where its server lives"
        ));
    }
    match value {
        Some(_) if is_secret(name) => Err(format!(
            "the value of `{name}` looks like a secret, which a file of the run and the list of \
             processes would show; set it in the shell and give `--server-env {name}`, of which \
             only a hash is kept"
        )),
        Some(value) => {
            Ok(ServerVariable { name: name.to_owned(), value: KeptValue::Typed(value.to_owned()) })
        }
        None => match shell(name) {
            Some(value) => Ok(ServerVariable::of_shell(name, value.as_bytes())),
            None => Err(format!(
                "`{name}` is not set in this shell; set it, or give `--server-env {name}=VALUE`"
            )),
        },
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_uppercase();
    SECRET.iter().any(|word| name.contains(word))
}

/// The variables with their values, of which the shell's are read once more.
pub fn with_values(variables: &[ServerVariable]) -> Vec<(OsString, OsString)> {
    let value = |variable: &ServerVariable| match &variable.value {
        KeptValue::Typed(value) => Some(value.into()),
        KeptValue::Sha256(_) => env::raw(&variable.name),
    };
    let pairs = variables.iter();
    pairs.filter_map(|it| Some((OsStr::new(&it.name).to_owned(), value(it)?))).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn parse_one(text: &str) -> (Vec<ServerVariable>, Vec<String>) {
        parse_with(&[text.to_owned()], |name| (name == "MALLOC_TOP_PAD_").then(|| "secret".into()))
    }

    #[test]
    fn a_typed_value_is_kept_and_of_the_shells_a_hash() {
        let (typed, _) = parse_one("MALLOC_ARENA_MAX=1");
        assert_eq!(typed[0].value, KeptValue::Typed("1".to_owned()));
        let (passed, mistakes) = parse_one("MALLOC_TOP_PAD_");
        assert!(mistakes.is_empty());
        let kept = passed[0].value.to_string();
        assert_eq!(kept, "sha256:2bb80d537b1d");
    }

    #[rstest]
    #[case::unset("NOWHERE", "`NOWHERE` is not set in this shell")]
    #[case::a_secret(
        "AWS_SECRET_ACCESS_KEY=abc",
        "the value of `AWS_SECRET_ACCESS_KEY` looks like"
    )]
    #[case::in_small_letters("my_password=abc", "the value of `my_password` looks like a secret")]
    #[case::decided("HOME=/x", "`HOME` is decided by skyload")]
    #[case::another_sky("PYTHONPATH=/x", "--sky chooses the SkyPilot under test")]
    #[case::no_name("=x", "neither NAME nor NAME=VALUE")]
    fn a_mistake_is_named_and_no_value_shown(#[case] text: &str, #[case] words: &str) {
        let (variables, mistakes) = parse_one(text);
        assert!(variables.is_empty());
        assert!(mistakes[0].contains(words) && !mistakes[0].contains("abc"), "{mistakes:?}");
    }

    #[test]
    fn a_name_is_given_once() {
        let typed = ["A=1".to_owned(), "A=2".to_owned()];
        assert_eq!(parse_with(&typed, |_| None).1, ["--server-env: `A` is given twice"]);
    }
}
