//! Site of a test: its own state directory and configuration.

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

use super::{Finished, Running, cargo_answers};

/// State directory for the runs of one test. Kills all processes of the site when dropped.
pub(crate) struct Site {
    folder: TempDir,
    commands: Cell<u32>,
}

/// Prefixes, in capitals, of variables that are removed since they change the behaviour or the
/// output of a run. Variables of cargo and compilers stay: without them the test binaries would be
/// rebuilt.
const REMOVED_PREFIXES: [&str; 29] = [
    "ALL_PROXY",
    "AWS_",
    "AZURE_",
    "CLICOLOR",
    "CLOUDSDK_",
    "COLUMNS",
    "CURL_CA_BUNDLE",
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
    "REQUESTS_CA_BUNDLE",
    "SKYLOAD_",
    "SKYPILOT_",
    "SKY_",
    "SSL_CERT_",
    "TERM",
    "UV_",
];

/// Values in the site's `skyload.toml` that differ between tests.
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

/// Builder of an `xtask` command.
pub(crate) struct Xtask<'a> {
    site: &'a Site,
    command: Command,
    /// Standard output, if not the file that tests read.
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

    /// Path below the site's directory.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `cargo xtask load` with the stand-in and this site's configuration. Passes `--yes`, since
    /// plans estimate far more memory than the stand-in's executors use.
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
        // Settings in the shell of the developer must not affect the tested runs.
        for (name, _) in env::all() {
            let text = name.to_string_lossy();
            if REMOVED_PREFIXES.iter().any(|prefix| text.to_uppercase().starts_with(prefix)) {
                command.env_remove(&name);
            }
        }
        let path = cargo_answers::path().expect("programs in front of cargo can be written");
        command.args(args).env(env::STATE_DIR, self.state()).env("PATH", path);
        // By another profile, the scenarios would be compiled once more, in the middle of the tests.
        command.env(env::CARGO_PROFILE, "test");
        Xtask { site: self, command, stdout: None }
    }

    /// Directories of the site's runs, oldest first.
    pub(crate) fn runs(&self) -> Vec<PathBuf> {
        self.directories_in("runs")
    }

    /// Directories of the site's profiles that belong to no run, oldest first.
    pub(crate) fn profiles(&self) -> Vec<PathBuf> {
        self.directories_in("profiles")
    }

    /// Directories of the site's explanations, oldest first.
    pub(crate) fn explanations(&self) -> Vec<PathBuf> {
        self.directories_in("explanations")
    }

    fn directories_in(&self, parent: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.state().join(parent)).into_iter().flatten().flatten();
        // Leaves out the link `latest` and its temporary name.
        let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let mut paths: Vec<PathBuf> = folders.map(|entry| entry.path()).collect();
        paths.sort();
        paths
    }

    /// Running processes that were started in this site. All of them inherit the variable with the
    /// state directory.
    pub(crate) fn processes(&self) -> Vec<Process> {
        let marker = format!("{}={}", env::STATE_DIR, self.state().display());
        let mut processes = procfs::all();
        processes.retain(|process| process.was_started_with(&marker));
        processes
    }

    /// Asserts that no process of the site still runs, and that no cleanup record is left.
    #[track_caller]
    pub(crate) fn assert_nothing_is_left(&self) {
        let left = self.processes();
        assert!(left.is_empty(), "these processes are left: {left:#?}");
        let records = self.cleanup_records();
        assert!(records.is_empty(), "these cleanup records are left: {records:?}");
    }

    /// Cleanup records of the site's runs.
    pub(crate) fn cleanup_records(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.state().join("custody")).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    }

    fn state(&self) -> PathBuf {
        self.path("state")
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // For tests that failed. Repeated, since a killed process may just have started others.
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

    /// Sets the working directory.
    pub(crate) fn in_directory(mut self, folder: impl AsRef<Path>) -> Self {
        self.command.current_dir(folder);
        self
    }

    pub(crate) fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts the command from a shell that runs `script` first.
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

    /// Makes standard output a pipe whose reader is closed.
    pub(crate) fn unread(mut self) -> anyhow::Result<Self> {
        let (reader, writer) = std::io::pipe()?;
        drop(reader);
        self.stdout = Some(writer.into());
        Ok(self)
    }

    /// Makes standard output a file on a full disk (`/dev/full`).
    pub(crate) fn on_full_disk(mut self) -> anyhow::Result<Self> {
        self.stdout = Some(fs::File::options().write(true).open("/dev/full")?.into());
        Ok(self)
    }

    /// Starts the command, and waits until it has ended.
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
