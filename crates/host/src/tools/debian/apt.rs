//! `apt-get` as an ordinary user: what is missing, and fetching it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use xshell::{Cmd, Shell, cmd};

use crate::progress::Step;
use crate::tools::run::{Finished, run};

/// `apt-get` with the system's lists of packages, or with lists of our own.
pub(super) struct Apt<'a> {
    shell: &'a Shell,
    own_lists: Option<PathBuf>,
}

impl<'a> Apt<'a> {
    pub(super) fn with_system_lists(shell: &'a Shell) -> Self {
        Self { shell, own_lists: None }
    }

    /// Fetches lists into `folder`: a fresh container has none, and one of long ago
    /// has old ones, whose packages are gone.
    pub(super) fn with_own_lists(shell: &'a Shell, folder: &Path, step: &Step) -> Result<Self> {
        for part in ["state/lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(folder.join(part)).context("making a folder for package lists")?;
        }
        let apt = Self { shell, own_lists: Some(folder.to_owned()) };
        step.update("fetching the lists of packages");
        run(apt.command(&["update"]), step)?.into_output()?;
        Ok(apt)
    }

    /// The names of the packages that an installation of these would unpack.
    pub(super) fn missing(&self, wanted: &[&str], step: &Step) -> Result<Vec<String>> {
        let install = self.command(&["install", "-s", "--no-install-recommends"]).args(wanted);
        let simulated = run(install, step)?.into_output()?;
        Ok(to_install(&simulated, wanted))
    }

    /// Fetches packages into the folder `into`.
    pub(super) fn download(&self, names: &[String], into: &Path, step: &Step) -> Result<Finished> {
        let _there = self.shell.push_dir(into);
        run(self.command(&["download"]).args(names), step)
    }

    fn command(&self, args: &[&str]) -> Cmd<'a> {
        let shell = self.shell;
        let mut command = cmd!(shell, "apt-get").env("LC_ALL", "C").env("DEBIAN_FRONTEND", "none");
        if let Some(folder) = &self.own_lists {
            for (name, path) in [("Dir::State", "state"), ("Dir::Cache", "cache")] {
                let path = folder.join(path);
                command = command.arg("-o").arg(format!("{name}={}", path.display()));
            }
            command = command
                .args(["-o", "Dir::State::status=/var/lib/dpkg/status"])
                .args(["-o", "Debug::NoLocking=1"]);
        }
        command.args(args)
    }
}

/// The packages in what `apt-get install -s` prints: `Inst NAME [OLD] (NEW ..)`.
fn to_install(simulated: &str, wanted: &[&str]) -> Vec<String> {
    let mut names: Vec<String> = simulated
        .lines()
        .filter_map(|line| line.strip_prefix("Inst ")?.split(' ').next())
        .map(str::to_owned)
        .collect();
    // What is there already has programs that must fit to the others'.
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
    fn what_apt_would_install_is_fetched_and_what_is_wanted() {
        let names = to_install(SIMULATED, &["openssh-client", "rsync"]);
        assert_eq!(names, ["libmunge2", "openssh-client", "rsync"]);
    }
}
