//! Environment variables of the processes that skyload starts.
//!
//! Many variables of a shell change results: proxies, paths of another Python, credentials,
//! settings of memory allocators. So variables are passed on from an allowlist:
//!
//! * [`list`]: the names, for each kind of process.
//! * [`proxies`]: the loopback address as an exception from proxies.
//! * [`libraries`]: `LD_LIBRARY_PATH` without the folders that cargo adds.
//! * [`server_env`]: the variables that `--server-env` passes to a server.
//! * [`memory`]: the variables and kernel settings that affect memory use.

mod libraries;
mod list;
pub mod memory;
pub mod proxies;
pub mod server_env;

use std::ffi::{OsStr, OsString};
use std::process::Command;

use skyload::env;
use xshell::Cmd;

pub use libraries::NAME as LIBRARIES;
pub use list::{For, affects_results};

/// Names and values of environment variables.
pub type Variables = Vec<(OsString, OsString)>;

/// Variables of the shell that a process gets, and the names of those it does not get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// Variables of the process, sorted by name.
    passed_on: Variables,
    /// Names of the shell's other variables, sorted.
    left_out: Vec<OsString>,
}

impl Environment {
    /// Part of this process's own environment that a `recipient` gets.
    pub fn of(recipient: For<'_>) -> Self {
        Self::select(env::all(), recipient)
    }

    /// Part of the variables `shell` that a `recipient` gets.
    fn select(shell: Variables, recipient: For<'_>) -> Self {
        let (allowed, left_out): (Variables, Variables) =
            shell.into_iter().partition(|(name, _)| recipient.allows(&name.to_string_lossy()));
        let mut left_out: Vec<OsString> = left_out.into_iter().map(|(name, _)| name).collect();
        let mut passed_on = Variables::new();
        for (name, value) in allowed {
            match libraries::without_cargo_folders((name.clone(), value)) {
                Some(kept) => passed_on.push(kept),
                None => left_out.push(name),
            }
        }
        passed_on.extend(proxies::exceptions(&passed_on));
        // Of several variables with one name, the last one is kept: the proxy exceptions
        // replace the shell's.
        let mut names: Vec<OsString> = Vec::new();
        passed_on.reverse();
        passed_on.retain(|(name, _)| {
            let is_first = !names.contains(name);
            names.push(name.clone());
            is_first
        });
        passed_on.sort();
        left_out.sort();
        Self { passed_on, left_out }
    }

    /// Value of the passed-on variable `name`.
    pub fn value(&self, name: &str) -> Option<&OsStr> {
        let found = self.passed_on.iter().find(|(passed, _)| passed == name);
        found.map(|(_, value)| value.as_os_str())
    }

    /// Names and values of the passed-on variables.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.passed_on.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    /// Names of the passed-on variables.
    pub fn names(&self) -> Vec<String> {
        self.passed_on.iter().map(|(name, _)| text(name)).collect()
    }

    /// Names of the shell's variables that are left out.
    pub fn left_out(&self) -> Vec<String> {
        self.left_out.iter().map(|name| text(name)).collect()
    }

    /// Names of the left-out variables that could have affected results.
    pub fn affecting_results(&self) -> Vec<String> {
        self.left_out().into_iter().filter(|name| affects_results(name)).collect()
    }

    /// Sets the environment of `command` to the passed-on variables alone.
    pub fn apply(&self, command: &mut Command) {
        command.env_clear().envs(self.passed_on.iter().map(|(name, value)| (name, value)));
    }

    /// Applies the environment to a command of xshell, which keeps the variables that its shell
    /// sets.
    pub fn apply_to<'a>(&self, command: Cmd<'a>) -> Cmd<'a> {
        let command = self.left_out.iter().fold(command, |command, name| command.env_remove(name));
        // A child of xshell inherits this process's variables; only different values are set.
        let differing = self.passed_on.iter().filter(|(name, value)| {
            env::raw(&name.to_string_lossy()).as_deref() != Some(value.as_os_str())
        });
        command.envs(differing.map(|(name, value)| (name, value)))
    }
}

fn text(name: &OsStr) -> String {
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(pairs: &[(&str, &str)]) -> Variables {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    fn value(environment: &Environment, name: &str) -> Option<String> {
        environment.value(name).map(text)
    }

    #[test]
    fn variables_on_no_list_are_left_out() {
        let typed = shell(&[("PATH", "/bin"), ("LC_ALL", "C"), ("AWS_PROFILE", "a"), ("X", "y")]);
        let environment = Environment::select(typed, For::SkyPilot);
        assert_eq!(environment.names(), ["LC_ALL", "PATH"]);
        assert_eq!(environment.left_out(), ["AWS_PROFILE", "X"]);
        assert_eq!(environment.affecting_results(), ["AWS_PROFILE"]);
    }

    #[test]
    fn variables_of_scenarios_are_never_passed_on() {
        let typed =
            shell(&[("SKYLOAD_SERVER_CREDENTIALS", "me:secret"), ("SKYLOAD_RUN_DIR", "/r")]);
        for recipient in [For::SkyPilot, For::ServerOn(&["aws".to_owned()]), For::Installers] {
            let environment = Environment::select(typed.clone(), recipient);
            assert!(environment.names().is_empty(), "{:?}", environment.names());
        }
    }

    #[test]
    fn a_library_path_set_by_cargo_alone_is_left_out() {
        let own = std::env::current_exe().unwrap();
        let own = own.parent().unwrap().to_str().unwrap();
        let environment = Environment::select(shell(&[("LD_LIBRARY_PATH", own)]), For::SkyPilot);
        assert!(environment.names().is_empty());
        assert_eq!(environment.left_out(), ["LD_LIBRARY_PATH"]);
    }

    #[test]
    fn a_server_on_a_cloud_gets_its_variables_proxies_and_certificates() {
        let typed = shell(&[
            ("AWS_PROFILE", "a"),
            ("KUBECONFIG", "/k"),
            ("https_proxy", "http://proxy:3128"),
            ("NO_PROXY", "intranet"),
            ("REQUESTS_CA_BUNDLE", "/ca"),
            ("PYTHONPATH", "/p"),
        ]);
        let clouds = ["aws/us-east-1".to_owned()];
        let environment = Environment::select(typed, For::ServerOn(&clouds));
        assert_eq!(environment.left_out(), ["KUBECONFIG", "PYTHONPATH"]);
        let no_proxy = Some("intranet,127.0.0.1,localhost,::1".to_owned());
        assert_eq!(value(&environment, "NO_PROXY"), no_proxy);
        assert_eq!(value(&environment, "no_proxy"), no_proxy, "programs read only one spelling");
    }

    #[test]
    fn installers_get_package_indexes_but_no_target_folders() {
        let typed = shell(&[
            ("PIP_INDEX_URL", "https://mirror"),
            ("PIP_TARGET", "/t"),
            ("PIP_USER", "1"),
            ("UV_DEFAULT_INDEX", "https://mirror"),
            ("UV_SYSTEM_PYTHON", "1"),
            ("UV_PROJECT_ENVIRONMENT", "/v"),
        ]);
        let environment = Environment::select(typed, For::Installers);
        assert_eq!(environment.names(), ["PIP_INDEX_URL", "UV_DEFAULT_INDEX"]);
    }
}
