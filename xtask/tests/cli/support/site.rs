//! A state directory and a configuration of a test's own.

use std::cell::Cell;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use assert_cmd::cargo::cargo_bin;
use fake_sky::procfs::{self, Process};
use skyload::env;
use tempfile::TempDir;

use super::{Finished, Running};

/// Where runs of one test are made; dropping it ends whatever they have left.
pub(crate) struct Site {
    folder: TempDir,
    commands: Cell<u32>,
}

/// How names of variables begin, in capitals, that change what a run does or says. What
/// cargo and compilers read stays: the tests' binaries would be built anew without it.
const SHELLS_OWN: [&str; 26] = [
    "ALL_PROXY",
    "AWS_",
    "AZURE_",
    "CLICOLOR",
    "CLOUDSDK_",
    "COLUMNS",
    "FAKE_SKY_",
    "FTP_PROXY",
    "GITHUB_",
    "GLIBC_TUNABLES",
    "GOOGLE_",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "KUBE",
    "LANG",
    "LC_",
    "MALLOC_",
    "NO_COLOR",
    "NO_PROXY",
    "PIP_",
    "PYTHON",
    "SKYLOAD_",
    "SKYPILOT_",
    "SKY_",
    "TERM",
    "UV_",
];

/// The values of a test's `skyload.toml` that tests change.
pub(crate) struct Settings {
    pub(crate) baseline: &'static str,
    pub(crate) memory_floor: String,
    pub(crate) send_lateness_p99: &'static str,
    pub(crate) profiler_gap: &'static str,
    pub(crate) teardown_timeout: &'static str,
    pub(crate) more: &'static str,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            baseline: "700ms",
            memory_floor: "16 MiB".to_owned(),
            send_lateness_p99: "30s",
            profiler_gap: "30s",
            teardown_timeout: "60s",
            more: "",
        }
    }
}

/// A command line of `xtask` that is still being put together.
pub(crate) struct Xtask<'a> {
    site: &'a Site,
    command: Command,
    /// In the place of the file that tests read.
    stdout: Option<Stdio>,
}

impl Site {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Self::with(&Settings::default())
    }

    pub(crate) fn with(settings: &Settings) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("skyload-cli-").tempdir()?;
        let site = Self { folder, commands: Cell::new(0) };
        let Settings {
            baseline,
            memory_floor,
            send_lateness_p99,
            profiler_gap,
            teardown_timeout,
            more,
        } = settings;
        let config = format!(
            r#"
            [plans.default]
            users = 2
            iterations = 1
            cli = "none"
            api = "status launch_dryrun"
            baseline = "{baseline}"
            cooldown = "700ms"
            settle-timeout = "300ms"
            scenario-timeout = "120s"
            teardown-timeout = "{teardown_timeout}"

            [budgets]
            short-executor = "auto"
            long-executor = "auto"
            server = "auto"

            [safety]
            memory-floor = "{memory_floor}"

            [validity]
            send-lateness-p99 = "{send_lateness_p99}"
            profiler-gap = "{profiler_gap}"

            {more}
            "#
        );
        fs::write(site.path("skyload.toml"), config)?;
        Ok(site)
    }

    /// A path below the site's folder.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `cargo xtask load` with the stand-in and this site's configuration. With
    /// `--yes`: executors of the stand-in are far smaller than those that a plan
    /// reckons with.
    pub(crate) fn load<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Xtask<'_> {
        let sky = fake_sky::executable();
        let config = self.path("skyload.toml");
        // All that there is to see; what is printed without it has tests of its own.
        let before = ["load", "--verbose", "--yes", "--sky"].map(OsStr::new);
        let before = before.into_iter().chain([sky.as_ref()]);
        let mut xtask = self.xtask(before);
        xtask.command.arg("--config").arg(config).args(args);
        xtask
    }

    /// `cargo xtask` with nothing but these arguments.
    pub(crate) fn xtask<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Xtask<'_> {
        let mut command = Command::new(cargo_bin!("xtask"));
        // Settings of whoever runs the tests are not for runs that are tested.
        for (name, _) in env::all() {
            let text = name.to_string_lossy();
            if SHELLS_OWN.iter().any(|prefix| text.to_uppercase().starts_with(prefix)) {
                command.env_remove(&name);
            }
        }
        command.args(args).env(env::STATE_DIR, self.state());
        Xtask { site: self, command, stdout: None }
    }

    /// The directories of all runs that were made here, the oldest first.
    pub(crate) fn runs(&self) -> Vec<PathBuf> {
        self.made_in("runs")
    }

    /// The same for profiles that belong to no run.
    pub(crate) fn profiles(&self) -> Vec<PathBuf> {
        self.made_in("profiles")
    }

    fn made_in(&self, folder: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.state().join(folder)).into_iter().flatten().flatten();
        // A link is `latest`, or what is about to be called that.
        let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let mut made: Vec<PathBuf> = folders.map(|entry| entry.path()).collect();
        made.sort();
        made
    }

    /// Every process that was started from here and has not ended: they all
    /// inherit the variable that names the state directory.
    pub(crate) fn processes(&self) -> Vec<Process> {
        let marker = format!("{}={}", env::STATE_DIR, self.state().display());
        let mut processes = procfs::all();
        processes.retain(|process| process.was_started_with(&marker));
        processes
    }

    /// Fails if anything that was started from here still runs, or is noted as to
    /// be cleared away.
    #[track_caller]
    pub(crate) fn assert_nothing_is_left(&self) {
        let left = self.processes();
        assert!(left.is_empty(), "these processes are left: {left:#?}");
        let noted = self.in_custody();
        assert!(noted.is_empty(), "this is still to be cleared away: {noted:?}");
    }

    /// The notes of runs on what they have yet to clear away.
    pub(crate) fn in_custody(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.state().join("custody")).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    }

    fn state(&self) -> PathBuf {
        self.path("state")
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // Backstop of tests that failed. What is killed may be starting others.
        for _ in 0..50 {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            left.iter().for_each(|process| procfs::kill_hard(process.pid));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Xtask<'_> {
    /// Sets a setting of the stand-in, without its prefix.
    pub(crate) fn fake(self, setting: &str, value: impl ToString) -> Self {
        self.env(format!("FAKE_SKY_{setting}"), value.to_string())
    }

    /// Has it typed in another folder.
    pub(crate) fn typed_in(mut self, folder: impl AsRef<Path>) -> Self {
        self.command.current_dir(folder);
        self
    }

    pub(crate) fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Has it started by a shell that carries out `script` before.
    pub(crate) fn after(mut self, script: &str) -> Self {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("{script}; exec \"$0\" \"$@\""));
        shell.arg(self.command.get_program()).args(self.command.get_args());
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        self.command = shell;
        self
    }

    /// Nobody reads its standard output.
    pub(crate) fn unread(mut self) -> anyhow::Result<Self> {
        let (reader, writer) = std::io::pipe()?;
        drop(reader);
        self.stdout = Some(writer.into());
        Ok(self)
    }

    /// Its standard output is a file that takes nothing.
    pub(crate) fn on_full_disk(mut self) -> anyhow::Result<Self> {
        self.stdout = Some(fs::File::options().write(true).open("/dev/full")?.into());
        Ok(self)
    }

    /// Starts it, and waits until it has ended.
    pub(crate) fn run(self) -> anyhow::Result<Finished> {
        self.start()?.finish()
    }
}

impl<'a> Xtask<'a> {
    pub(crate) fn start(self) -> anyhow::Result<Running<'a>> {
        let number = self.site.commands.get();
        self.site.commands.set(number + 1);
        Running::start(self.site, self.command, self.stdout, number)
    }
}
