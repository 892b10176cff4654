//! Numbers of workers that a SkyPilot would start, computed by its own formulas, which differ
//! between releases.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;

use anyhow::{Context, Result, bail, ensure};
use host::environment::{Environment, For};
use serde::{Deserialize, Serialize};
use skyload::env;
use skyload::machine_size::MachineSize;
use skyload::recommend::{Constant, Effects, MachineEffect, Mode, Workers};
use skyload::units::{ByteSize, as_gib};
use xshell::{Shell, cmd};

const SCRIPT: &str = include_str!("sizing.py");

/// Script that ends with [`REFUSED`] and a message if SkyPilot refuses the pools that variables set.
/// Without such a check, or if it fails for another reason, the server's start tells.
const POOLS_SCRIPT: &str = "import sys
if sys.path and sys.path[0] == '':
    del sys.path[0]
try:
    from sky.server import config
    check = config.validate_explicit_worker_counts
except (ImportError, AttributeError):
    sys.exit()
try:
    check()
except ValueError as error:
    sys.stderr.write('\\n' + str(error))
    sys.exit(3)
";

/// Exit code of the script for refused pools.
const REFUSED: i32 = 3;

/// Query for worker counts, before and after a change of constants.
pub(crate) struct Query<'a> {
    /// Machines that the server could run on.
    pub(crate) machines: &'a [MachineSize],
    /// Modes of the server, for each machine.
    pub(crate) modes: &'a [Mode],
    /// Whether managed jobs run inside of the server.
    pub(crate) consolidated: bool,
    /// Changed constants, for the counts of "after".
    pub(crate) constants: &'a BTreeMap<Constant, ByteSize>,
}

/// Input of the script.
#[derive(Serialize)]
struct Input {
    machines: Vec<InputMachine>,
    modes: Vec<&'static str>,
    consolidated: bool,
    constants: BTreeMap<&'static str, f64>,
}

#[derive(Serialize)]
struct InputMachine {
    cpus: u32,
    memory_gib: f64,
}

/// Output of the script.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Counts {
    controller_mb: Option<f64>,
    before: Vec<Workers>,
    after: Vec<Workers>,
}

/// Worker counts by the SkyPilot that `python` imports. Writes to a temporary home only.
pub(crate) fn run(python: &Path, query: &Query<'_>) -> Result<Effects> {
    let input = serde_json::to_string(&query.input()).context("writing the query as JSON")?;
    let output = output_of(python, SCRIPT, Some(&input), &[])?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        // The last line of a Python traceback is the error itself.
        bail!("{}", error.lines().last().unwrap_or("failed without a message").trim());
    }
    let counts: Counts =
        serde_json::from_slice(&output.stdout).context("reading SkyPilot's worker counts")?;
    query.effects(&counts)
}

/// Reason for which the SkyPilot that `python` imports refuses the pools that `variables` set, in its
/// own words; `None` if it takes them, or has no check before its start. Writes to a temporary home
/// only.
pub(crate) fn refusal(python: &Path, variables: &[(String, String)]) -> Result<Option<String>> {
    let output = output_of(python, POOLS_SCRIPT, None, variables)?;
    let error = String::from_utf8_lossy(&output.stderr);
    let message = error.lines().last().unwrap_or_default().trim().to_owned();
    Ok((output.status.code() == Some(REFUSED)).then_some(message))
}

/// Output of a script that `python` runs in a temporary home, with these variables beside those that
/// SkyPilot has.
fn output_of(
    python: &Path,
    script: &str,
    input: Option<&str>,
    variables: &[(String, String)],
) -> Result<Output> {
    let home = tempfile::tempdir().context("making a temporary home")?;
    let shell = Shell::new().context("reading the current directory")?;
    shell.change_dir(home.path());
    let script = cmd!(shell, "{python} - {input...}").stdin(script).quiet().ignore_status();
    // Settings in this shell are not those of the server in question.
    let script = Environment::of(For::SkyPilot).apply_to(script);
    let script = script.env("HOME", home.path()).env(env::NO_USAGE, "1").envs(variables.to_vec());
    script.output().with_context(|| format!("starting {}", python.display()))
}

impl Query<'_> {
    fn input(&self) -> Input {
        Input {
            machines: self
                .machines
                .iter()
                .map(|machine| InputMachine {
                    cpus: machine.cpus,
                    memory_gib: as_gib(machine.memory),
                })
                .collect(),
            modes: self.modes.iter().map(|mode| mode.name()).collect(),
            consolidated: self.consolidated,
            // The number that a patch writes, rather than the rounded size in bytes.
            constants: self
                .constants
                .iter()
                .filter_map(|(constant, size)| {
                    Some((constant.name(), constant.literal(*size).parse().ok()?))
                })
                .collect(),
        }
    }

    fn effects(&self, counts: &Counts) -> Result<Effects> {
        // In the order of the script: all modes of a machine, then the next machine.
        let requested: Vec<(MachineSize, Mode)> = self
            .machines
            .iter()
            .flat_map(|machine| self.modes.iter().map(|mode| (*machine, *mode)))
            .collect();
        ensure!(
            counts.before.len() == requested.len() && counts.after.len() == requested.len(),
            "expected worker counts for {} machines and modes, got {} and {}",
            requested.len(),
            counts.before.len(),
            counts.after.len()
        );
        let pairs = counts.before.iter().zip(&counts.after);
        Ok(Effects::Known {
            consolidated: self.consolidated,
            controller: counts.controller_mb.map(|number| Constant::Controller.size(number)),
            machines: requested
                .into_iter()
                .zip(pairs)
                .map(|((machine, mode), (before, after))| MachineEffect {
                    machine,
                    mode,
                    before: *before,
                    after: *after,
                })
                .collect(),
        })
    }
}
