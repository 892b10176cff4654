//! Commits and checkouts read with the `git` on `PATH`.
//!
//! Repositories are only read: no command here writes into one, not even its index. Commands
//! never ask for anything. Of the user's settings, those count that say how a repository is
//! reached (proxies, credentials, replaced URLs) and which files are ignored.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, Result, bail};
use xshell::{Cmd, Shell, cmd};

use super::on_path;
use crate::environment::{Environment, For};
use crate::process::command;

/// Settings of each command. Hooks and monitors are programs of a repository; a repository may
/// belong to another user where a folder is shared with a container.
const SETTINGS: [&str; 9] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.askPass=",
    "core.autocrlf=false",
    "core.attributesFile=/dev/null",
    "gc.auto=0",
    "maintenance.auto=false",
    "safe.directory=*",
    "advice.fetchShowForcedUpdates=false",
];

/// Variables of each command: no question on the terminal, no write of a refreshed index, messages
/// in English, which are read.
const VARIABLES: [(&str, &str); 3] =
    [("GIT_TERMINAL_PROMPT", "0"), ("GIT_OPTIONAL_LOCKS", "0"), ("LC_ALL", "C.UTF-8")];

/// Variable and setting with the command for SSH, and a command that asks for no password.
const SSH: (&str, &str, &str) = ("GIT_SSH_COMMAND", "core.sshCommand", "ssh -o BatchMode=yes");

/// Program `git`.
#[derive(Clone, Debug)]
pub struct Git {
    program: PathBuf,
    variables: Vec<(&'static str, &'static str)>,
}

impl Git {
    /// `git` on the shell's PATH; `None` without one.
    pub fn find(shell: &Shell) -> Option<Self> {
        let git = Self { program: on_path(shell, "git")?, variables: VARIABLES.to_vec() };
        let (variable, setting, command) = SSH;
        let has_command = Environment::of(For::Git).value(variable).is_some()
            || git
                .try_read(Path::new("/"), ["config", setting])
                .is_ok_and(|it| it.status.success());
        Some(match has_command {
            true => git,
            false => Self { variables: [&VARIABLES[..], &[(variable, command)]].concat(), ..git },
        })
    }

    /// `git` on the shell's PATH, or an error with a hint.
    pub fn require(shell: &Shell) -> Result<Self> {
        Self::find(shell).context(
            "no `git` on PATH\n  hint: install git (Debian, Ubuntu: `sudo apt install git`)",
        )
    }

    /// Command for a step with progress, which runs in the shell's folder.
    pub fn step<'a>(&self, shell: &'a Shell) -> Cmd<'a> {
        let program = &self.program;
        let command = cmd!(shell, "{program}").args(settings());
        Environment::of(For::Git).apply_to(command).envs(self.variables.iter().copied())
    }

    /// Command that reads the repository of `folder`.
    pub fn reading(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.program);
        Environment::of(For::Git).apply(&mut command);
        command.envs(self.variables.iter().copied()).args(settings()).arg("-C").arg(folder);
        command
    }

    /// Output of a command that reads the repository of `folder`, successful or not.
    pub fn try_read<S: AsRef<OsStr>>(
        &self,
        folder: &Path,
        args: impl IntoIterator<Item = S>,
    ) -> Result<Output> {
        let mut command = self.reading(folder);
        command::output(command.args(args))
            .with_context(|| format!("running git in `{}`", folder.display()))
    }

    /// Standard output of a command that reads the repository of `folder`.
    pub fn read<S: AsRef<OsStr>>(
        &self,
        folder: &Path,
        args: impl IntoIterator<Item = S>,
    ) -> Result<Vec<u8>> {
        let args: Vec<S> = args.into_iter().collect();
        let output = self.try_read(folder, &args)?;
        if !output.status.success() {
            let words = args.iter().map(|arg| arg.as_ref().to_string_lossy());
            bail!(
                "`git -C {} {}` failed ({}): {}",
                folder.display(),
                words.collect::<Vec<_>>().join(" "),
                output.status,
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(output.stdout)
    }
}

fn settings() -> impl Iterator<Item = &'static str> {
    SETTINGS.into_iter().flat_map(|setting| ["-c", setting])
}
