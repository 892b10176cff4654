//! What a SkyPilot says of itself: version, commit, memory constants.
//!
//! The answers come from `probe.py`, which reads SkyPilot's source without
//! importing it, or from a stand-in that prints the same JSON.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use host::environment::{Environment, For};
use serde::{Deserialize, Serialize};
use skyload::env;
use skyload::record::environment::WorkerConstants;
use skyload::units::gib;
use xshell::{Cmd, Shell, cmd};

use super::Whose;

const LEFT_OUT: &str = "\n  hint: PYTHONPATH is not passed on to a server of skyload's own; install \
                        that checkout into this Python (`pip install -e CHECKOUT`), or test your \
                        own server with --server system";
const PROBE: &str = include_str!("probe.py");

/// What is known of the SkyPilot under test before it is started.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SkyFacts {
    /// Its version, such as `0.14.1`.
    pub(crate) version: String,
    /// The commit it was built from; `-dirty` at its end says that there were
    /// changes on top (PyPI's releases of 0.9 to 0.12 have that too).
    pub(crate) commit: Option<String>,
    /// What it plans per worker: the budgets when these are `auto`.
    pub(crate) constants: WorkerConstants,
    /// Where the constants stand, file and names, for the report.
    pub(crate) source: String,
    /// Whether `sky api start` takes `--port`, and clients follow
    /// `SKYPILOT_API_SERVER_LOCAL_PORT`. Not so in 0.12.0 and older.
    pub(crate) selects_port: bool,
    /// Whether managed jobs can run inside of the server. Not so in 0.9.3 and older,
    /// which refuse a configuration that says so.
    pub(crate) consolidates: bool,
}

/// The probe's answer as it is printed and kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    version: String,
    commit: Option<String>,
    constants: BTreeMap<String, f64>,
    source: String,
    /// Left out by stand-ins, which are made to be started on any port.
    #[serde(default = "yes")]
    selects_port: bool,
    /// The same: they take any configuration.
    #[serde(default = "yes")]
    consolidates: bool,
}

fn yes() -> bool {
    true
}

impl Whose {
    /// A question in this environment.
    fn ask(self, question: Cmd<'_>) -> Cmd<'_> {
        match self {
            Self::Ours => Environment::of(For::SkyPilot).apply_to(question),
            Self::Users => question,
        }
    }
}

impl Answer {
    /// Asks the SkyPilot that `python` imports.
    pub(super) fn of_python(shell: &Shell, python: &Path, whose: Whose) -> Result<Self> {
        // Python looks for modules in the working directory before anywhere else.
        let _folder = shell.push_dir("/");
        let probe = whose.ask(cmd!(shell, "{python} -").stdin(PROBE).quiet().ignore_status());
        let output = probe.output().with_context(|| format!("starting {}", python.display()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let is_missed = said.trim_start().starts_with("SkyPilot is not installed")
                && whose == Whose::Ours
                && env::text("PYTHONPATH").is_some();
            bail!("{}{}", said.trim(), if is_missed { LEFT_OUT } else { "" });
        }
        Self::parse(&output.stdout)
    }

    /// Asks a program that isn't a Python script, by its command `constants`.
    pub(super) fn of_program(shell: &Shell, program: &Path, whose: Whose) -> Result<Self> {
        let _folder = shell.push_dir("/");
        let asked = whose.ask(cmd!(shell, "{program} constants").quiet().ignore_status());
        let output = asked.output()?;
        if !output.status.success() {
            bail!("`{} constants` failed ({})", program.display(), output.status);
        }
        Self::parse(&output.stdout)
    }

    fn parse(json: &[u8]) -> Result<Self> {
        let answer: Self = serde_json::from_slice(json).with_context(|| {
            format!("reading SkyPilot's constants from `{}`", String::from_utf8_lossy(json).trim())
        })?;
        for (name, gigabytes) in &answer.constants {
            if !(gigabytes.is_finite() && *gigabytes > 0.0) {
                bail!("SkyPilot's {name} = {gigabytes} is not an amount of memory");
            }
        }
        Ok(answer)
    }

    pub(super) fn into_facts(self) -> SkyFacts {
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
        let facts = Answer::parse(STAND_IN.as_bytes()).unwrap().into_facts();
        assert_eq!(facts.constants.long, Some(ByteSize(429_496_730)));
        assert_eq!(facts.constants.server, None);
    }

    #[test]
    fn a_stand_in_may_be_started_on_any_port() {
        assert!(Answer::parse(STAND_IN.as_bytes()).unwrap().into_facts().selects_port);
    }

    #[test]
    fn an_answer_with_an_unknown_field_is_refused() {
        let json = STAND_IN.replace("\"source\"", "\"origin\": \"x\", \"source\"");
        let error = format!("{:#}", Answer::parse(json.as_bytes()).unwrap_err());
        assert!(error.contains("unknown field `origin`"), "{error}");
    }

    #[test]
    fn no_answer_is_too_odd_to_be_read() {
        crate::changes::try_changes(STAND_IN.as_bytes(), |json| {
            _ = Answer::parse(json).map(Answer::into_facts);
        });
    }

    #[test]
    fn a_constant_that_is_no_amount_of_memory_is_refused() {
        let json = STAND_IN.replace("0.3", "-0.3");
        let error = Answer::parse(json.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("SHORT_WORKER_MEM_GB = -0.3"), "{error}");
    }
}
