//! Environment variables that are passed to an isolated server (`--server-env`).

use super::Resolver;
use crate::credentials;
use crate::env;
use crate::record::request::{RecordedValue, ServerVariable};

/// Variables that skyload sets itself, or that would replace the SkyPilot under test.
const RESERVED: [&str; 13] = [
    "HOME",
    "PATH",
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONUSERBASE",
    env::LOCAL_PORT,
    env::ENDPOINT,
    "TMPDIR",
    env::POD_CPUS,
    env::POD_MEMORY_GIB,
    env::LONG_WORKERS,
    env::SHORT_WORKERS,
    env::IS_SERVER,
];

/// Parts of the names of variables whose values are secret.
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
                Err(error) => self.error(format!("--server-env: {error}")),
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
        // Without the text: the user may have typed a secret value instead of a name.
        return Err("expected NAME or NAME=VALUE".to_owned());
    }
    if RESERVED.contains(&name) || name.starts_with("SKYLOAD_") {
        return Err(format!(
            "`{name}` is set by skyload; use --sky for the SkyPilot under test, \
             SKYLOAD_STATE_DIR for the directory of the isolated server, and --size and --workers \
             for its size"
        ));
    }
    match value {
        Some(value) if is_secret(name) || has_login(value) => Err(format!(
            "the value of `{name}` looks like a secret, which results and process list would \
             show; set the variable in the shell and pass `--server-env {name}`, which stores only \
             a hash"
        )),
        Some(value) => Ok(ServerVariable {
            name: name.to_owned(),
            value: RecordedValue::Typed(value.to_owned()),
        }),
        None => shell.iter().find(|variable| variable.name == name).cloned().ok_or_else(|| {
            format!(
                "`{name}` is not set in this shell; set it, or pass `--server-env {name}=VALUE`"
            )
        }),
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_uppercase();
    SECRET.iter().any(|word| name.contains(word))
}

/// Whether a value has a login before an address, as those of proxies and databases may:
/// `http://me:secret@host`, and `me:secret@host`. A mail address has none.
fn has_login(value: &str) -> bool {
    let mut parts = value.split("://");
    let before_scheme = parts.next().unwrap_or_default();
    let in_url = |rest: &str| {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        authority.contains('@')
    };
    let is_any_url = value != before_scheme;
    let without_scheme = before_scheme.split_once('@').is_some_and(|(user, _)| user.contains(':'));
    // A password with a `/` ends the authority early, and such a text is no URL.
    without_scheme || parts.any(in_url) || (is_any_url && credentials::stripped(value) != value)
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
    fn a_typed_value_is_stored_and_a_shell_value_as_a_hash() {
        let variables = resolved(&["MALLOC_ARENA_MAX=1", "MALLOC_TOP_PAD_"]).unwrap();
        assert_eq!(variables[0].value, RecordedValue::Typed("1".to_owned()));
        assert_eq!(variables[1].value.to_string(), "sha256:2bb80d537b1d");
    }

    #[rstest]
    #[case::a_mail_address("OWNER=me@host.example")]
    #[case::a_url("HTTPS_PROXY=http://proxy:3128")]
    #[case::a_sign_in_a_path("SOURCE=git+https://host/path@main?at=a@b")]
    #[case::tunables("GLIBC_TUNABLES=glibc.malloc.arena_max=1:glibc.malloc.check=0")]
    fn a_value_without_a_login_is_stored(#[case] text: &str) {
        let (_, value) = text.split_once('=').unwrap();
        let variables = resolved(&[text]).unwrap();
        assert_eq!(variables[0].value, RecordedValue::Typed(value.to_owned()));
    }

    #[rstest]
    #[case::unset("NOWHERE", "`NOWHERE` is not set in this shell")]
    #[case::a_secret(
        "AWS_SECRET_ACCESS_KEY=abc",
        "the value of `AWS_SECRET_ACCESS_KEY` looks like"
    )]
    #[case::in_lower_case("my_password=abc", "the value of `my_password` looks like a secret")]
    #[case::a_login_in_a_url(
        "HTTPS_PROXY=http://me:abc@proxy:3128",
        "the value of `HTTPS_PROXY` looks like a secret"
    )]
    #[case::a_database("SKYPILOT_DB_CONNECTION_URI=postgresql://sky:abc@db/sky", "looks like a")]
    #[case::a_token_alone("INDEX_URL=https://abc@host/simple", "looks like a secret")]
    #[case::in_a_later_url("NODES=http://a:1,http://me:abc@b:2", "looks like a secret")]
    #[case::a_sign_in_a_password("NODE=http://me:p/abc@b:2", "looks like a secret")]
    #[case::no_scheme("HTTPS_PROXY=me:abc@proxy:3128", "looks like a secret")]
    #[case::reserved("HOME=/x", "`HOME` is set by skyload")]
    #[case::another_sky("PYTHONPATH=/x", "use --sky for the SkyPilot under test")]
    #[case::no_name("=x", "expected NAME or NAME=VALUE")]
    fn an_error_names_the_variable_and_hides_its_value(#[case] text: &str, #[case] message: &str) {
        let UsageErrors(errors) = resolved(&[text]).unwrap_err();
        assert!(errors[0].contains(message) && !errors[0].contains("abc"), "{errors:?}");
    }

    #[test]
    fn a_name_is_given_once() {
        let UsageErrors(errors) = resolved(&["A=1", "A=2"]).unwrap_err();
        assert_eq!(errors, ["--server-env: `A` is given twice"]);
    }
}
