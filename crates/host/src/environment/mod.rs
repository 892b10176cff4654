//! What the processes that skyload starts find in their environment.
//!
//! The shell's environment is full of what changes results: proxies, another Python's
//! paths, credentials, allocators' settings. So it is a list of what is passed on that
//! decides, and not a list of what is taken away:
//!
//! * [`list`] holds the names, for each kind of process.
//! * [`proxies`] excepts the loopback address from proxies, where they are passed on.
//! * [`libraries`] takes out of `LD_LIBRARY_PATH` what cargo has put there.
//! * [`asked`] reads what the shell has of variables that are given on purpose.
//! * [`memory`] finds what shapes the memory of processes.

pub mod asked;
mod libraries;
mod list;
pub mod memory;
pub mod proxies;

use std::ffi::{OsStr, OsString};
use std::process::Command;

use skyload::env;
use xshell::Cmd;

pub use libraries::NAME as LIBRARIES;
pub use list::For;

/// Variables with their values.
pub type Variables = Vec<(OsString, OsString)>;

/// What is passed on to a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// With their values, by name.
    passed_on: Variables,
    /// The names of all others.
    left_out: Vec<OsString>,
}

impl Environment {
    /// What is passed on of this process's own environment, which is the shell's.
    pub fn of(whom: For<'_>) -> Self {
        Self::select(env::all(), whom)
    }

    /// What of these variables is passed on.
    fn select(shell: Variables, whom: For<'_>) -> Self {
        let (given, left_out): (Variables, Variables) =
            shell.into_iter().partition(|(name, _)| whom.is_given(&name.to_string_lossy()));
        let mut left_out: Vec<OsString> = left_out.into_iter().map(|(name, _)| name).collect();
        let mut passed_on = Variables::new();
        for (name, value) in given {
            match libraries::without_cargos((name.clone(), value)) {
                Some(kept) => passed_on.push(kept),
                None => left_out.push(name),
            }
        }
        passed_on.extend(proxies::exceptions(&passed_on));
        // The last one of a name counts.
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

    /// The value that is passed on for `name`.
    pub fn value(&self, name: &str) -> Option<&OsStr> {
        let found = self.passed_on.iter().find(|(passed, _)| passed == name);
        found.map(|(_, value)| value.as_os_str())
    }

    /// Everything that is passed on.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.passed_on.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    /// The names of what is passed on.
    pub fn names(&self) -> Vec<String> {
        self.passed_on.iter().map(|(name, _)| text(name)).collect()
    }

    /// The names of what is not.
    pub fn left_out(&self) -> Vec<String> {
        self.left_out.iter().map(|name| text(name)).collect()
    }

    /// The same, of those alone that would have changed results.
    pub fn of_consequence(&self) -> Vec<String> {
        self.left_out().into_iter().filter(|name| list::is_of_consequence(name)).collect()
    }

    /// Gives a process this environment.
    pub fn apply(&self, command: &mut Command) {
        command.env_clear().envs(self.passed_on.iter().map(|(name, value)| (name, value)));
    }

    /// The same for one of xshell's, whose own variables stay.
    pub fn apply_to<'a>(&self, command: Cmd<'a>) -> Cmd<'a> {
        let command = self.left_out.iter().fold(command, |command, name| command.env_remove(name));
        // The others are there, but for these, which differ from the shell's.
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
    fn what_is_on_no_list_is_left_out_by_name() {
        let typed = shell(&[("PATH", "/bin"), ("LC_ALL", "C"), ("AWS_PROFILE", "a"), ("X", "y")]);
        let environment = Environment::select(typed, For::SkyPilot);
        assert_eq!(environment.names(), ["LC_ALL", "PATH"]);
        assert_eq!(environment.left_out(), ["AWS_PROFILE", "X"]);
        assert_eq!(environment.of_consequence(), ["AWS_PROFILE"]);
    }

    #[test]
    fn what_scenarios_alone_are_told_is_passed_on_to_nobody() {
        let typed =
            shell(&[("SKYLOAD_SERVER_CREDENTIALS", "me:secret"), ("SKYLOAD_RUN_DIR", "/r")]);
        for whom in [For::SkyPilot, For::ServerOn(&["aws".to_owned()]), For::Installers] {
            let environment = Environment::select(typed.clone(), whom);
            assert!(environment.names().is_empty(), "{:?}", environment.names());
        }
    }

    #[test]
    fn libraries_of_cargo_alone_are_left_out_by_name() {
        let own = std::env::current_exe().unwrap();
        let own = own.parent().unwrap().to_str().unwrap();
        let environment = Environment::select(shell(&[("LD_LIBRARY_PATH", own)]), For::SkyPilot);
        assert!(environment.names().is_empty());
        assert_eq!(environment.left_out(), ["LD_LIBRARY_PATH"]);
    }

    #[test]
    fn a_cloud_brings_its_own_variables_proxies_and_certificates() {
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
        assert_eq!(value(&environment, "no_proxy"), no_proxy, "each program reads one of them");
    }

    #[test]
    fn installers_keep_their_indexes_and_not_their_targets() {
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
