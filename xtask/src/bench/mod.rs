//! `cargo xtask bench profiler`: what profiling costs, what it catches, and what a
//! real server feels of it.
//!
//! Our profiler, the original tool's psutil loop and a loop over sysinfo watch the
//! same processes in one run, one after the other and in several rounds, so that
//! what the machine does meanwhile happens to all of them. Costs are CPU time, which
//! other work on the machine moves less than wall time, and ratios of it. No test
//! looks at them.
//!
//! The watched are a *crew* (`fake_sky::crew`): a root and workers that look like
//! executors, and that say of themselves what the kernel says of them. They come from
//! the package of the stand-in server, not from here, since the hermetic tests of the
//! profiler want them too and cannot reach this program.

mod accuracy;
mod contestant;
mod cost;
mod effect;
mod plan;
mod psutil;
mod result;
mod statistics;
mod sysinfo_loop;
mod tables;
mod watcher;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use fake_sky::crew::Crew;
use serde_json::Value;
use skyload::ids::{ProcessIdentity, RunId};
use skyload::plan::LoadPlan;
use skyload::record::{FORMAT_VERSION, RunDir, write_json};

use crate::flags;
use crate::load;
use crate::nextest::without_outer_cargo;
use crate::print;
use crate::progress::Progress;
use crate::server;
use crate::signals::Signals;
use crate::workspace::Workspace;
use contestant::{Contestant, Field};
use plan::Plan;
use psutil::Psutil;
use result::{Effect, Findings, Load, Setting};
use watcher::Watcher;

pub(crate) use sysinfo_loop::run as run_sysinfo_loop;

/// Where everything is measured: who, on what, and how to end early.
struct Ring<'a> {
    plan: &'a Plan,
    contestants: &'a [Contestant],
    crew_program: PathBuf,
    /// A Python that has psutil.
    python: &'a Path,
    signals: &'a Signals,
    progress: Progress,
}

pub(crate) fn run(flags: &flags::Bench) -> Result<()> {
    let flags::Bench::Profiler(flags) = flags;
    let workspace = Workspace::locate()?;
    let machine = load::machine()?;
    let plan = Plan::resolve(flags, &machine)?;
    let server = effect::server_plan(flags.sky.as_deref(), &workspace, &machine)?;
    let signals = Signals::listen()?;
    signals.excuse(run_plan(plan, &server, &workspace, &signals))
}

fn run_plan(plan: Plan, server: &LoadPlan, workspace: &Workspace, signals: &Signals) -> Result<()> {
    let progress = Progress::new();
    let _lock = workspace.lock()?;
    server::clean_up_after_dead_runs(workspace, true, progress)?;
    let crew_program = build_crew_program(workspace, progress)?;
    signals.check()?;
    let psutil = Psutil::find_or_install(&workspace.state, progress)?;
    signals.check()?;
    let field = find_field(&crew_program)?;
    let setting = Setting::find(workspace, &load::machine()?, &psutil)?;
    let run = RunDir::create(&workspace.bench().join(RunId::generate().as_str()))?;

    let ring = Ring {
        plan: &plan,
        contestants: &field.contestants,
        crew_program,
        python: &psutil.python,
        signals,
        progress,
    };
    // The server first: one that does not start is to be known at once.
    let felt = ring.plan.server.map(|plan| effect::measure(&ring, plan, server, workspace, &run));
    let effect = felt.transpose()?.map(Effect::of).transpose()?;
    let (mut measured, mut caught) = (Vec::new(), Vec::new());
    for round in 0..ring.plan.rounds {
        measured.extend(cost::measure_round(&ring, round)?);
        caught.extend(accuracy::measure_round(&ring, round)?);
    }
    let findings = Findings {
        version: FORMAT_VERSION,
        setting,
        load_average: Load::read()?,
        costs: result::costs(&plan, &field.contestants, &measured)?,
        accuracies: result::accuracies(&field.contestants, &caught)?,
        effect,
        plan,
        contestants: field.contestants,
        not_granted: field.not_granted,
    };
    show(&findings, &run)
}

/// Writes the findings down, and shows them.
fn show(findings: &Findings, run: &RunDir) -> Result<()> {
    let (json, markdown) = (run.path().join("profiler.json"), run.path().join("profiler.md"));
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

/// Which levels this machine grants is asked on a crew without workers.
fn find_field(crew_program: &Path) -> Result<Field> {
    let crew = Crew::start(crew_program)?;
    let field = Field::find(root_of(&crew)?)?;
    crew.finish()?;
    Ok(field)
}

fn root_of(crew: &Crew) -> Result<ProcessIdentity> {
    ProcessIdentity::of(crew.pid()).context("the root of the crew has ended")
}

/// Builds the program whose processes are watched, and says where it is.
fn build_crew_program(workspace: &Workspace, progress: Progress) -> Result<PathBuf> {
    let step = progress.step("Building the processes to be watched");
    let mut cargo = Command::new("cargo");
    cargo
        .args(["build", "--package", "fake-sky", "--bin", "fake-sky"])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(&workspace.root)
        .stdin(Stdio::null());
    let output = without_outer_cargo(&mut cargo).output().context("starting cargo")?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        bail!("building fake-sky failed ({}):\n{}", output.status, words.trim_end());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let program = executable_in(&text).context("finding what cargo has built of fake-sky")?;
    step.done("built");
    Ok(program)
}

/// The program in cargo's messages; those about libraries name none.
fn executable_in(messages: &str) -> Option<PathBuf> {
    messages.lines().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        message.get("executable")?.as_str().map(PathBuf::from)
    })
}

impl Ring<'_> {
    /// Our profiler at its best.
    fn ours(&self) -> &Contestant {
        &self.contestants[0]
    }

    /// Everybody with his place, each round in another order.
    fn in_turn(&self, round: u32) -> impl Iterator<Item = (usize, &Contestant)> {
        let count = self.contestants.len();
        let first = usize::try_from(round).unwrap_or_default() % count;
        (0..count).map(move |step| {
            let place = (first + step) % count;
            (place, &self.contestants[place])
        })
    }

    /// Sets a contestant upon a crew.
    fn watch(&self, contestant: &Contestant, crew: &Crew) -> Result<Watcher> {
        Watcher::start(contestant, root_of(crew)?, self.python)
    }

    /// Waits for a measured time, unless somebody asks for an end.
    fn wait(&self, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        loop {
            self.signals.check()?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(Duration::from_millis(50)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_found_among_cargos_messages() {
        let messages = "{\"reason\":\"compiler-artifact\",\"executable\":null}\n\
                        {\"reason\":\"compiler-artifact\",\"executable\":\"/x/debug/fake-sky\"}\n\
                        {\"reason\":\"build-finished\",\"success\":true}\n";
        assert_eq!(executable_in(messages), Some(PathBuf::from("/x/debug/fake-sky")));
        assert_eq!(executable_in("{\"reason\":\"build-finished\",\"success\":true}"), None);
    }
}
