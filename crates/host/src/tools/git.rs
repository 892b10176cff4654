//! Commits and checkouts read with the `git` on `PATH`.
//!
//! Repositories are only read: no command here writes into one, not even its index. Commands
//! never ask for anything. Of the user's settings, those count that say how a repository is
//! reached (proxies, credentials, replaced URLs) and which files are ignored.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use tempfile::TempPath;
use xshell::{Cmd, Shell, cmd};

use super::on_path;
use crate::environment::{Environment, For};
use crate::process::command;

/// Settings of each command. Hooks and monitors are programs of a repository.
const SETTINGS: [&str; 8] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.askPass=",
    "core.autocrlf=false",
    "core.attributesFile=/dev/null",
    "gc.auto=0",
    "maintenance.auto=false",
    "advice.fetchShowForcedUpdates=false",
];

/// Variables of each command: no question on the terminal, no write of a refreshed index, messages
/// in English, which are read.
const VARIABLES: [(&str, &str); 3] =
    [("GIT_TERMINAL_PROMPT", "0"), ("GIT_OPTIONAL_LOCKS", "0"), ("LC_ALL", "C.UTF-8")];

/// Variable with the path of the user's settings.
const GLOBAL: &str = "GIT_CONFIG_GLOBAL";

/// Variable and setting with the command for SSH, and a command that asks for no password.
const SSH: (&str, &str, &str) = ("GIT_SSH_COMMAND", "core.sshCommand", "ssh -o BatchMode=yes");

/// Program `git`.
#[derive(Clone, Debug)]
pub struct Git {
    program: PathBuf,
    variables: Vec<(&'static str, OsString)>,
    /// File of [`settings_file`], removed with the last copy of this value.
    settings: Arc<TempPath>,
}

impl Git {
    /// `git` on the shell's PATH, or an error with a hint.
    pub fn require(shell: &Shell) -> Result<Self> {
        let program = on_path(shell, "git").context(
            "no `git` on PATH\n  hint: install git (Debian, Ubuntu: `sudo apt install git`)",
        )?;
        let environment = Environment::of(For::Git);
        let git = Self::with_settings(program, &user_settings(&environment))?;
        let (variable, setting, command) = SSH;
        let has_command = environment.value(variable).is_some()
            || git
                .try_read(Path::new("/"), ["config", setting])
                .is_ok_and(|it| it.status.success());
        Ok(match has_command {
            true => git,
            false => git.with_variable(variable, command),
        })
    }

    /// Git at `program`, with the settings of the user in the files `user`.
    fn with_settings(program: PathBuf, user: &[PathBuf]) -> Result<Self> {
        let mut file =
            tempfile::NamedTempFile::new().context("creating a file of settings for git")?;
        file.write_all(&settings_file(user)).context("writing a file of settings for git")?;
        let variables = VARIABLES.map(|(name, value)| (name, value.into())).to_vec();
        Ok(Self { program, variables, settings: Arc::new(file.into_temp_path()) })
    }

    /// Variant of this git whose index is the file `index`, not that of a repository.
    pub fn with_index(&self, index: &Path) -> Self {
        self.clone().with_variable("GIT_INDEX_FILE", index)
    }

    fn with_variable(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    fn variables(&self) -> impl Iterator<Item = (&'static str, &OsStr)> {
        let own = self.variables.iter().map(|(name, value)| (*name, value.as_os_str()));
        own.chain([(GLOBAL, self.settings.as_os_str())])
    }

    /// Command for a step with progress, which runs in the shell's folder.
    pub fn step<'a>(&self, shell: &'a Shell) -> Cmd<'a> {
        let program = &self.program;
        let command = cmd!(shell, "{program}").args(settings());
        Environment::of(For::Git).apply_to(command).envs(self.variables())
    }

    /// Command that reads the repository of `folder`.
    pub fn reading(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.program);
        Environment::of(For::Git).apply(&mut command);
        command.envs(self.variables()).args(settings()).arg("-C").arg(folder);
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

/// Files with settings of the user, as git finds them.
fn user_settings(environment: &Environment) -> Vec<PathBuf> {
    let path = |name: &str| environment.value(name).filter(|it| !it.is_empty()).map(PathBuf::from);
    let files = match environment.value(GLOBAL) {
        Some(_) => vec![path(GLOBAL)],
        None => {
            let home = path("HOME");
            let below = |name: &str| home.as_ref().map(|home| home.join(name));
            let xdg = path("XDG_CONFIG_HOME").or_else(|| below(".config"));
            vec![xdg.map(|folder| folder.join("git/config")), below(".gitconfig")]
        }
    };
    let files = files.into_iter().flatten().filter_map(|file| std::path::absolute(file).ok());
    // Git skips an unreadable file of settings, but fails on one that is included.
    files.filter(|file| file.is_file() && File::open(file).is_ok()).collect()
}

/// Content of a file that takes the place of the user's settings: these, and that repositories of
/// other users may be read. A folder that is shared with a container may belong to another user.
///
/// On the command line that setting has no effect before git 2.38, and none on the git that a fetch
/// from a path starts.
fn settings_file(user: &[PathBuf]) -> Vec<u8> {
    let mut text = Vec::new();
    for path in user {
        text.extend_from_slice(b"[include]\n\tpath = \"");
        for byte in path.as_os_str().as_bytes() {
            match byte {
                b'"' | b'\\' => text.extend_from_slice(&[b'\\', *byte]),
                b'\n' => text.extend_from_slice(b"\\n"),
                other => text.push(*other),
            }
        }
        text.extend_from_slice(b"\"\n");
    }
    text.extend_from_slice(b"[safe]\n\tdirectory = *\n");
    text
}

fn settings() -> impl Iterator<Item = &'static str> {
    SETTINGS.into_iter().flat_map(|setting| ["-c", setting])
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::testing::{script, shell};

    /// Real git, for which every repository is another user's, and the folder of a repository.
    fn git_of_another_user(folder: &Path) -> (Git, PathBuf) {
        let real = on_path(&Shell::new().unwrap(), "git").expect("git is installed");
        let real = real.display();
        let stranger = format!("GIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec '{real}' \"$@\"");
        script(&folder.join("bin/git"), &stranger);
        let git = Git::require(&shell(folder)).unwrap();
        let repository = folder.join("repository");
        git.read(Path::new("/"), [OsStr::new("init"), "--quiet".as_ref(), repository.as_ref()])
            .unwrap();
        (git, repository)
    }

    #[test]
    fn a_repository_of_another_user_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let (git, repository) = git_of_another_user(folder.path());
        git.read(&repository, ["rev-parse", "--git-dir"]).unwrap();
        // The path is read by a git of its own, which gets no settings of the command line.
        let url = format!("file://{}", repository.display());
        git.read(Path::new("/"), ["ls-remote", &url]).unwrap();
    }

    #[test]
    fn a_git_that_heeds_the_setting_in_files_alone_reads_it_there() {
        let folder = tempfile::tempdir().unwrap();
        let (git, _) = git_of_another_user(folder.path());
        let setting = ["config", "--global", "--includes", "safe.directory"];
        assert_eq!(git.read(Path::new("/"), setting).unwrap(), b"*\n");
    }

    #[test]
    fn settings_of_the_user_count() {
        let folder = tempfile::tempdir().unwrap();
        let user = folder.path().join("a \"user's\" \\settings\n");
        fs::write(&user, "[user]\n\tname = Ada\n[include]\n\tpath = more\n").unwrap();
        fs::write(folder.path().join("more"), "[user]\n\temail = ada@example.org\n").unwrap();
        let program = on_path(&Shell::new().unwrap(), "git").expect("git is installed");
        let git = Git::with_settings(program, &[user]).unwrap();
        let read = |name: &str| git.read(Path::new("/"), ["config", name]).unwrap();
        assert_eq!(read("user.name"), b"Ada\n");
        assert_eq!(read("user.email"), b"ada@example.org\n");
    }

    #[test]
    fn the_file_of_settings_is_removed_with_the_last_git() {
        let program = PathBuf::from("/usr/bin/git");
        let git = Git::with_settings(program, &[]).unwrap();
        let copy = git.clone();
        let file = git.settings.to_path_buf();
        drop(git);
        assert!(file.exists());
        drop(copy);
        assert!(!file.exists());
    }
}
