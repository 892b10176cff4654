//! What a run found: SkyPilot, the server, the machine. `environment.json`,
//! written by the coordinator, read by scenarios and by the report.

mod fingerprint;
mod surroundings;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

pub use fingerprint::Fingerprint;
pub use surroundings::{HugePages, MemoryShape, ServerEnvironment, Surroundings};

use super::{Document, Version, v2};
use crate::class::ProcessClass;
use crate::fact::Fact;
use crate::ids::ProcessIdentity;
use crate::limits::MachineLimits;
use crate::scenario::Circumstances;
use crate::units::ByteSize;

/// What a run found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Environment {
    /// Format of this file.
    pub version: Version<3>,
    /// The version of skyload.
    pub skyload: String,
    /// The SkyPilot that clients are, and that a local server is.
    pub sky: SkyUnderTest,
    /// The server under test.
    pub server: ServerUnderTest,
    /// What its processes found in their environment.
    #[serde(default)]
    pub server_environment: ServerEnvironment,
    /// What is launched on, in the words of SkyPilot's `--infra`.
    pub infrastructure: Vec<String>,
    /// What differs, for the infrastructure's sake, from SkyPilot as it is.
    pub modifications: Vec<String>,
    /// How scenarios reach it.
    pub client: ClientSettings,
    /// The machine that all of this ran on.
    pub machine: MachineFacts,
    /// Hashes of the above; `None` in runs of earlier builds.
    #[serde(default)]
    pub fingerprint: Option<Fingerprint>,
}

impl Document for Environment {
    const KIND: &'static str = "description of an environment";
    const VERSION: u32 = 3;
    const OLDEST: u32 = v2::VERSION;

    fn upgrade(_version: u32, content: Value) -> Value {
        v2::environment(content)
    }
}

/// An installed SkyPilot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SkyUnderTest {
    /// Its version.
    pub version: String,
    /// The commit that it was built from.
    pub commit: Option<String>,
    /// Its own memory estimates.
    pub constants: WorkerConstants,
    /// Where those stand.
    pub constants_source: String,
    /// What it counts of this machine; `None` where it does not say, and where the server is
    /// on another one.
    #[serde(default)]
    pub counted: Option<CountedMachine>,
}

/// What SkyPilot counts of a machine: it sizes its workers by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CountedMachine {
    /// CPUs.
    pub cpus: u32,
    /// Memory.
    pub memory: ByteSize,
}

/// SkyPilot's estimates of its workers' peak memory, from its config module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WorkerConstants {
    /// `LONG_WORKER_MEM_GB`.
    pub long: Option<ByteSize>,
    /// `SHORT_WORKER_MEM_GB`.
    pub short: Option<ByteSize>,
    /// `SERVER_WORKER_MEM_GB`, since 0.14.0.
    pub server: Option<ByteSize>,
}

impl WorkerConstants {
    /// The estimate for a class, if SkyPilot has one.
    pub fn for_class(&self, class: ProcessClass) -> Option<ByteSize> {
        match class {
            ProcessClass::ShortExecutor => self.short,
            ProcessClass::LongExecutor => self.long,
            ProcessClass::Server | ProcessClass::ServerWorker => self.server,
            _ => None,
        }
    }
}

/// The server under test, once it answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ServerUnderTest {
    /// Its main process, where that is on this machine.
    pub identity: Option<ProcessIdentity>,
    /// The version that it says it is.
    pub version: String,
    /// The commit that it says it is.
    pub commit: Option<String>,
    /// Its API version.
    pub api_version: String,
    /// How many workers it announced at its start.
    pub workers: Option<WorkerCounts>,
    /// Whether it runs managed jobs itself.
    pub consolidation: Fact,
    /// Whether it runs services itself.
    #[serde(default)]
    pub serve_consolidation: Fact,
    /// Whether it can launch on anything that the run does not bring.
    #[serde(default)]
    pub clouds: Fact,
}

impl Environment {
    /// What server and clients are where they are not the same SkyPilot, in words:
    /// constants, and budgets that follow from them, are those of the clients'.
    pub fn skew(&self) -> Option<String> {
        let (server, sky) = (&self.server, &self.sky);
        // Releases are built from trees with changes; a server need not tell.
        let commit = |commit: &str| commit.trim_end_matches("-dirty").to_owned();
        let commits = server.commit.as_deref().zip(sky.commit.as_deref());
        let differ = commits.is_some_and(|(theirs, ours)| commit(theirs) != commit(ours));
        if server.version == sky.version && !differ {
            return None;
        }
        let of = |version: &str, commit: &Option<String>| match commit {
            Some(commit) if differ && server.version == sky.version => {
                format!("{version} ({commit})")
            }
            _ => version.to_owned(),
        };
        Some(format!(
            "its server is SkyPilot {}, and its client {}",
            of(&server.version, &server.commit),
            of(&sky.version, &sky.commit)
        ))
    }

    /// The same with its fingerprint.
    #[must_use]
    pub fn fingerprinted(self) -> Self {
        Self { fingerprint: Some(Fingerprint::of(&self)), ..self }
    }

    /// What decides which refusals are right.
    pub fn circumstances(&self) -> Circumstances {
        Circumstances {
            infrastructure: match self.infrastructure.is_empty() {
                true => self.server.clouds,
                false => Fact::Yes,
            },
            consolidation: self.server.consolidation,
            serve_consolidation: self.server.serve_consolidation,
        }
    }
}

/// How many workers a server announced at its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WorkerCounts {
    /// Web workers.
    pub server: u32,
    /// Executors for long requests.
    pub long: u32,
    /// Short requests that run in parallel at the most.
    pub short: u32,
}

impl WorkerCounts {
    /// Finds the announcement in a server's log.
    pub fn from_log(log: &str) -> Option<Self> {
        let (_, announcement) = log.rsplit_once("SkyPilot API server will start ")?;
        let line = announcement.lines().next()?;
        let mut numbers = line.split(' ').filter_map(|word| word.parse::<u32>().ok());
        Some(Self { server: numbers.next()?, long: numbers.next()?, short: numbers.next()? })
    }
}

/// How scenarios reach the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClientSettings {
    /// The server's address, without a password: that stays in the environment.
    pub endpoint: Url,
    /// The `sky` program.
    pub sky: std::path::PathBuf,
    /// Variables that `sky` processes are given.
    pub variables: Vec<(String, String)>,
    /// Variables that are taken from them.
    pub without: Vec<String>,
    /// What else they find in their environment.
    #[serde(default)]
    pub inherits: Inherited,
}

/// What a process inherits of the shell's variables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Inherited {
    /// All of them but those that are taken from it.
    #[default]
    All,
    /// Those of these names.
    Only(Vec<String>),
}

/// The machine that a run took place on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MachineFacts {
    /// CPUs that can be used, whatever share of their time.
    pub cpus: usize,
    /// Model of the first of them, as the kernel has it; `None` where it has none.
    #[serde(default)]
    pub cpu_model: Option<String>,
    /// Its memory.
    pub memory_total: ByteSize,
    /// Operating system and kernel.
    pub system: String,
    /// Limits that control groups and the shell put on the run.
    #[serde(default)]
    pub limits: MachineLimits,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worker_counts_are_read_from_the_last_announcement_of_a_log() {
        let line = "I 11-24 08:13:50.854 PID=2369 config.py:200] SkyPilot API server will start 1 \
                    server processes with 4 background workers for long requests and will allow at \
                    max 59 short requests in parallel.\nmore";
        let counts = WorkerCounts { server: 1, long: 4, short: 59 };
        assert_eq!(WorkerCounts::from_log(line), Some(counts));
        assert_eq!(WorkerCounts::from_log("no such line"), None);
    }
}
