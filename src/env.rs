//! Names of all environment variables that skyload reads or sets, and access to them.

use std::ffi::OsString;
use std::path::PathBuf;

/// Results directory of the run that a scenario or the gate belongs to.
pub const RUN_DIR: &str = "SKYLOAD_RUN_DIR";

/// Run id, set for the server under test and inherited by its processes. Identifies
/// detached processes of that server among those of other servers.
pub const SERVER_OF_RUN: &str = "SKYLOAD_SERVER_OF_RUN";

/// Run id, set for the `sky` processes that scenarios start.
pub const CLIENT_OF_RUN: &str = "SKYLOAD_CLIENT_OF_RUN";

/// Id of a loopback Slurm cluster, set for all its processes. Identifies processes that
/// are left after the supervisor was killed.
pub const NODES_OF: &str = "SKYLOAD_NODES_OF";

/// Path of the file with the ports of skylets, set for node processes. The first line is
/// the port after which to search.
pub const SKYLET_PORTS: &str = "SKYLOAD_SKYLET_PORTS";

/// Folder for traces of executors, set for a server whose executors are traced.
pub const TRACES: &str = "SKYLOAD_TRACES";

/// Subject of the traces of executors: `modules` or `allocations`.
pub const TRACED: &str = "SKYLOAD_TRACED";

/// Time limit for starting or stopping an API server, such as `300s`.
pub const SERVER_WITHIN: &str = "SKYLOAD_SERVER_WITHIN";

/// Switch for tests: unpack Slurm packages even if Slurm is installed.
pub const UNPACK_ALWAYS: &str = "SKYLOAD_UNPACK_ALWAYS";

/// Switch for tests: fail where the nodes of emulated AWS cannot run, instead of being skipped.
pub const REQUIRE_NODES: &str = "SKYLOAD_REQUIRE_NODES";

/// Path of the Chromium program for tests of the HTML report.
pub const BROWSER: &str = "SKYLOAD_BROWSER";

/// Directory for tools, installations and runs, instead of `target/skyload`.
pub const STATE_DIR: &str = "SKYLOAD_STATE_DIR";

/// Bearer token for a remote server; SkyPilot's client reads the same variable.
pub const SERVICE_ACCOUNT_TOKEN: &str = "SKYPILOT_SERVICE_ACCOUNT_TOKEN";

/// Path of the settings of SkyPilot's client, instead of `~/.sky/config.yaml`.
pub const GLOBAL_CONFIG: &str = "SKYPILOT_GLOBAL_CONFIG";

/// Path of the file with the cookies of `sky api login`, instead of `~/.sky/cookies.txt`.
pub const COOKIE_FILE: &str = "SKYPILOT_API_COOKIE_FILE";

/// URL of the server for SkyPilot's client, instead of a server on this machine.
pub const ENDPOINT: &str = "SKYPILOT_API_SERVER_ENDPOINT";

/// Path of the certificate authorities that Python's `requests` trusts: a file or a folder.
pub const REQUESTS_CA_BUNDLE: &str = "REQUESTS_CA_BUNDLE";

/// Path of the certificate authorities that curl trusts, and `requests` where
/// [`REQUESTS_CA_BUNDLE`] is not set.
pub const CURL_CA_BUNDLE: &str = "CURL_CA_BUNDLE";

/// Path of the certificate authorities that OpenSSL trusts, a file.
pub const SSL_CERT_FILE: &str = "SSL_CERT_FILE";

/// Port of SkyPilot's server on this machine.
pub const LOCAL_PORT: &str = "SKYPILOT_API_SERVER_LOCAL_PORT";

/// Number of CPUs that SkyPilot's server sizes its workers by, in the place of the machine's;
/// rounded down.
pub const POD_CPUS: &str = "SKYPILOT_POD_CPU_CORE_LIMIT";

/// Memory in GiB, with fractions, that SkyPilot's server sizes its workers by, in the place of the
/// machine's.
pub const POD_MEMORY_GIB: &str = "SKYPILOT_POD_MEMORY_GB_LIMIT";

/// Number of long executors of SkyPilot's server, in the place of the computed one. Newer than
/// 0.14.1.
pub const LONG_WORKERS: &str = "SKYPILOT_SERVER_LONG_WORKERS";

/// Number of short executors of SkyPilot's server, likewise.
pub const SHORT_WORKERS: &str = "SKYPILOT_SERVER_SHORT_WORKERS";

/// Switch for the metrics of SkyPilot's server.
pub const SERVER_METRICS: &str = "SKY_API_SERVER_METRICS_ENABLED";

/// Directory of the files in which the processes of a server count for its metrics.
pub const METRICS_DIR: &str = "PROMETHEUS_MULTIPROC_DIR";

/// Switch for logins to SkyPilot's server, which `sky api start --enable-basic-auth` sets.
pub const BASIC_AUTH: &str = "ENABLE_BASIC_AUTH";

/// Mark of a server's processes, which `sky api start` sets.
pub const IS_SERVER: &str = "IS_SKYPILOT_SERVER";

/// Switch against SkyPilot's usage reports, set for every SkyPilot process that skyload
/// starts.
pub const NO_USAGE: &str = "SKYPILOT_DISABLE_USAGE_COLLECTION";

/// User id that SkyPilot's client sends.
pub const USER_ID: &str = "SKYPILOT_USER_ID";

/// User ID that skyload gave a client, a second time. SkyPilot's client sends every variable with
/// this prefix, and a server that records the login's user for a request keeps the others.
pub const SENT_USER: &str = "SKYPILOT_SKYLOAD_USER";

/// Login for a remote server, `user:password`, not percent-encoded: from the shell, or removed
/// from `--server URL` so that no file of the run contains it.
pub const SERVER_CREDENTIALS: &str = "SKYLOAD_SERVER_CREDENTIALS";

/// Variables for scenarios only: never passed to SkyPilot, even if the shell exports them.
pub const SCENARIO_ONLY: [&str; 2] = [RUN_DIR, SERVER_CREDENTIALS];

/// Folders in which programs are looked for.
pub const SEARCH_PATH: &str = "PATH";

/// Unique name of a script's run, which the workloads of SkyPilot's own benchmark make names of.
pub const BENCHMARK_UNIQUE_ID: &str = "BENCHMARK_UNIQUE_ID";

/// Infra of a script's run, as a value of SkyPilot's `--infra`.
pub const BENCHMARK_CLOUD: &str = "BENCHMARK_CLOUD";

/// Number of the user that runs a script, from 0.
pub const BENCHMARK_THREAD_ID: &str = "BENCHMARK_THREAD_ID";

/// Number of a script's run among those of its user, from 0.
pub const BENCHMARK_REPEAT_ID: &str = "BENCHMARK_REPEAT_ID";

/// Path of the file with a script's output.
pub const BENCHMARK_LOG_FILE: &str = "BENCHMARK_LOG_FILE";

/// Marker of a GitHub Actions workflow: `true` inside of one.
pub const GITHUB_ACTIONS: &str = "GITHUB_ACTIONS";

/// Path of the Markdown file that GitHub shows on the page of a workflow run.
pub const GITHUB_STEP_SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// Reads a variable as text; `None` if unset, empty or not Unicode.
#[expect(clippy::disallowed_methods, reason = "this module is where variables are read")]
pub fn text(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Reads a variable as a path; `None` if unset or empty.
#[expect(clippy::disallowed_methods, reason = "this module is where variables are read")]
pub fn path(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Reads a variable unchanged; `None` if unset.
#[expect(clippy::disallowed_methods, reason = "this module is where variables are read")]
pub fn raw(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// List of all variables of this process.
pub fn all() -> Vec<(OsString, OsString)> {
    std::env::vars_os().collect()
}

/// List of the variables whose names begin with `prefix`.
pub fn with_prefix(prefix: &str) -> Vec<(OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with(prefix)).collect()
}
