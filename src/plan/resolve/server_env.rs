//! Variables that an isolated server is given on purpose.

use super::Resolver;
use crate::env;
use crate::record::request::{RecordedValue, ServerVariable};

/// Names of variables that skyload decides itself, or by which another SkyPilot would be
/// tested than the one that is named.
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

impl Resolver<'_> {
    pub(super) fn server_env(&mut self) -> Vec<ServerVariable> {
        let mut variables: Vec<ServerVariable> = Vec::new();
        for text in &self.request.server_env {
            match variable(text, &self.machine.shell) {
                Ok(variable) if variables.iter().any(|other| other.name == variable.name) => {
                    self.error(format!("--server-env: `{}` is given twice", variable.name));
                }
                Ok(variable) => variables.push(variable),
                Err(mistake) => self.error(format!("--server-env: {mistake}")),
            }
        }
        variables
    }
}

fn variable(text: &str, shell: &[ServerVariable]) -> Result<ServerVariable, String> {
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
        return Err("expected NAME or NAME=VALUE".to_owned());
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
        Some(value) => Ok(ServerVariable {
            name: name.to_owned(),
            value: RecordedValue::Typed(value.to_owned()),
        }),
        None => shell.iter().find(|variable| variable.name == name).cloned().ok_or_else(|| {
            format!(
                "`{name}` is not set in this shell; set it, or give `--server-env {name}=VALUE`"
            )
        }),
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_uppercase();
    SECRET.iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::tests::{MACHINE, config};
    use super::*;
    use crate::plan::{LoadPlan, Machine, UsageErrors};
    use crate::record::request::LoadRequest;

    fn resolved(typed: &[&str]) -> Result<Vec<ServerVariable>, UsageErrors> {
        let shell = vec![ServerVariable::of_shell("MALLOC_TOP_PAD_", b"secret")];
        let machine = Machine { shell, ..MACHINE };
        let server_env = typed.iter().map(|text| (*text).to_owned()).collect();
        let request = LoadRequest { server_env, ..LoadRequest::default() };
        LoadPlan::resolve(&request, &config(), &machine).map(|plan| plan.server_env)
    }

    #[test]
    fn a_typed_value_is_kept_and_of_the_shells_a_hash() {
        let variables = resolved(&["MALLOC_ARENA_MAX=1", "MALLOC_TOP_PAD_"]).unwrap();
        assert_eq!(variables[0].value, RecordedValue::Typed("1".to_owned()));
        assert_eq!(variables[1].value.to_string(), "sha256:2bb80d537b1d");
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
        let UsageErrors(mistakes) = resolved(&[text]).unwrap_err();
        assert!(mistakes[0].contains(words) && !mistakes[0].contains("abc"), "{mistakes:?}");
    }

    #[test]
    fn a_name_is_given_once() {
        let UsageErrors(mistakes) = resolved(&["A=1", "A=2"]).unwrap_err();
        assert_eq!(mistakes, ["--server-env: `A` is given twice"]);
    }
}
