//! Command lines of `cargo nextest`: listing tests, the load, the gate.

use std::ffi::OsString;
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

/// Exit code of nextest for failed tests; any other but 0 means that tests could not run.
const TESTS_FAILED: i32 = 100;

/// Time limit for interrupted scenarios to write their outcomes. Longer than nextest's own grace
/// period of 10 s, after which it kills them.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// Test binaries of the load and the gate, with the names of their tests. (The cases of
/// thresholds are known only after a run.)
pub(crate) struct Tests {
    build: Build,
    scenarios: Vec<(ScenarioId, String)>,
    gate: Vec<String>,
    secrets: Vec<(&'static str, OsString)>,
}

impl Tests {
    /// Builds both binaries and lists their tests, before any server is started, so that the
    /// compiler does not compete with the server. `secrets` are environment variables for
    /// scenarios that are written to no file.
    pub(crate) fn build(
        nextest: &Path,
        workspace: &Workspace,
        secrets: Vec<(&'static str, OsString)>,
    ) -> Result<Self> {
        let build = Build::make(nextest, workspace)?;
        // The default filter of the profile `load` would hide the tests of the gate.
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

    /// Checks that each planned scenario has exactly one test.
    pub(crate) fn expect_all_of(&self, plan: &LoadPlan) -> Result<()> {
        for scenario in &plan.scenarios {
            let tests = self.scenarios.iter().filter(|(id, _)| *id == scenario.id).count();
            ensure!(
                tests == 1,
                "expected one test for scenario {} in tests/load, got {tests}",
                scenario.id
            );
        }
        Ok(())
    }

    /// Starts all scenarios of the plan concurrently.
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
            // A thread for each scenario, since all of them run concurrently.
            .args(["--test-threads", &planned.len().to_string()])
            .args(["-E", &any_of(&planned)])
            .env(env::RUN_DIR, run.path())
            .envs(self.secrets.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("sharing load.log")?)
            .stderr(log)
            // In the foreground group, nextest would get the terminal's Ctrl-C directly. The
            // coordinator forwards it instead, when it stops the load.
            .process_group(0);
        let nextest = OwnedChild::spawn(&mut command).context("starting the scenarios")?;
        Ok(LoadProcess { nextest, junit, junit_copy: run.path().join("junit-load.xml") })
    }

    /// Runs the gate over a finished run. Returns whether all cases passed, and nextest's line on
    /// each.
    pub(crate) fn run_gate(&self, report: &Report, run: &RunDir) -> Result<(bool, Vec<String>)> {
        // A case of a metric without a budget in this run would have nothing to check.
        let case = |check: &LimitCheck| check.metric.to_string().replace(['-', ' '], "_");
        let budgeted: Vec<String> = report.budgets.iter().map(case).collect();
        let chosen: Vec<&str> = self
            .gate
            .iter()
            .map(String::as_str)
            // rstest names a case `case_NN_NAME`; other tests have no metric and always run.
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
            // The cases of thresholds are those of this run.
            .args(["-E", &format!("{} | binary(thresholds)", any_of(&chosen))])
            .env(env::RUN_DIR, run.path())
            .stdin(Stdio::null())
            .output()
            .context("running the gate")?;
        fs::write(run.gate_log(), [&output.stdout[..], &output.stderr[..]].concat())
            .context("writing gate.log")?;
        copy_junit(&junit, &run.path().join("junit-gate.xml"));
        let passed = match output.status.code() {
            Some(0) => true,
            Some(TESTS_FAILED) => false,
            _ => bail!(
                "the gate failed to run ({})\n  hint: see {}",
                output.status,
                run.gate_log().display()
            ),
        };
        // nextest writes the result of each test to standard error.
        let text = String::from_utf8_lossy(&output.stderr);
        let mut lines: Vec<String> = text
            .lines()
            .map(str::trim_start)
            .filter(|line| line.starts_with("PASS [") || line.starts_with("FAIL ["))
            .map(str::to_owned)
            .collect();
        // nextest repeats failures at the end of its output.
        lines.sort();
        lines.dedup();
        Ok((passed, lines))
    }

    /// Path of the JUnit file that nextest writes for a profile. Removes an old one.
    fn junit(&self, profile: &str) -> PathBuf {
        let path = self.build.store.join(profile).join("junit.xml");
        _ = fs::remove_file(&path);
        path
    }
}

/// Running scenarios, which are stopped when dropped.
pub(crate) struct LoadProcess {
    nextest: OwnedChild,
    junit: PathBuf,
    /// Path of the JUnit file in the results.
    junit_copy: PathBuf,
}

impl LoadProcess {
    /// Whether all scenarios have ended.
    pub(crate) fn has_ended(&mut self) -> Result<bool> {
        Ok(self.nextest.status().context("waiting for the scenarios")?.is_some())
    }

    /// Interrupts all scenarios, and waits until they have written their outcomes.
    pub(crate) fn stop(&mut self) {
        // If nextest has to be killed, scenarios exit by themselves once this process is gone.
        self.nextest.end(Signal::SIGINT, STOP_TIMEOUT);
    }

    /// Waits for the scenarios and copies their JUnit file to the results.
    pub(crate) fn finish(mut self) -> Result<ExitStatus> {
        let status = self.nextest.wait().context("waiting for the scenarios")?;
        copy_junit(&self.junit, &self.junit_copy);
        Ok(status)
    }
}

impl Drop for LoadProcess {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Copies a JUnit file to the results, if nextest has written one; if not, its log has the reason.
fn copy_junit(junit: &Path, copy: &Path) {
    _ = fs::copy(junit, copy);
}

/// Filter expression of nextest for these tests.
fn any_of(names: &[&str]) -> String {
    let tests: Vec<String> = names.iter().map(|name| format!("test(={name})")).collect();
    tests.join(" | ")
}

/// Metadata of the built test binaries. With it nextest does not call cargo, so nothing is
/// compiled or checked while a server is measured.
struct Build {
    nextest: PathBuf,
    root: PathBuf,
    cargo: PathBuf,
    binaries: PathBuf,
    /// Directory of nextest's results. Not `target/nextest`, since runs from different state
    /// directories must not overwrite each other's.
    store: PathBuf,
    settings: PathBuf,
}

impl Build {
    fn make(nextest: &Path, workspace: &Workspace) -> Result<Self> {
        let folder = workspace.state.join("tests");
        fs::create_dir_all(&folder).context("creating the directory of the tests' metadata")?;
        let root = workspace.root.clone();
        let build = Self {
            nextest: nextest.to_owned(),
            root: root.clone(),
            cargo: folder.join("cargo.json"),
            binaries: folder.join("binaries.json"),
            store: folder.join("nextest"),
            settings: folder.join("nextest.toml"),
        };
        // A JSON string is also a TOML string.
        let store = serde_json::to_string(&build.store).context("naming nextest's directory")?;
        fs::write(&build.settings, format!("[store]\ndir = {store}\n"))
            .context("writing nextest's settings")?;
        let mut metadata = Command::new("cargo");
        metadata.args(["metadata", "--format-version", "1"]).current_dir(&root);
        let metadata =
            output_of(without_outer_cargo(&mut metadata)).context("running `cargo metadata`")?;
        fs::write(&build.cargo, metadata).context("writing cargo's metadata")?;
        let mut list = Command::new(nextest);
        list.args(["nextest", "list", "--package", "skyload"])
            .args(["--test", "load", "--test", "gate", "--test", "thresholds"])
            .args(["--list-type", "binaries-only", "--message-format", "json"])
            .args(["--cargo-profile", &cargo_profile()])
            .args(["--color", "never"])
            .current_dir(&root);
        let binaries = output_of(without_outer_cargo(&mut list)).context("building the tests")?;
        fs::write(&build.binaries, binaries).context("writing the list of test binaries")?;
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

/// Cargo profile of scenarios and gate. That of a load is optimized, that of tests is not.
fn cargo_profile() -> String {
    env::text(env::CARGO_PROFILE).unwrap_or_else(|| "dev".to_owned())
}

/// Removes variables that an outer cargo or nextest has set for its own package. Build scripts that
/// depend on one would otherwise run again whenever the caller changes.
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

/// Standard output of a command that must succeed.
fn output_of(command: &mut Command) -> Result<Vec<u8>> {
    let output = command::output(command)?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!("failed ({}):\n{}", output.status, error.trim_end());
    }
    Ok(output.stdout)
}
