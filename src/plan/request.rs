//! What was typed, before anybody asks what it means.

use std::path::PathBuf;

use crate::sample::LevelChoice;

/// The arguments of `cargo xtask load`, as text. [`super::LoadPlan::resolve`]
/// gives them their meaning, so that all mistakes are found together.
#[derive(Clone, Debug, Default)]
pub struct LoadRequest {
    /// `-n`: concurrent requests of each scenario.
    pub requests_per_scenario: Option<String>,
    /// `-r`: CLI scenarios.
    pub requests: Vec<String>,
    /// `--apis`: API scenarios.
    pub apis: Vec<String>,
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
    /// `--waves`: turns of each user.
    pub waves: Option<String>,
    /// `--sky`: the SkyPilot under test.
    pub sky: Option<String>,
    /// `--server`: the server under test.
    pub server: Option<String>,
    /// `--deploy`: SkyPilot's deploy mode.
    pub deploy: bool,
    /// `--profile`: a profile of `skyload.toml`.
    pub profile: Option<String>,
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
    pub original_semantics: bool,
    /// `--keep-server`: leave the server running.
    pub keep_server: bool,
    /// `--yes`: go on where a question would be asked.
    pub yes: bool,
}
