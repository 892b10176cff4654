//! `apt-get` as an unprivileged user: lists missing packages and downloads them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use xshell::{Cmd, Shell, cmd};

use crate::progress::Step;
use crate::tools::run::{Finished, run};

/// `apt-get` with the system's package lists, or with lists in a folder of skyload.
pub(super) struct Apt<'a> {
    shell: &'a Shell,
    own_lists: Option<PathBuf>,
}

impl<'a> Apt<'a> {
    pub(super) fn with_system_lists(shell: &'a Shell) -> Self {
        Self { shell, own_lists: None }
    }

    /// `apt-get` with package lists that are downloaded into `folder`. The system's lists are
    /// missing in a new container, and in an old one they name packages that were replaced.
    pub(super) fn with_own_lists(shell: &'a Shell, folder: &Path, step: &Step) -> Result<Self> {
        for part in ["state/lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(folder.join(part)).context("creating a folder for package lists")?;
        }
        let apt = Self { shell, own_lists: Some(folder.to_owned()) };
        step.update("downloading the package lists");
        run(apt.command(&["update"]), step)?.into_output()?;
        Ok(apt)
    }

    /// Names of the packages `wanted` and of their dependencies that are not installed.
    pub(super) fn missing(&self, wanted: &[&str], step: &Step) -> Result<Vec<String>> {
        let install = self.command(&["install", "-s", "--no-install-recommends"]).args(wanted);
        let simulated = run(install, step)?.into_output()?;
        Ok(to_install(&simulated, wanted))
    }

    /// Downloads packages into the folder `into`.
    pub(super) fn download(&self, names: &[String], into: &Path, step: &Step) -> Result<Finished> {
        // `apt-get download` writes to the working directory.
        let _restored = self.shell.push_dir(into);
        run(self.command(&["download"]).args(names), step)
    }

    fn command(&self, args: &[&str]) -> Cmd<'a> {
        let shell = self.shell;
        // Untranslated, since the output is parsed, and hints are found by their English messages.
        let mut command = cmd!(shell, "apt-get").env("LC_ALL", "C").env("DEBIAN_FRONTEND", "none");
        if let Some(folder) = &self.own_lists {
            for (name, path) in [("Dir::State", "state"), ("Dir::Cache", "cache")] {
                let path = folder.join(path);
                command = command.arg("-o").arg(format!("{name}={}", path.display()));
            }
            // The system's database of installed packages, without its lock, which needs root.
            command = command
                .args(["-o", "Dir::State::status=/var/lib/dpkg/status"])
                .args(["-o", "Debug::NoLocking=1"]);
        }
        command.args(args)
    }
}

/// Packages in the output of `apt-get install -s` (`Inst NAME [OLD] (NEW ..)`), and `wanted`.
fn to_install(simulated: &str, wanted: &[&str]) -> Vec<String> {
    let mut names: Vec<String> = simulated
        .lines()
        .filter_map(|line| line.strip_prefix("Inst ")?.split(' ').next())
        .map(str::to_owned)
        .collect();
    // Installed ones too: all programs must come from the same folder and fit together.
    names.extend(wanted.iter().copied().map(str::to_owned));
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIMULATED: &str = "\
        NOTE: This is only a simulation!\n\
        The following NEW packages will be installed:\n  libmunge2 munge\n\
        Inst openssh-client [1:9.2p1-2+deb12u6] (1:9.2p1-2+deb12u10 Debian:12.14 [amd64])\n\
        Inst libmunge2 (0.5.15-2+deb12u1 Debian:12.14/oldstable [amd64]) []\n\
        Conf libmunge2 (0.5.15-2+deb12u1 Debian:12.14/oldstable [amd64])\n";

    #[test]
    fn wanted_packages_and_missing_dependencies_are_downloaded() {
        let names = to_install(SIMULATED, &["openssh-client", "rsync"]);
        assert_eq!(names, ["libmunge2", "openssh-client", "rsync"]);
    }
}
