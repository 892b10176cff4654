//! The `cargo nextest` command lines: which tests there are, the load, the gate.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use host::process::child::OwnedChild;
use host::process::command;
use host::workspace::Workspace;
use nix::sys::signal::Signal;
use serde_json::Value;
use skyload::analysis::{LimitCheck, Report};
use skyload::env;
use skyload::plan::LoadPlan;
use skyload::record::RunDir;
use skyload::scenario::ScenarioId;

/// nextest's exit code for "some test failed"; others mean that it could not run.
const TESTS_FAILED: i32 = 100;

/// How long interrupted scenarios get to write their outcomes. nextest itself
/// kills them after 10 s.
const STOP_WITHIN: Duration = Duration::from_secs(20);

/// The test binaries of load and gate, built, with the names of their tests.
pub(crate) struct Tests {
    build: Build,
    scenarios: Vec<(ScenarioId, String)>,
    gate: Vec<String>,
    secrets: Vec<(&'static str, String)>,
}

impl Tests {
    /// Builds both binaries and lists what is in them. This comes before any
    /// server is started: the compiler must not compete with it. `secrets` are
    /// variables that scenarios get and no file does.
    pub(crate) fn build(
        nextest: &Path,
        workspace: &Workspace,
        secrets: Vec<(&'static str, String)>,
    ) -> Result<Self> {
        let build = Build::make(nextest, workspace)?;
        let list = output_of(build.nextest("list", "load").args([
            "--ignore-default-filter",
            "--message-format",
            "json",
        ]))
        .context("listing the tests")?;
        let list: Value =
            serde_json::from_slice(&list).context("reading nextest's list of tests")?;
        let names = |binary: &str| -> Vec<String> {
            let cases = &list["rust-suites"][format!("skyload::{binary}")]["testcases"];
            cases.as_object().map(|cases| cases.keys().cloned().collect()).unwrap_or_default()
        };
        let scenarios = names("load")
            .into_iter()
            .filter_map(|name| Some((ScenarioId::of_test(&name)?, name)))
            .collect();
        Ok(Self { build, scenarios, gate: names("gate"), secrets })
    }

    /// Fails if a planned scenario has no test, or more than one.
    pub(crate) fn expect_all_of(&self, plan: &LoadPlan) -> Result<()> {
        for scenario in &plan.scenarios {
            let tests = self.scenarios.iter().filter(|(id, _)| *id == scenario.id).count();
            ensure!(
                tests == 1,
                "scenario {} has {tests} tests in tests/load instead of one",
                scenario.id
            );
        }
        Ok(())
    }

    /// Starts all scenarios of the plan at once.
    pub(crate) fn start_load(&self, plan: &LoadPlan, run: &RunDir) -> Result<LoadProcess> {
        let planned: Vec<&str> = self
            .scenarios
            .iter()
            .filter(|(id, _)| plan.scenario(*id).is_some())
            .map(|(_, name)| name.as_str())
            .collect();
        let log = File::create(run.load_log()).context("creating load.log")?;
        let junit = self.junit("load");
        let mut command = self.build.nextest("run", "load");
        command
            .args(["--no-input-handler", "--show-progress", "none"])
            .args(["--test-threads", &planned.len().to_string()])
            .args(["-E", &any_of(&planned)])
            .env(env::RUN_DIR, run.path())
            .envs(self.secrets.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("sharing load.log")?)
            .stderr(log)
            // The terminal's Ctrl-C is ours to hear; we pass it on when it is time.
            .process_group(0);
        let nextest = OwnedChild::spawn(&mut command).context("starting the scenarios")?;
        Ok(LoadProcess { nextest, junit, kept: run.path().join("junit-load.xml") })
    }

    /// Runs the gate over a finished run. Returns whether all cases passed, and
    /// nextest's lines about them.
    pub(crate) fn run_gate(&self, report: &Report, run: &RunDir) -> Result<(bool, Vec<String>)> {
        let case = |check: &LimitCheck| check.metric.to_string().replace('-', "_");
        let budgeted: Vec<String> = report.budgets.iter().map(case).collect();
        let chosen: Vec<&str> = self
            .gate
            .iter()
            .map(String::as_str)
            .filter(|name| match name.split_once("::case_").and_then(|(_, n)| n.split_once('_')) {
                Some((_, metric)) => budgeted.iter().any(|budget| budget == metric),
                None => true,
            })
            .collect();
        let junit = self.junit("gate");
        let output = self
            .build
            .nextest("run", "gate")
            .args(["--no-input-handler", "--show-progress", "none"])
            .args(["-E", &any_of(&chosen)])
            .env(env::RUN_DIR, run.path())
            .stdin(Stdio::null())
            .output()
            .context("running the gate")?;
        fs::write(run.gate_log(), [&output.stdout[..], &output.stderr[..]].concat())
            .context("writing gate.log")?;
        keep(&junit, &run.path().join("junit-gate.xml"));
        let passed = match output.status.code() {
            Some(0) => true,
            Some(TESTS_FAILED) => false,
            _ => bail!(
                "the gate could not be run ({})\n  hint: see {}",
                output.status,
                run.gate_log().display()
            ),
        };
        let words = String::from_utf8_lossy(&output.stderr);
        let mut lines: Vec<String> = words
            .lines()
            .map(str::trim_start)
            .filter(|line| line.starts_with("PASS [") || line.starts_with("FAIL ["))
            .map(str::to_owned)
            .collect();
        // nextest repeats failures at its end.
        lines.sort();
        lines.dedup();
        Ok((passed, lines))
    }

    /// Where nextest writes a profile's JUnit file; an old one is removed.
    fn junit(&self, profile: &str) -> PathBuf {
        let path = self.build.store.join(profile).join("junit.xml");
        _ = fs::remove_file(&path);
        path
    }
}

/// The scenarios under way.
pub(crate) struct LoadProcess {
    nextest: OwnedChild,
    junit: PathBuf,
    kept: PathBuf,
}

impl LoadProcess {
    /// Whether all scenarios have ended.
    pub(crate) fn has_ended(&mut self) -> Result<bool> {
        Ok(self.nextest.status().context("waiting for the scenarios")?.is_some())
    }

    /// Asks all scenarios to stop, and waits until they have written their outcomes.
    pub(crate) fn stop(&mut self) {
        // Should nextest be killed, its tests stop by themselves once we have ended.
        self.nextest.end(Signal::SIGINT, STOP_WITHIN);
    }

    /// Takes note of how the scenarios ended.
    pub(crate) fn finish(mut self) -> Result<ExitStatus> {
        let status = self.nextest.wait().context("waiting for the scenarios")?;
        keep(&self.junit, &self.kept);
        Ok(status)
    }
}

impl Drop for LoadProcess {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A JUnit file that isn't there was not written, which the log explains.
fn keep(junit: &Path, kept: &Path) {
    _ = fs::copy(junit, kept);
}

fn any_of(names: &[&str]) -> String {
    let tests: Vec<String> = names.iter().map(|name| format!("test(={name})")).collect();
    tests.join(" | ")
}

/// The test binaries as nextest knows them, so that it need not ask cargo again:
/// nothing is compiled, or even looked at, while a server is measured.
struct Build {
    nextest: PathBuf,
    root: PathBuf,
    cargo: PathBuf,
    binaries: PathBuf,
    /// Where nextest writes its results, instead of `target/nextest`: runs from
    /// different state directories must not find one another's.
    store: PathBuf,
    settings: PathBuf,
}

impl Build {
    fn make(nextest: &Path, workspace: &Workspace) -> Result<Self> {
        let folder = workspace.state.join("tests");
        fs::create_dir_all(&folder).context("creating the folder of the tests' metadata")?;
        let root = workspace.root.clone();
        let build = Self {
            nextest: nextest.to_owned(),
            root: root.clone(),
            cargo: folder.join("cargo.json"),
            binaries: folder.join("binaries.json"),
            store: folder.join("nextest"),
            settings: folder.join("nextest.toml"),
        };
        // A string of JSON is one of TOML, too.
        let store = serde_json::to_string(&build.store).context("naming nextest's folder")?;
        fs::write(&build.settings, format!("[store]\ndir = {store}\n"))
            .context("writing nextest's settings")?;
        let mut metadata = Command::new("cargo");
        metadata.args(["metadata", "--format-version", "1"]).current_dir(&root);
        let metadata = output_of(without_outer_cargo(&mut metadata)).context("asking cargo")?;
        fs::write(&build.cargo, metadata).context("keeping cargo's metadata")?;
        let mut list = Command::new(nextest);
        list.args(["nextest", "list", "--package", "skyload", "--test", "load", "--test", "gate"])
            .args(["--list-type", "binaries-only", "--message-format", "json"])
            .args(["--color", "never"])
            .current_dir(&root);
        let binaries = output_of(without_outer_cargo(&mut list)).context("building the tests")?;
        fs::write(&build.binaries, binaries).context("keeping the list of test binaries")?;
        Ok(build)
    }

    fn nextest(&self, verb: &str, profile: &str) -> Command {
        let mut command = Command::new(&self.nextest);
        command
            .args(["nextest", verb, "--profile", profile, "--color", "never"])
            .arg("--cargo-metadata")
            .arg(&self.cargo)
            .arg("--binaries-metadata")
            .arg(&self.binaries)
            .arg(format!("--tool-config-file=skyload:{}", self.settings.display()))
            .current_dir(&self.root);
        without_outer_cargo(&mut command);
        command
    }
}

/// Takes away what an outer cargo or nextest has set for *its* package. Build
/// scripts that look at it would otherwise be run again for each change of caller.
pub(crate) fn without_outer_cargo(command: &mut Command) -> &mut Command {
    const PREFIXES: [&str; 6] = [
        "NEXTEST",
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
        "CARGO_CRATE_",
        "CARGO_BIN_",
        "CARGO_PRIMARY_PACKAGE",
    ];
    for (name, _) in PREFIXES.iter().flat_map(|prefix| env::with_prefix(prefix)) {
        command.env_remove(name);
    }
    command
}

/// What a command wrote to its standard output, if it succeeded.
fn output_of(command: &mut Command) -> Result<Vec<u8>> {
    let output = command::output(command)?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        bail!("it failed ({}):\n{}", output.status, words.trim_end());
    }
    Ok(output.stdout)
}
