//! Every environment variable that skyload reads or sets, in one place.

use std::ffi::OsString;
use std::path::PathBuf;

/// The run that a scenario or the gate belongs to: a run directory.
pub const RUN_DIR: &str = "SKYLOAD_RUN_DIR";

/// Set for the server under test and inherited by all that it starts: the run's
/// id. Tells our server's detached processes from those of any other server.
pub const SERVER_OF_RUN: &str = "SKYLOAD_SERVER_OF_RUN";

/// Set for the `sky` processes that scenarios start: the run's id.
pub const CLIENT_OF_RUN: &str = "SKYLOAD_CLIENT_OF_RUN";

/// Set for all processes of a loopback infrastructure: its id. What is left of one
/// whose supervisor was killed is found by it.
pub const NODES_OF: &str = "SKYLOAD_NODES_OF";

/// Set for node processes: the file of ports that skylets were given. Its first
/// line says where to begin.
pub const SKYLET_PORTS: &str = "SKYLOAD_SKYLET_PORTS";

/// How long a start or a stop of an API server may take, such as `300s`.
pub const SERVER_WITHIN: &str = "SKYLOAD_SERVER_WITHIN";

/// Whether to leave installed Slurm programs alone and unpack others, for tests.
pub const UNPACK_ALWAYS: &str = "SKYLOAD_UNPACK_ALWAYS";

/// The browser that pages are tried in: a program of Chromium.
pub const BROWSER: &str = "SKYLOAD_BROWSER";

/// Where tools, installations and runs are kept, instead of `target/skyload`.
pub const STATE_DIR: &str = "SKYLOAD_STATE_DIR";

/// A bearer token for a remote server, named as SkyPilot's own client names it.
pub const SERVICE_ACCOUNT_TOKEN: &str = "SKYPILOT_SERVICE_ACCOUNT_TOKEN";

/// Where SkyPilot's client finds its server, instead of on this machine.
pub const ENDPOINT: &str = "SKYPILOT_API_SERVER_ENDPOINT";

/// The port of SkyPilot's server on this machine.
pub const LOCAL_PORT: &str = "SKYPILOT_API_SERVER_LOCAL_PORT";

/// Set for everything of SkyPilot's that skyload starts: what it would tell its makers, it
/// keeps to itself.
pub const NO_USAGE: &str = "SKYPILOT_DISABLE_USAGE_COLLECTION";

/// Whom SkyPilot's client takes its user for.
pub const USER_ID: &str = "SKYPILOT_USER_ID";

/// `user:password` for a remote server, both as they are and not as URLs have them. Taken
/// out of `--server URL`, so that it stands in no file of the run.
pub const SERVER_CREDENTIALS: &str = "SKYLOAD_SERVER_CREDENTIALS";

/// What scenarios alone are told: nothing that they test is to find it, even where the
/// shell has exported it.
pub const OF_SCENARIOS: [&str; 2] = [RUN_DIR, SERVER_CREDENTIALS];

/// `true` where GitHub runs a workflow.
pub const GITHUB_ACTIONS: &str = "GITHUB_ACTIONS";

/// The file whose Markdown GitHub shows on a workflow run's page.
pub const GITHUB_STEP_SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// Reads a variable as text; unset, empty and not Unicode are all "no".
#[expect(clippy::disallowed_methods, reason = "this module is where variables are read")]
pub fn text(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Reads a variable as a path; unset and empty are "no".
#[expect(clippy::disallowed_methods, reason = "this module is where variables are read")]
pub fn path(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Reads a variable as it is; unset is "no".
#[expect(clippy::disallowed_methods, reason = "this module is where variables are read")]
pub fn raw(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// All variables of this process.
pub fn all() -> Vec<(OsString, OsString)> {
    std::env::vars_os().collect()
}

/// All variables whose names begin with `prefix`.
pub fn with_prefix(prefix: &str) -> Vec<(OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with(prefix)).collect()
}
