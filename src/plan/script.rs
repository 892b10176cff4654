//! Program of the user's, which the users of `cli:script` run.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units;

/// Program of `--script`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Script {
    /// Path of the program.
    pub path: PathBuf,
    /// SHA-256 of the program, in hexadecimal.
    pub sha256: String,
    /// Way of starting the program.
    pub start: ScriptStart,
    /// Maximum time of a run, after which the program is killed.
    #[serde(with = "units::duration")]
    #[schemars(with = "crate::units::DurationText")]
    pub timeout: Duration,
}

/// Way of starting a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ScriptStart {
    /// The kernel runs the file itself.
    Itself,
    /// `bash` reads the file.
    Bash,
}
