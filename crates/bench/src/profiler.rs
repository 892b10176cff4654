//! The main step: all rounds of costs and of what is caught, and the results.

use std::fs;
use std::io::Write as _;

use anyhow::{Context as _, Result};
use host::print;
use host::signals::Signals;
use skyload::record::{RunDir, read_json, read_json_optional, write_json};
use skyload::units::ByteSize;

use crate::effect::Effect;
use crate::flags::ProfilerFlags;
use crate::harness::Harness;
use crate::result::{self, Findings, Load, Setting};
use crate::watcher::Programs;
use crate::{accuracy, cost, files, tables};

pub(crate) fn run(flags: &ProfilerFlags) -> Result<()> {
    let signals = Signals::listen()?;
    let run = RunDir::open(&flags.common.directory)?;
    let plan = read_json(&files::plan(&run), "plan of the benchmark")?;
    let effect: Option<Effect> = read_json_optional(&files::effect(&run), "effect on a server")?;
    let programs = Programs { xtask: flags.common.xtask.clone(), python: flags.python.clone() };
    let harness = Harness::new(plan, programs, signals)?;
    let setting = Setting::find(&flags.psutil, ByteSize(flags.memory))?;

    let (mut measured, mut caught) = (Vec::new(), Vec::new());
    for round in 0..harness.plan.rounds {
        measured.extend(cost::measure_round(&harness, round)?);
        caught.extend(accuracy::measure_round(&harness, round)?);
    }
    let candidates = &harness.candidates.all;
    let findings = Findings {
        version: result::VERSION,
        setting,
        load_average: Load::read()?,
        costs: result::costs(&harness.plan, candidates, &measured)?,
        accuracies: result::accuracies(candidates, &caught)?,
        effect,
        candidates: candidates.clone(),
        not_granted: harness.candidates.not_granted.clone(),
        plan: harness.plan,
    };
    show(&findings, &run)
}

/// Writes the findings down, and shows them.
fn show(findings: &Findings, run: &RunDir) -> Result<()> {
    let (json, markdown) = (files::findings(run), files::tables(run));
    write_json(&json, findings)?;
    let mut text = Vec::new();
    tables::markdown(findings, &mut text).context("making the table for docs/peaks.md")?;
    fs::write(&markdown, text).with_context(|| format!("writing `{}`", markdown.display()))?;
    print::text("the result", |out| {
        tables::text(findings, out)?;
        writeln!(out, "\nFigures: {}", json.display())?;
        writeln!(out, "For docs/peaks.md: {}", markdown.display())
    })
}
