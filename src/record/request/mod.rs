//! What was typed, before anybody asks what it means.
//!
//! A new flag is a field here, and is then handled where the compiler asks for it: in
//! `request_args.rs`, in `xtask/src/commands/load/request.rs`, and in the test of each.

mod server_variable;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

pub use server_variable::{KeptValue, ServerVariable};

use crate::credentials;
use crate::record::profile::LevelChoice;

/// The format of `request.json` that this build writes and reads.
pub const REQUEST_VERSION: u32 = 1;

/// The arguments of `cargo xtask load`, as text. [`crate::plan::LoadPlan::resolve`]
/// gives them their meaning, so that all mistakes are found together.
///
/// A server's URL may have a login in it, until the request is kept: [`RequestFile`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct LoadRequest {
    /// `-n`: concurrent requests of each scenario.
    pub users: Option<String>,
    /// `-r`: CLI scenarios.
    pub cli: Vec<String>,
    /// `--apis`: API scenarios.
    pub api: Vec<String>,
    /// `-c`: infrastructures.
    pub infra: Vec<String>,
    /// `--run-async`: launching commands don't wait.
    pub run_async: bool,
    /// `--copy-credentials`: an isolated server gets the user's.
    pub copy_credentials: bool,
    /// `--ramp`: time over which starts are spread.
    pub ramp: Option<String>,
    /// `--fit`: time that the load is to take at the most.
    pub fit: Option<String>,
    /// `--segments`: turns of each user.
    pub iterations: Option<String>,
    /// `--sky`: the SkyPilot under test.
    pub sky: Option<String>,
    /// `--server`: the server under test.
    pub server: Option<String>,
    /// `--server-env`: variables that the isolated server is given.
    pub server_env: Vec<ServerVariable>,
    /// `--deploy`: SkyPilot's deploy mode.
    pub deploy: bool,
    /// `--profile`: a profile of `skyload.toml`.
    pub plan: Option<String>,
    /// `--config`: the file in the place of `skyload.toml`.
    pub config: Option<PathBuf>,
    /// `--budget WHAT=LIMIT`, each.
    pub budgets: Vec<String>,
    /// `--phase-peaks`: each phase, and each family of scenarios, has peaks of its own.
    pub phase_peaks: bool,
    /// `--peaks`: how they are read.
    pub peaks: Option<LevelChoice>,
    /// `--server-profile`: a profile that is made on the server's machine.
    pub server_profile: Option<PathBuf>,
    /// `--original-semantics`: the original's figures beside ours.
    pub upstream_figures: bool,
    /// `--keep-server`: leave the server running.
    pub keep_server: bool,
    /// `--yes`: go on where a question would be asked. That is agreed to anew each time,
    /// so no file has it.
    #[serde(skip)]
    pub yes: bool,
}

/// What was typed, in a file of its own: `request.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RequestFile {
    /// Format of this file.
    #[serde(deserialize_with = "known_version")]
    version: u32,
    /// The request.
    pub request: LoadRequest,
}

impl RequestFile {
    /// The file of a request, without a login that stands in a URL: files of a run are read by
    /// more people than should know it.
    pub fn of(request: LoadRequest) -> Self {
        let server = request.server.map(|server| credentials::stripped(&server));
        Self { version: REQUEST_VERSION, request: LoadRequest { server, ..request } }
    }
}

/// A flag that this build does not know would be lost without a word.
fn known_version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        REQUEST_VERSION => Ok(REQUEST_VERSION),
        other => Err(serde::de::Error::custom(format!(
            "its version is {other}, and this build reads {REQUEST_VERSION}"
        ))),
    }
}
