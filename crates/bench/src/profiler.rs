//! Main step: all rounds of the overhead and accuracy measurements, and the results.

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
use crate::result::{self, BenchResults, LoadAverage, Setting};
use crate::watcher::Programs;
use crate::{accuracy, files, overhead, tables};

pub(crate) fn run(flags: &ProfilerFlags) -> Result<()> {
    let signals = Signals::listen()?;
    let run = RunDir::open(&flags.common.directory)?;
    let plan = read_json(&files::plan(&run), "plan of the benchmark")?;
    let effect: Option<Effect> = read_json_optional(&files::effect(&run), "effect on a server")?;
    let programs = Programs { xtask: flags.common.xtask.clone(), python: flags.python.clone() };
    let harness = Harness::new(plan, programs, signals)?;
    let setting = Setting::find(&flags.psutil, ByteSize(flags.memory))?;

    let (mut overheads, mut accuracies) = (Vec::new(), Vec::new());
    for round in 0..harness.plan.rounds {
        overheads.extend(overhead::measure_round(&harness, round)?);
        accuracies.extend(accuracy::measure_round(&harness, round)?);
    }
    let candidates = &harness.candidates.all;
    let results = BenchResults {
        version: result::VERSION,
        setting,
        load_average: LoadAverage::read()?,
        overheads: result::overheads(&harness.plan, candidates, &overheads)?,
        accuracies: result::accuracies(candidates, &accuracies)?,
        effect,
        candidates: candidates.clone(),
        unavailable: harness.candidates.unavailable.clone(),
        plan: harness.plan,
    };
    write_and_print(&results, &run)
}

/// Writes the results to their files, and prints them.
fn write_and_print(results: &BenchResults, run: &RunDir) -> Result<()> {
    let (json, markdown) = (files::results(run), files::tables(run));
    write_json(&json, results)?;
    let mut text = Vec::new();
    tables::markdown(results, &mut text).context("writing the tables for docs/peaks.md")?;
    fs::write(&markdown, text).with_context(|| format!("writing `{}`", markdown.display()))?;
    print::text("the results", |out| {
        tables::text(results, out)?;
        writeln!(out, "\nResults: {}", json.display())?;
        writeln!(out, "Tables for docs/peaks.md: {}", markdown.display())
    })
}
