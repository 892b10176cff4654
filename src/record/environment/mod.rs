//! Environment of a run (SkyPilot, server, client, machine): `environment.json`, written by the
//! coordinator, read by scenarios and by the report.

mod catalog;
mod fingerprint;
mod packages;
mod server_environment;
mod source;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

pub use catalog::{CatalogFacts, CatalogSource};
pub use fingerprint::Fingerprint;
pub use packages::PythonPackages;
pub use server_environment::{HugePages, MemorySettings, RecordedEnvironment, ServerEnvironment};
pub use source::{Commit, SkySource, Uncommitted, short_commit};

use super::{Document, Version, v2};
use crate::class::ProcessClass;
use crate::fact::Fact;
use crate::ids::ProcessIdentity;
use crate::limits::MachineLimits;
use crate::machine_size::MachineSize;
use crate::scenario::Circumstances;
use crate::units::ByteSize;

/// Environment of a run, content of `environment.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Environment {
    /// Format of the file.
    pub version: Version<3>,
    /// Version of skyload.
    pub skyload: String,
    /// SkyPilot of the clients, and of a server on this machine.
    pub sky: SkyUnderTest,
    /// Server under test.
    pub server: ServerUnderTest,
    /// Environment variables and memory settings of the server's processes.
    #[serde(default)]
    pub server_environment: ServerEnvironment,
    /// Infras to launch on, as values of SkyPilot's `--infra`.
    pub infrastructure: Vec<String>,
    /// Differences from an unmodified SkyPilot, which local infras need.
    pub modifications: Vec<String>,
    /// Catalogs of clouds that the server was started with; `None` without any, or in runs of
    /// earlier builds.
    #[serde(default)]
    pub catalog: Option<CatalogFacts>,
    /// Settings with which scenarios connect to the server.
    pub client: ClientSettings,
    /// Machine of the load generator, and of a server that is not remote.
    pub machine: MachineFacts,
    /// Hashes of the environment, to compare runs; `None` in runs of earlier builds.
    #[serde(default)]
    pub fingerprint: Option<Fingerprint>,
}

impl Document for Environment {
    const KIND: &'static str = "environment description";
    const VERSION: u32 = 3;
    const OLDEST: u32 = v2::VERSION;

    fn upgrade(_version: u32, content: Value) -> Value {
        v2::environment(content)
    }
}

/// Installed SkyPilot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SkyUnderTest {
    /// SkyPilot version.
    pub version: String,
    /// Commit that the version was built from.
    pub commit: Option<String>,
    /// SkyPilot's estimates of its workers' memory.
    pub constants: WorkerConstants,
    /// File that the constants were read from.
    pub constants_source: String,
    /// Machine size as SkyPilot counts it; `None` if SkyPilot does not report it, or for a
    /// remote server.
    #[serde(default)]
    pub counted: Option<CountedMachine>,
    /// Extras of SkyPilot's Python package, such as `aws`; `None` if skyload did not install
    /// SkyPilot, or in runs of earlier builds.
    #[serde(default)]
    pub extras: Option<Vec<String>>,
    /// Source that skyload built SkyPilot from; `None` for a release, for an installed program,
    /// or in runs of earlier builds.
    #[serde(default)]
    pub source: Option<SkySource>,
    /// Python and packages that SkyPilot runs on; `None` for a program that is not a Python
    /// script, or in runs of earlier builds.
    #[serde(default)]
    pub packages: Option<PythonPackages>,
}

impl SkyUnderTest {
    /// Version, with the short form of the commit for a SkyPilot that was built from source.
    pub fn short_name(&self) -> String {
        match &self.source {
            Some(source) => format!("{} ({})", self.version, source.short_commit()),
            None => self.version.clone(),
        }
    }

    /// Version with the commit, or with the source that was built.
    pub fn in_words(&self) -> String {
        match (&self.source, &self.commit) {
            (Some(source), _) => format!("{} ({})", self.version, source.in_words()),
            (None, Some(commit)) => format!("{} ({commit})", self.version),
            (None, None) => self.version.clone(),
        }
    }
}

/// Machine size as SkyPilot counts it, from which SkyPilot derives its numbers of workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CountedMachine {
    /// Number of CPUs.
    pub cpus: u32,
    /// Total memory, in bytes.
    pub memory: ByteSize,
}

impl From<MachineSize> for CountedMachine {
    fn from(size: MachineSize) -> Self {
        Self { cpus: size.cpus, memory: size.memory }
    }
}

/// SkyPilot's estimates of its workers' peak memory in bytes, from its config module.
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
    /// SkyPilot's estimate for a process class; `None` for a class without one.
    pub fn for_class(&self, class: ProcessClass) -> Option<ByteSize> {
        match class {
            ProcessClass::ShortExecutor => self.short,
            ProcessClass::LongExecutor => self.long,
            // In local mode there are no web workers, and the main process does their work.
            ProcessClass::Server | ProcessClass::ServerWorker => self.server,
            _ => None,
        }
    }
}

/// Server under test, as found after its first response.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ServerUnderTest {
    /// Main process of the server; `None` on a remote machine.
    pub identity: Option<ProcessIdentity>,
    /// SkyPilot version that the server reports.
    pub version: String,
    /// Commit that the server reports.
    pub commit: Option<String>,
    /// API version that the server reports.
    pub api_version: String,
    /// Numbers of workers that the server logs at its start.
    pub workers: Option<WorkerCounts>,
    /// Whether the server runs managed jobs itself (consolidation mode).
    pub consolidation: Fact,
    /// Whether the server runs services itself (consolidation mode).
    #[serde(default)]
    pub serve_consolidation: Fact,
    /// Whether the server can launch on an infra that the run does not provide.
    #[serde(default)]
    pub clouds: Fact,
}

impl Environment {
    /// Message that names the SkyPilot versions of server and client; `None` if they are equal.
    /// Constants, and the budgets derived from them, are those of the client's version.
    pub fn skew(&self) -> Option<String> {
        let (server, sky) = (&self.server, &self.sky);
        // A released server reports a commit with `-dirty`, since it was built from a modified
        // tree, or no commit at all.
        let commit = |commit: &str| commit.trim_end_matches("-dirty").to_owned();
        let commits = server.commit.as_deref().zip(sky.commit.as_deref());
        let differ = commits.is_some_and(|(server, client)| commit(server) != commit(client));
        if server.version == sky.version && !differ {
            return None;
        }
        let name = |version: &str, commit: &Option<String>| match commit {
            Some(commit) if differ && server.version == sky.version => {
                format!("{version} ({commit})")
            }
            _ => version.to_owned(),
        };
        Some(format!(
            "server is SkyPilot {}, client is {}",
            name(&server.version, &server.commit),
            name(&sky.version, &sky.commit)
        ))
    }

    /// Environment with its fingerprint added.
    #[must_use]
    pub fn with_fingerprint(self) -> Self {
        Self { fingerprint: Some(Fingerprint::of(&self)), ..self }
    }

    /// Facts that decide which errors are expected.
    pub fn circumstances(&self) -> Circumstances {
        Circumstances {
            infrastructure: match self.infrastructure.is_empty() {
                true => self.server.clouds,
                // The run itself provides an infra, so the server's clouds do not matter.
                false => Fact::Yes,
            },
            consolidation: self.server.consolidation,
            serve_consolidation: self.server.serve_consolidation,
        }
    }
}

/// Numbers of workers that a server logs at its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WorkerCounts {
    /// Number of web workers.
    pub server: u32,
    /// Number of executors for long requests.
    pub long: u32,
    /// Maximum number of short requests that run in parallel.
    pub short: u32,
}

impl WorkerCounts {
    /// Numbers in the last start message of a server's log.
    pub fn from_log(log: &str) -> Option<Self> {
        let (_, message) = log.rsplit_once("SkyPilot API server will start ")?;
        let line = message.lines().next()?;
        // The numbers come in this order: web workers, long, short.
        let mut numbers = line.split(' ').filter_map(|word| word.parse::<u32>().ok());
        Some(Self { server: numbers.next()?, long: numbers.next()?, short: numbers.next()? })
    }
}

/// Settings with which scenarios connect to the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClientSettings {
    /// URL of the server, without a login; credentials are passed in environment variables.
    pub endpoint: Url,
    /// Path of the `sky` program.
    pub sky: std::path::PathBuf,
    /// Environment variables that are set for `sky` processes.
    pub variables: Vec<(String, String)>,
    /// Names of environment variables that are removed for `sky` processes.
    pub without: Vec<String>,
    /// Environment variables that `sky` processes inherit from the shell.
    #[serde(default)]
    pub inherits: Inherited,
}

/// Environment variables that a process inherits from the shell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Inherited {
    /// Every variable except the removed ones.
    #[default]
    All,
    /// Variables with these names.
    Only(Vec<String>),
}

/// Machine that a run took place on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MachineFacts {
    /// Number of usable CPUs, without regard to a CPU quota.
    pub cpus: usize,
    /// Model of the first CPU, as the kernel names it; `None` if the kernel has no name.
    #[serde(default)]
    pub cpu_model: Option<String>,
    /// Total memory, in bytes.
    pub memory_total: ByteSize,
    /// Operating system and release of its kernel.
    pub system: String,
    /// Size of a page of memory, in bytes; `None` in runs of earlier builds.
    #[serde(default)]
    pub page_size: Option<ByteSize>,
    /// Limits on the run by control groups and the shell.
    #[serde(default)]
    pub limits: MachineLimits,
}

/// Text between the operating system and the release of its kernel.
const KERNEL: &str = ", kernel ";

impl MachineFacts {
    /// Text of `system`, of what is known.
    pub fn system_text(system: Option<String>, kernel: Option<String>) -> String {
        system.into_iter().chain(kernel).collect::<Vec<_>>().join(KERNEL)
    }

    /// Operating system, and the release of its kernel if it is known.
    pub fn system_and_kernel(&self) -> (&str, Option<&str>) {
        match self.system.rsplit_once(KERNEL) {
            Some((system, kernel)) => (system, Some(kernel)),
            None => (&self.system, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_told_from_the_operating_system() {
        for (system, kernel) in [(Some("Linux (Debian 12)"), Some("6.1.0")), (Some("Linux"), None)]
        {
            let text =
                MachineFacts::system_text(system.map(str::to_owned), kernel.map(str::to_owned));
            let machine = MachineFacts {
                cpus: 2,
                cpu_model: None,
                memory_total: ByteSize::gib(16),
                system: text,
                page_size: None,
                limits: MachineLimits::NONE,
            };
            assert_eq!(
                (Some(machine.system_and_kernel().0), machine.system_and_kernel().1),
                (system, kernel)
            );
        }
    }

    #[test]
    fn worker_counts_are_read_from_the_last_start_message_of_a_log() {
        let line = "I 11-24 08:13:50.854 PID=2369 config.py:200] SkyPilot API server will start 1 \
                    server processes with 4 background workers for long requests and will allow at \
                    max 59 short requests in parallel.\nmore";
        let counts = WorkerCounts { server: 1, long: 4, short: 59 };
        assert_eq!(WorkerCounts::from_log(line), Some(counts));
        assert_eq!(WorkerCounts::from_log("no such line"), None);
    }
}
