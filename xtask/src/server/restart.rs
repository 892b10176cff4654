//! Restart of the user's local server: the options that it was started with, and which of its
//! variables a start from this shell would change.
//!
//! SkyPilot keeps neither. Options are in the command line of the main process, but for
//! `--enable-basic-auth`, which is a variable of its environment.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use anyhow::{Context as _, Result};
use host::environment::affects_results;
use host::process::scan::{Scan, Seen};
use serde::{Deserialize, Serialize};
use skyload::env;
use skyload::ids::ProcessIdentity;
use skyload::{server_command, shell};

use super::ports::DEFAULT_API_PORT;

/// Address on which a server listens that was started without `--host`.
const DEFAULT_HOST: &str = "127.0.0.1";

/// Addresses of `sky api start` that include the loopback address, on which clients reach it.
const HOSTS: [&str; 4] = [DEFAULT_HOST, "localhost", "0.0.0.0", "::"];

/// Addresses of `sky api start --deploy`, which listens on no others, whatever its `--host`.
const DEPLOYED_HOSTS: [&str; 2] = ["0.0.0.0", "::"];

/// Port of a server's metrics without `--metrics-port`, which `sky api start` does not take.
const METRICS_PORT: &str = "9090";

/// Variables with SkyPilot's prefixes that do not matter to a server: its port is in its command
/// line, and the others are for clients.
const OF_CLIENTS: [&str; 3] = [env::LOCAL_PORT, env::ENDPOINT, env::SERVICE_ACCOUNT_TOKEN];

/// Environment variables by their names.
pub(super) type Variables = BTreeMap<OsString, OsString>;

/// Start of the user's local server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Start {
    /// Port of the API.
    pub(super) port: u16,
    /// Options of `sky api start`.
    pub(super) options: Vec<String>,
}

impl Start {
    /// Arguments of `sky`.
    pub(super) fn arguments(&self) -> Vec<&str> {
        ["api", "start"].into_iter().chain(self.options.iter().map(String::as_str)).collect()
    }

    /// Command line for the user's shell.
    pub(super) fn command_line(&self) -> String {
        let port = match self.port {
            DEFAULT_API_PORT => String::new(),
            port => format!("{}={port} ", env::LOCAL_PORT),
        };
        let words: Vec<_> = self.arguments().into_iter().map(shell::word).collect();
        format!("{port}sky {}", words.join(" "))
    }
}

/// Server that runs, as it was started.
#[derive(Debug)]
pub(super) struct Running {
    /// Command line of the main process.
    words: Vec<OsString>,
    /// Environment of the main process.
    variables: Variables,
}

/// Names of the variables that a restart would change.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// Settings of the server that it would lose, or have with another value.
    pub(super) settings: Vec<String>,
    /// Further variables that may matter to a server, and settings that it would get.
    pub(super) others: Vec<String>,
}

impl Running {
    /// Reads how a server with this main process was started.
    pub(super) fn of(root: ProcessIdentity) -> Result<Self> {
        let scan = Scan::now()?;
        let main = scan.processes().find(|seen| seen.pid == root.pid);
        let main = main.with_context(|| format!("reading how your server was started ({root})"))?;
        Ok(Self { words: main.args().to_vec(), variables: variables(&main) })
    }

    /// Options of `sky api start` for a server like this one, or what `sky api start` cannot do.
    pub(super) fn options(&self) -> Result<Vec<String>, String> {
        let words = self.words.iter().map(|word| word.as_encoded_bytes().trim_ascii());
        let after_module = server_command::after_module(words).into_iter().flatten();
        let mut arguments =
            after_module.map(|argument| String::from_utf8_lossy(argument).into_owned());
        let (mut is_deployed, mut host) = (false, DEFAULT_HOST.to_owned());
        let mut refused = Vec::new();
        while let Some(argument) = arguments.next() {
            let (name, attached) = match argument.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (argument.as_str(), None),
            };
            let mut value = || attached.clone().or_else(|| arguments.next()).unwrap_or_default();
            match name {
                "--deploy" => is_deployed = true,
                "--host" => host = value(),
                "--port" => _ = value(),
                "--metrics-port" => {
                    let port = value();
                    // Without metrics nothing listens there.
                    if self.variable(env::SERVER_METRICS).is_some() && port != METRICS_PORT {
                        refused.push(format!("--metrics-port={port}"));
                    }
                }
                _ => refused.push(argument),
            }
        }
        let deploy = is_deployed.then(|| "--deploy".to_owned());
        let hosts: &[&str] = if is_deployed { &DEPLOYED_HOSTS } else { &HOSTS };
        if !hosts.contains(&host.as_str()) {
            refused.extend(deploy.clone());
            refused.push(format!("--host={host}"));
        }
        if !refused.is_empty() {
            return Err(refused.join(" "));
        }
        let host = (host != DEFAULT_HOST).then(|| format!("--host={host}"));
        let asks_for_login = self.variable(env::BASIC_AUTH).is_some_and(|value| value == "true");
        let basic_auth = asks_for_login.then(|| "--enable-basic-auth".to_owned());
        Ok([deploy, host, basic_auth].into_iter().flatten().collect())
    }

    /// Names of the variables that a server with the variables `next` has otherwise; `None` if
    /// those of this server cannot be read.
    pub(super) fn changes(&self, next: &Variables) -> Option<Changes> {
        if self.variables.is_empty() {
            return None;
        }
        let mut changes = Changes::default();
        let names: BTreeSet<&OsString> = self.variables.keys().chain(next.keys()).collect();
        for variable in names {
            let (before, after) = (self.variables.get(variable), next.get(variable));
            let name = variable.to_string_lossy();
            let is_setting = name == "HOME"
                || ["SKYPILOT_", "SKY_"].iter().any(|prefix| name.starts_with(prefix));
            if before == after || OF_CLIENTS.contains(&&*name) {
                continue;
            }
            if is_setting && before.is_some() {
                changes.settings.push(name.into_owned());
            } else if is_setting || affects_results(&name) {
                changes.others.push(name.into_owned());
            }
        }
        Some(changes)
    }

    fn variable(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(name)).map(OsString::as_os_str)
    }
}

/// Variables of a process by name.
fn variables(seen: &Seen<'_>) -> Variables {
    let pairs = seen.variables().iter().filter_map(|pair| {
        let pair = pair.as_bytes();
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let text = |bytes: &[u8]| OsStr::from_bytes(bytes).to_owned();
        Some((text(&pair[..at]), text(&pair[at + 1..])))
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    fn running(options: &str, pairs: &[(&str, &str)]) -> Running {
        let line = format!("/v/bin/python -m sky.server.server {options}");
        Running {
            words: line.split_whitespace().map(Into::into).collect(),
            variables: variables(pairs),
        }
    }

    #[rstest]
    #[case::in_local_mode("--host=127.0.0.1 --port=46580", "")]
    #[case::of_old_releases("", "")]
    #[case::in_deploy_mode("--deploy --host=0.0.0.0 --port=46580", "--deploy --host=0.0.0.0")]
    #[case::with_separate_values("--host :: --port 46601 --deploy", "--deploy --host=::")]
    #[case::for_remote_clients("--host=0.0.0.0", "--host=0.0.0.0")]
    #[case::without_metrics("--metrics-port=7", "")]
    fn a_server_is_restarted_with_its_options(#[case] options: &str, #[case] expected: &str) {
        let restarted = running(options, &[]).options().unwrap();
        assert_eq!(restarted.join(" "), expected);
        let start = Start { port: 46_580, options: restarted };
        assert_eq!(start.arguments()[..2], ["api", "start"]);
        assert_eq!(start.arguments()[2..].join(" "), expected);
    }

    #[test]
    fn a_start_in_the_users_shell_names_a_port_that_is_not_the_default() {
        let start = |port| Start { port, options: vec!["--deploy".to_owned()] }.command_line();
        assert_eq!(start(46_580), "sky api start --deploy");
        assert_eq!(start(46_601), "SKYPILOT_API_SERVER_LOCAL_PORT=46601 sky api start --deploy");
    }

    #[test]
    fn a_server_with_basic_auth_is_restarted_with_it() {
        let options =
            |value| running("--deploy --host=::", &[("ENABLE_BASIC_AUTH", value)]).options();
        let expected = ["--deploy", "--host=::", "--enable-basic-auth"].map(str::to_owned);
        assert_eq!(options("true").unwrap(), expected);
        assert_eq!(options("false").unwrap(), expected[..2]);
    }

    #[rstest]
    #[case::an_address_that_is_not_loopback("--host=10.0.0.5", "--host=10.0.0.5")]
    #[case::deploy_mode_on_loopback("--host=127.0.0.1 --deploy", "--deploy --host=127.0.0.1")]
    #[case::a_port_of_metrics("--metrics-port 7 --port=8", "--metrics-port=7")]
    #[case::what_is_newer("--deploy --host=:: --shards=3", "--shards=3")]
    fn a_server_that_sky_cannot_start_is_refused(#[case] options: &str, #[case] refused: &str) {
        let running = running(options, &[(env::SERVER_METRICS, "true")]);
        assert_eq!(running.options(), Err(refused.to_owned()));
    }

    #[test]
    fn settings_that_a_restart_would_change_are_found_and_other_changes_told() {
        let running = running(
            "",
            &[
                ("HOME", "/root"),
                ("SKYPILOT_DB_CONNECTION_URI", "postgresql://a"),
                ("SKY_API_SERVER_METRICS_ENABLED", "true"),
                ("SKYPILOT_DEBUG", "1"),
                ("KUBECONFIG", "/k"),
                ("SKYPILOT_API_SERVER_LOCAL_PORT", "46601"),
                ("IS_SKYPILOT_SERVER", "true"),
                ("SKYLOAD_SERVER_OF_RUN", "20261127-1"),
            ],
        );
        let next = variables(&[
            ("HOME", "/home/me"),
            ("SKY_API_SERVER_METRICS_ENABLED", "1"),
            ("SKYPILOT_DEBUG", "1"),
            ("SKYPILOT_POD_CPU_CORE_LIMIT", "4"),
            ("EDITOR", "vi"),
        ]);
        let settings = ["HOME", "SKYPILOT_DB_CONNECTION_URI", "SKY_API_SERVER_METRICS_ENABLED"]
            .map(str::to_owned);
        let others = ["KUBECONFIG", "SKYPILOT_POD_CPU_CORE_LIMIT"].map(str::to_owned);
        let changes = Changes { settings: settings.to_vec(), others: others.to_vec() };
        assert_eq!(running.changes(&next), Some(changes));
        assert_eq!(running.changes(&running.variables), Some(Changes::default()));
    }

    #[test]
    fn variables_that_cannot_be_read_are_not_taken_for_none() {
        assert_eq!(running("", &[]).changes(&Variables::new()), None);
    }

    #[test]
    fn command_line_and_variables_of_a_process_are_read() {
        let mut sleeper = std::process::Command::new("sleep");
        let mut sleeper = sleeper.arg("600").env("SKY_SETTING", "a=b").spawn().unwrap();
        let root = ProcessIdentity::of(sleeper.id()).unwrap();
        let running = Running::of(root);
        sleeper.kill().unwrap();
        sleeper.wait().unwrap();
        let running = running.unwrap();
        assert_eq!(running.words, ["sleep", "600"]);
        assert_eq!(running.variable("SKY_SETTING"), Some(OsStr::new("a=b")));
    }
}
