//! How many workers a SkyPilot would start: asked of its own formulas, which differ
//! from release to release.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use host::environment::{Environment, For};
use serde::{Deserialize, Serialize};
use skyload::env;
use skyload::recommend::{Constant, Effects, MachineEffect, MachineSize, Mode, Workers};
use skyload::units::{ByteSize, as_gib};
use xshell::{Shell, cmd};

const SCRIPT: &str = include_str!("sizing.py");

/// What to ask.
pub(crate) struct Question<'a> {
    /// The machines.
    pub(crate) machines: &'a [MachineSize],
    /// The modes, for each of them.
    pub(crate) modes: &'a [Mode],
    /// Whether managed jobs run inside of the server.
    pub(crate) consolidated: bool,
    /// The constants of "after".
    pub(crate) constants: &'a BTreeMap<Constant, ByteSize>,
}

#[derive(Serialize)]
struct Asked {
    machines: Vec<AskedMachine>,
    modes: Vec<&'static str>,
    consolidated: bool,
    constants: BTreeMap<&'static str, f64>,
}

#[derive(Serialize)]
struct AskedMachine {
    cpus: u32,
    memory_gib: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    controller_mb: Option<f64>,
    before: Vec<Workers>,
    after: Vec<Workers>,
}

/// Asks the SkyPilot that `python` imports. It touches nothing but a temporary home.
pub(crate) fn ask(python: &Path, question: &Question<'_>) -> Result<Effects> {
    let home = tempfile::tempdir().context("making a temporary home")?;
    let shell = Shell::new().context("reading the current directory")?;
    let asked = serde_json::to_string(&question.asked()).context("writing down the question")?;
    shell.change_dir(home.path());
    let ask = cmd!(shell, "{python} - {asked}").stdin(SCRIPT).quiet().ignore_status();
    // Settings of whoever asks are not those of the machines that are asked about.
    let ask = Environment::of(For::SkyPilot).apply_to(ask);
    let ask = ask.env("HOME", home.path()).env(env::NO_USAGE, "1");
    let output = ask.output().with_context(|| format!("starting {}", python.display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{}", said.lines().last().unwrap_or("it said nothing").trim());
    }
    let answer: Answer =
        serde_json::from_slice(&output.stdout).context("reading SkyPilot's answer")?;
    question.effects(&answer)
}

impl Question<'_> {
    fn asked(&self) -> Asked {
        Asked {
            machines: self
                .machines
                .iter()
                .map(|machine| AskedMachine {
                    cpus: machine.cpus,
                    memory_gib: as_gib(machine.memory),
                })
                .collect(),
            modes: self.modes.iter().map(|mode| mode.name()).collect(),
            consolidated: self.consolidated,
            // The number that a patch writes, and not the size that is nearest to it.
            constants: self
                .constants
                .iter()
                .filter_map(|(constant, size)| {
                    Some((constant.name(), constant.spell(*size).parse().ok()?))
                })
                .collect(),
        }
    }

    fn effects(&self, answer: &Answer) -> Result<Effects> {
        let asked: Vec<(MachineSize, Mode)> = self
            .machines
            .iter()
            .flat_map(|machine| self.modes.iter().map(|mode| (*machine, *mode)))
            .collect();
        ensure!(
            answer.before.len() == asked.len() && answer.after.len() == asked.len(),
            "SkyPilot answered for other machines than it was asked about"
        );
        let answers = answer.before.iter().zip(&answer.after);
        Ok(Effects::Known {
            consolidated: self.consolidated,
            controller: answer.controller_mb.map(|number| Constant::Controller.size(number)),
            machines: asked
                .into_iter()
                .zip(answers)
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
