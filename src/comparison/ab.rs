//! Record of an `ab`, from which it can be continued: what runs, and which runs are done.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::schedule::{PlacedRun, Role};
use crate::plan::{LoadPlan, SkySelection};
use crate::record::environment::short_commit;
use crate::record::request::RequestFile;
use crate::record::{Document, Version};
use crate::units;

/// Record of an `ab`, content of `ab.json`. Written whole after each run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AbRecord {
    /// Format of the file.
    pub version: Version<1>,
    /// Version that is compared with.
    pub base: VersionUnderTest,
    /// Version that is judged.
    pub candidate: VersionUnderTest,
    /// Number of pairs at the most.
    pub pairs: u32,
    /// Time after which no further pair begins; `None` without a limit.
    #[serde(with = "units::duration::option", default)]
    pub max_time: Option<Duration>,
    /// Whether runs are compared although their conditions differ.
    #[serde(default)]
    pub allows_differences: bool,
    /// Directory of the runs.
    pub runs: PathBuf,
    /// Request of all runs, in which the version of SkyPilot is that of the base.
    pub request: RequestFile,
    /// Plan of all runs, in which SkyPilot is the base.
    pub plan: LoadPlan,
    /// Runs that have ended by themselves, in their order.
    pub done: Vec<PlacedRun>,
}

impl Document for AbRecord {
    const KIND: &'static str = "ab record";
    const VERSION: u32 = 1;
}

/// SkyPilot on one side of an `ab`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct VersionUnderTest {
    /// Selection. The reference of a repository is the commit that it was resolved to, so that a
    /// branch that moves changes nothing.
    pub sky: SkySelection,
    /// Version that SkyPilot reports.
    pub version: String,
    /// Commit that SkyPilot reports, with a hash of what is not committed; `None` if unknown.
    pub commit: Option<String>,
    /// Version of its Python; `None` for a program that is not a Python script.
    pub python: Option<String>,
}

impl VersionUnderTest {
    /// Version, commit and Python in one phrase.
    pub fn in_words(&self) -> String {
        let details = [
            self.commit.as_deref().map(short_commit),
            self.python.as_ref().map(|python| format!("Python {python}")),
        ];
        let details: Vec<String> = details.into_iter().flatten().collect();
        match details.is_empty() {
            true => format!("SkyPilot {}", self.version),
            false => format!("SkyPilot {} ({})", self.version, details.join(", ")),
        }
    }
}

impl AbRecord {
    /// SkyPilot of a role.
    pub fn version_of(&self, role: Role) -> &VersionUnderTest {
        match role {
            Role::Base => &self.base,
            Role::Candidate => &self.candidate,
        }
    }
}
