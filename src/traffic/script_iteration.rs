//! Iterations of `cli:script`: a program of the user's, in a process group of its own.
//!
//! The program gets the environment of the `sky` processes of scenarios, and the variables that the
//! workloads of SkyPilot's own benchmark read. Its output goes to a file of the run; the lines in it
//! that mark steps are read after its end.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::rc::Rc;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, Command as Process};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use super::ScenarioContext;
use super::bench_lines::BenchSteps;
use super::cli_judgement::tail;
use super::client_process::prepare;
use super::engine::IterationId;
use super::iteration::Iteration;
use crate::credentials::Credentials;
use crate::env;
use crate::plan::{Script, ScriptStart};
use crate::process::look_up;
use crate::record::environment::ClientSettings;
use crate::record::outcome::{ClientFault, Failure, error_type};
use crate::scenario::SCRIPT_STEP;

/// Time that a program gets to end after SIGTERM.
const TIME_TO_END: Duration = Duration::from_secs(5);

/// Runs one iteration.
pub(super) fn run(
    context: &ScenarioContext,
    id: IterationId,
) -> impl Future<Output = Iteration> + use<> {
    let IterationId { user, number } = id;
    let names = context.names(id);
    let run = context.plan.script.clone().map(|script| ScriptRun {
        script,
        settings: Rc::clone(&context.client_settings),
        credentials: context.credentials.clone(),
        user_id: context.next_user().id,
        unique_id: names.own,
        infra: names.shared.infra.clone(),
        user,
        number,
        log: context.run.script_log(user, number),
    });
    let mut iteration = context.iteration_of(id);
    async move {
        match run {
            Some(run) => run.judged(iteration).await,
            None => {
                let error_type = ClientFault::Skyload.name().to_owned();
                let message = "the plan has no script".to_owned();
                iteration.fail(failure(error_type, message));
                iteration
            }
        }
    }
}

/// Failure of a whole run of the program.
fn failure(error_type: String, message: String) -> Failure {
    Failure { step: SCRIPT_STEP.to_owned(), status: None, error_type, message }
}

/// Run of the program for one user.
struct ScriptRun {
    script: Script,
    settings: Rc<ClientSettings>,
    credentials: Credentials,
    user_id: String,
    unique_id: String,
    /// Infra; empty for a run without one.
    infra: String,
    user: u32,
    number: u32,
    /// Path of the file with the output.
    log: PathBuf,
}

/// End of the program.
enum End {
    /// Exit, by itself or by a signal.
    Exited(ExitStatus),
    /// Kill after the maximum time.
    TimedOut,
}

impl ScriptRun {
    /// Runs the program and records its steps and its failures in `iteration`.
    async fn judged(self, mut iteration: Iteration) -> Iteration {
        let start = Instant::now();
        let end = self.run().await;
        iteration.step(SCRIPT_STEP, start.elapsed());
        let output = self.output();
        let BenchSteps { ended, unfinished } = BenchSteps::of(&output);
        for step in ended {
            if step.code != 0 {
                let error_type = format!("exit status: {}", step.code);
                let message = format!("step of the script failed; output in {}", self.log_name());
                let step = step.name.clone();
                iteration.fail(Failure { step, status: None, error_type, message });
            }
            if let Some(took) = step.took {
                iteration.step(step.name, took);
            }
        }
        let during = unfinished.map_or_else(String::new, |step| format!(" in step {step}"));
        match end {
            Ok(End::Exited(status)) if status.success() => {}
            Ok(End::Exited(status)) => {
                let message = format!("last line{during}: {}", last_line(&output));
                iteration.fail(failure(status.to_string(), message));
            }
            Ok(End::TimedOut) => {
                let time = humantime::format_duration(self.script.timeout);
                let line = last_line(&output);
                let message =
                    format!("still running after {time}, killed{during}; last line: {line}");
                iteration.fail(failure(error_type::TIMEOUT.to_owned(), message));
            }
            Err(error) => {
                let fault = ClientFault::of_start(&error);
                iteration.fail(failure(fault.name().to_owned(), error.to_string()));
            }
        }
        iteration
    }

    async fn run(&self) -> io::Result<End> {
        if let Some(folder) = self.log.parent() {
            fs::create_dir_all(folder)?;
        }
        // The script may append to the file by itself, so its own output is appended, too. Standard
        // output would otherwise go on at its own offset, over what was appended.
        File::create(&self.log)?;
        let output = File::options().append(true).open(&self.log)?;
        let mut process = self.process();
        process.stdout(output.try_clone()?).stderr(output);
        let mut group = ProcessGroup::of(process.spawn()?);
        match tokio::time::timeout(self.script.timeout, group.exit_of_first()).await {
            // What the program has started and left must not outlive its run.
            Ok(()) => group.kill().await.map(End::Exited),
            Err(_) => {
                group.end().await;
                Ok(End::TimedOut)
            }
        }
    }

    /// Process of the program, with its environment.
    fn process(&self) -> Process {
        let path = &self.script.path;
        let mut process = match self.script.start {
            ScriptStart::Itself => Process::new(path),
            ScriptStart::Bash => {
                let mut bash = Process::new("bash");
                bash.arg(path);
                bash
            }
        };
        prepare(&mut process, &self.settings, &self.credentials, &self.user_id);
        if let Some(path) = path_with(&self.settings) {
            process.env(env::SEARCH_PATH, path);
        }
        if !self.infra.is_empty() {
            process.env(env::BENCHMARK_CLOUD, &self.infra);
        }
        process
            .env(env::BENCHMARK_UNIQUE_ID, &self.unique_id)
            .env(env::BENCHMARK_THREAD_ID, self.user.to_string())
            .env(env::BENCHMARK_REPEAT_ID, self.number.to_string())
            .env(env::BENCHMARK_LOG_FILE, &self.log)
            // Files beside the program are found.
            .current_dir(path.parent().unwrap_or_else(|| Path::new("/")))
            .stdin(Stdio::null())
            .process_group(0)
            .kill_on_drop(true);
        process
    }

    /// Output of the program, without the login. The file is written again if it had the login.
    fn output(&self) -> String {
        let output = fs::read(&self.log).unwrap_or_default();
        let output = String::from_utf8_lossy(&output).into_owned();
        let hidden = self.credentials.hide_in(&output);
        if hidden != output {
            // The output is not lost if this fails, and nothing else can be done about it.
            _ = fs::write(&self.log, &hidden);
        }
        hidden
    }

    fn log_name(&self) -> String {
        self.log.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

impl Drop for ScriptRun {
    fn drop(&mut self) {
        // An interrupted run ends here, with whatever it has printed.
        if self.credentials != Credentials::None {
            _ = self.output();
        }
    }
}

/// Search path with the folder of the `sky` under test first; `None` if there is no such folder.
fn path_with(settings: &ClientSettings) -> Option<OsString> {
    let folder = settings.sky.parent().filter(|folder| !folder.as_os_str().is_empty())?;
    let set = settings.variables.iter().find(|(name, _)| name == env::SEARCH_PATH);
    let rest = set.map(|(_, value)| OsString::from(value)).or_else(|| env::raw(env::SEARCH_PATH));
    let rest = rest.unwrap_or_default();
    let folders = [folder.to_owned()].into_iter().chain(std::env::split_paths(&rest));
    std::env::join_paths(folders).ok()
}

/// Last line of an output that is not blank.
fn last_line(output: &str) -> String {
    let line = output.lines().rev().find(|line| !line.trim().is_empty());
    line.map_or_else(|| "(no output)".to_owned(), |line| tail(line.trim().as_bytes()))
}

/// Interval at which the first process of a group is looked up.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Process group of a program, which is killed when dropped.
struct ProcessGroup {
    child: Child,
    /// Whether the exit status of the first process was taken: from then on, its pid may be another
    /// process's.
    is_reaped: bool,
}

impl ProcessGroup {
    fn of(child: Child) -> Self {
        Self { child, is_reaped: false }
    }

    /// Ends all processes of the group: by SIGTERM, and those that still run by SIGKILL.
    async fn end(&mut self) {
        self.signal(Signal::SIGTERM);
        let start = Instant::now();
        // Looked up and not waited for, so that the group keeps its number until SIGKILL.
        while start.elapsed() < TIME_TO_END && self.runs() {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        // Fails only if the process is reaped already.
        _ = self.kill().await;
    }

    /// Waits until the first process has exited. The process is not reaped, so that the group keeps
    /// its number.
    async fn exit_of_first(&self) {
        // Before the first look, so that no exit is missed in between.
        let mut exits = signal(SignalKind::child()).ok();
        while self.runs() {
            match &mut exits {
                Some(exits) => _ = exits.recv().await,
                // No file is left to open.
                None => tokio::time::sleep(POLL_INTERVAL).await,
            }
        }
    }

    /// Whether the first process has not exited.
    fn runs(&self) -> bool {
        self.child.id().and_then(look_up).is_some_and(|process| !process.zombie)
    }

    /// Ends all processes of the group by SIGKILL, and returns the exit status of the first.
    async fn kill(&mut self) -> io::Result<ExitStatus> {
        self.signal(Signal::SIGKILL);
        let status = self.child.wait().await;
        self.is_reaped = true;
        status
    }

    fn signal(&self, signal: Signal) {
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok());
        if let (Some(pid), false) = (pid, self.is_reaped) {
            // Fails if all processes have ended in between.
            _ = killpg(Pid::from_raw(pid), signal);
        }
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}
