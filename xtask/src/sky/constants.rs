//! Facts about a SkyPilot: version, commit, memory constants.
//!
//! Printed as JSON by `probe.py`, which reads SkyPilot's source without importing it, or by a
//! stand-in for tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use host::environment::{Environment, For};
use serde::{Deserialize, Serialize};
use skyload::env;
use skyload::record::environment::WorkerConstants;
use skyload::units::gib;
use xshell::{Cmd, Shell, cmd};

use super::SkyEnvironment;

/// Hint for a SkyPilot that the user's shell would find by PYTHONPATH alone.
const NO_PYTHONPATH: &str = "\n  hint: install that checkout into this Python (`pip install -e \
                             CHECKOUT`), since an isolated server does not inherit PYTHONPATH, or \
                             test your local server with --server system";
const PROBE: &str = include_str!("probe.py");

/// Facts about the SkyPilot under test that are known before its start.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SkyFacts {
    /// Version, such as `0.14.1`.
    pub(crate) version: String,
    /// Commit that this SkyPilot was built from. Ends in `-dirty` if there were uncommitted
    /// changes; PyPI's releases of 0.9 to 0.12 have that too.
    pub(crate) commit: Option<String>,
    /// Memory that SkyPilot plans per worker: the budgets that are `auto`.
    pub(crate) constants: WorkerConstants,
    /// File and names of the constants, for the report.
    pub(crate) source: String,
    /// Whether `sky api start` takes `--port`, and clients follow
    /// `SKYPILOT_API_SERVER_LOCAL_PORT`. False for 0.12.0 and older.
    pub(crate) selects_port: bool,
    /// Whether managed jobs can run inside of the server. False for 0.9.3 and older, which
    /// reject a configuration with `consolidation_mode`.
    pub(crate) consolidates: bool,
    /// Versions of Python and of the installed packages; `None` of a stand-in.
    pub(crate) packages: Option<Packages>,
    /// Whether the server sizes its workers by `SKYPILOT_POD_CPU_CORE_LIMIT` and
    /// `SKYPILOT_POD_MEMORY_GB_LIMIT`.
    pub(crate) reads_size: bool,
    /// Whether the server takes the sizes of its pools from `SKYPILOT_SERVER_LONG_WORKERS` and
    /// `SKYPILOT_SERVER_SHORT_WORKERS`. False for 0.14.1 and older.
    pub(crate) pins_workers: bool,
    /// Python of the server's module, told by a stand-in. The Python of a real SkyPilot is in
    /// [`SkyInstallation`](super::SkyInstallation).
    pub(crate) python: Option<PathBuf>,
}

/// Versions of Python and of the installed packages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Packages {
    pub(crate) python: String,
    /// Versions by the packages' normalized names.
    pub(crate) installed: BTreeMap<String, String>,
}

/// Output of the probe, as printed and as stored in a [`Stamp`](super::stamp::Stamp).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProbeOutput {
    version: String,
    commit: Option<String>,
    constants: BTreeMap<String, f64>,
    source: String,
    /// Absent from stand-ins, which take any port.
    #[serde(default = "yes")]
    selects_port: bool,
    /// Absent from stand-ins, which take any configuration.
    #[serde(default = "yes")]
    consolidates: bool,
    /// Absent from stand-ins.
    #[serde(default)]
    packages: Option<Packages>,
    /// Absent from stand-ins, which take any size.
    #[serde(default = "yes")]
    reads_size: bool,
    /// Absent from stand-ins, which take any number of workers.
    #[serde(default = "yes")]
    pins_workers: bool,
    /// Only of stand-ins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    python: Option<PathBuf>,
}

fn yes() -> bool {
    true
}

impl SkyEnvironment {
    /// Command with this environment.
    fn apply_to(self, command: Cmd<'_>) -> Cmd<'_> {
        match self {
            Self::Filtered => Environment::of(For::SkyPilot).apply_to(command),
            Self::Shell => command,
        }
    }
}

impl ProbeOutput {
    /// Probes the SkyPilot that `python` imports.
    pub(super) fn of_python(
        shell: &Shell,
        python: &Path,
        environment: SkyEnvironment,
    ) -> Result<Self> {
        // Python looks for modules in the working directory first.
        let _folder = shell.push_dir("/");
        let probe = cmd!(shell, "{python} -").stdin(PROBE).quiet().ignore_status();
        let probe = environment.apply_to(probe);
        let output = probe.output().with_context(|| format!("starting {}", python.display()))?;
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr);
            let needs_pythonpath = error.trim_start().starts_with("SkyPilot is not installed")
                && environment == SkyEnvironment::Filtered
                && env::text("PYTHONPATH").is_some();
            bail!("{}{}", error.trim(), if needs_pythonpath { NO_PYTHONPATH } else { "" });
        }
        Self::parse(&output.stdout)
    }

    /// Runs the command `constants` of a program that is not a Python script.
    pub(super) fn of_program(
        shell: &Shell,
        program: &Path,
        environment: SkyEnvironment,
    ) -> Result<Self> {
        let _folder = shell.push_dir("/");
        let probe = cmd!(shell, "{program} constants").quiet().ignore_status();
        let output = environment.apply_to(probe).output()?;
        if !output.status.success() {
            bail!("`{} constants` failed ({})", program.display(), output.status);
        }
        Self::parse(&output.stdout)
    }

    fn parse(json: &[u8]) -> Result<Self> {
        let output: Self = serde_json::from_slice(json).with_context(|| {
            format!("reading SkyPilot's constants from `{}`", String::from_utf8_lossy(json).trim())
        })?;
        for (name, gigabytes) in &output.constants {
            if !(gigabytes.is_finite() && *gigabytes > 0.0) {
                bail!("SkyPilot's constants: expected amounts of memory, got {name} = {gigabytes}");
            }
        }
        Ok(output)
    }

    /// Whether this SkyPilot runs on this version of Python.
    pub(super) fn is_of_python(&self, version: &str) -> bool {
        self.packages.as_ref().is_some_and(|packages| packages.python == version)
    }

    pub(super) fn into_facts(self) -> SkyFacts {
        // SkyPilot writes GB and computes with units of 1024 cubed.
        let constant = |name: &str| self.constants.get(name).copied().map(gib);
        let constants = WorkerConstants {
            long: constant("LONG_WORKER_MEM_GB"),
            short: constant("SHORT_WORKER_MEM_GB"),
            server: constant("SERVER_WORKER_MEM_GB"),
        };
        SkyFacts {
            version: self.version,
            commit: self.commit,
            constants,
            source: self.source,
            selects_port: self.selects_port,
            consolidates: self.consolidates,
            packages: self.packages,
            reads_size: self.reads_size,
            pins_workers: self.pins_workers,
            python: self.python,
        }
    }
}

#[cfg(test)]
mod tests {
    use skyload::units::ByteSize;

    use super::*;

    const STAND_IN: &str = r#"{"version": "0.14.1", "commit": null,
        "constants": {"LONG_WORKER_MEM_GB": 0.4, "SHORT_WORKER_MEM_GB": 0.3},
        "source": "fake"}"#;

    #[test]
    fn constants_count_units_of_1024_cubed() {
        let facts = ProbeOutput::parse(STAND_IN.as_bytes()).unwrap().into_facts();
        assert_eq!(facts.constants.long, Some(ByteSize(429_496_730)));
        assert_eq!(facts.constants.server, None);
    }

    #[test]
    fn a_stand_in_takes_any_port() {
        assert!(ProbeOutput::parse(STAND_IN.as_bytes()).unwrap().into_facts().selects_port);
    }

    #[test]
    fn an_unknown_field_is_an_error() {
        let json = STAND_IN.replace("\"source\"", "\"origin\": \"x\", \"source\"");
        let error = format!("{:#}", ProbeOutput::parse(json.as_bytes()).unwrap_err());
        assert!(error.contains("unknown field `origin`"), "{error}");
    }

    #[test]
    fn no_output_is_too_odd_to_be_read() {
        crate::changes::try_changes(STAND_IN.as_bytes(), |json| {
            _ = ProbeOutput::parse(json).map(ProbeOutput::into_facts);
        });
    }

    #[test]
    fn a_constant_that_is_no_amount_of_memory_is_an_error() {
        let json = STAND_IN.replace("0.3", "-0.3");
        let error = ProbeOutput::parse(json.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("SHORT_WORKER_MEM_GB = -0.3"), "{error}");
    }
}
