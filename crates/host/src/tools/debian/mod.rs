//! Debian packages unpacked into a folder of skyload, without root and without installing them.

mod apt;

use std::env::consts::ARCH;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use skyload::record::{read_json, write_json};
use xshell::{Shell, cmd};

use super::run::run;
use super::{on_path, remove_folder, shell_in};
use crate::process::command;
use crate::progress::Step;
use apt::Apt;

/// Stamp of a complete folder, written last.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Stamp {
    /// Distribution and release that the packages are from.
    system: String,
    /// Architecture of the programs; absent from stamps of earlier builds.
    #[serde(default)]
    architecture: Option<String>,
    packages: Vec<String>,
}

const STAMP: &str = "skyload-ready.json";

/// Whether this machine has the programs to fetch and unpack packages with.
pub fn is_available(shell: &Shell) -> bool {
    ["apt-get", "dpkg"].into_iter().all(|program| on_path(shell, program).is_some())
}

/// Whether a folder is complete and has packages of this machine's distribution, release and
/// architecture. Their programs may need libraries that this machine lacks: [`ensure_starts`].
pub fn is_unpacked(folder: &Path) -> bool {
    let stamp = read_json::<Stamp>(&folder.join(STAMP), "stamp");
    stamp.is_ok_and(|stamp| {
        stamp.system == system() && stamp.architecture.is_none_or(|it| it == ARCH)
    })
}

/// Checks that an unpacked program starts and prints its version, by `option`. `libraries` is its
/// `LD_LIBRARY_PATH`.
///
/// What was installed where packages were unpacked is not among them. Another container that gets
/// the folder may lack it.
pub fn ensure_starts(program: &Path, option: &str, libraries: &str) -> Result<()> {
    let output =
        command::output(Command::new(program).arg(option).env("LD_LIBRARY_PATH", libraries))
            .with_context(|| format!("running `{}`", program.display()))?;
    let error = String::from_utf8_lossy(&output.stderr);
    // sshd before 9.2 has no option for its version, which is in its usage.
    let starts = output.status.success() || error.contains("OpenSSH");
    ensure!(
        starts,
        "`{} {option}` failed ({}): {}",
        program.display(),
        output.status,
        error.trim()
    );
    Ok(())
}

/// Downloads the packages `wanted` and their dependencies that are not installed, and unpacks
/// them into `folder`, whose old contents are removed. Returns the number of packages.
pub fn unpack(wanted: &[&str], folder: &Path, state: &Path, step: &Step) -> Result<usize> {
    unpack_with(&shell_in(state)?, wanted, folder, state, step)
}

fn unpack_with(
    shell: &Shell,
    wanted: &[&str],
    folder: &Path,
    state: &Path,
    step: &Step,
) -> Result<usize> {
    let downloads = tempfile::tempdir_in(state).context("creating a folder for packages")?;
    let archives = downloads.path().join("archives");
    fs::create_dir(&archives).context("creating a folder for packages")?;

    let apt = Apt::with_system_lists(shell);
    let first = apt.missing(wanted, step).and_then(|names| {
        apt.download(&names, &archives, step)?.into_output()?;
        Ok(names)
    });
    let names = match first {
        Ok(names) => names,
        Err(_) => {
            // The system's lists may be missing or outdated. Files downloaded with them may be
            // incomplete.
            remove_folder(&archives)?;
            fs::create_dir(&archives).context("creating a folder for packages")?;
            let own = Apt::with_own_lists(shell, &downloads.path().join("apt"), step)?;
            let names = own.missing(wanted, step)?;
            own.download(&names, &archives, step)?.into_output()?;
            names
        }
    };

    remove_folder(folder)?;
    fs::create_dir_all(folder).context("creating a folder for packages")?;
    step.update("unpacking");
    for archive in fs::read_dir(&archives).context("listing the downloaded packages")? {
        let archive = archive.context("listing the downloaded packages")?.path();
        run(cmd!(shell, "dpkg -x {archive} {folder}"), step)?.into_output()?;
    }
    open(folder)?;
    if names.is_empty() {
        bail!("apt-get listed no packages to download");
    }
    let count = names.len();
    stamp(folder, names)?;
    Ok(count)
}

/// Marks a folder as complete.
pub fn stamp(folder: &Path, packages: Vec<String>) -> Result<()> {
    let stamp = Stamp { system: system(), architecture: Some(ARCH.to_owned()), packages };
    Ok(write_json(&folder.join(STAMP), &stamp)?)
}

/// Makes the folder accessible to all users: `dpkg -x` sets its mode to the package's mode of
/// `/`.
fn open(folder: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
        .context("setting the mode of the folder of packages")
}

/// Distribution and release of this machine, from `/etc/os-release`.
fn system() -> String {
    let text = fs::read_to_string("/etc/os-release").unwrap_or_default();
    // `VERSION_CODENAME` too: testing releases of Debian have no `VERSION_ID`.
    let parts = text.lines().filter(|line| line.starts_with("ID=") || line.starts_with("VERSION_"));
    parts.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Progress;
    use crate::testing::{script, shell};

    #[test]
    fn files_of_a_failed_download_are_not_unpacked() {
        let state = tempfile::tempdir().unwrap();
        let apt = "case \"$*\" in\n\
                   *Dir::State*download*) echo new > new.deb;;\n\
                   *download*) echo half > old.deb; exit 100;;\n\
                   *install*) echo 'Inst chromium (1 Debian)';;\n\
                   esac";
        script(&state.path().join("bin/apt-get"), apt);
        // Called as `dpkg -x ARCHIVE FOLDER`.
        script(&state.path().join("bin/dpkg"), "echo unpacked > \"$3/${2##*/}\"");
        let folder = state.path().join("packages");
        let step = Progress::new().step("Fetching");
        let shell = shell(state.path());
        let count = unpack_with(&shell, &["chromium"], &folder, state.path(), &step).unwrap();
        assert_eq!(count, 1);
        assert!(folder.join("new.deb").exists() && !folder.join("old.deb").exists());
    }

    #[test]
    fn packages_of_another_release_or_architecture_are_not_used() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_unpacked(folder.path()), "an empty folder is not complete");
        stamp(folder.path(), Vec::new()).unwrap();
        assert!(is_unpacked(folder.path()));
        let is_unpacked = |system: &str, architecture: Option<&str>| {
            let stamp = Stamp {
                system: system.to_owned(),
                architecture: architecture.map(str::to_owned),
                packages: Vec::new(),
            };
            write_json(&folder.path().join(STAMP), &stamp).unwrap();
            is_unpacked(folder.path())
        };
        assert!(!is_unpacked("ID=older", Some(ARCH)));
        assert!(!is_unpacked(&system(), Some("pdp11")));
        assert!(is_unpacked(&system(), None), "of an earlier build");
    }

    #[test]
    fn a_program_without_its_libraries_does_not_start() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        let starts = |text: &str| {
            script(&program, text);
            ensure_starts(&program, "-V", "/lib").map_err(|error| error.to_string())
        };
        assert_eq!(starts("[ $1 = -V ] && [ $LD_LIBRARY_PATH = /lib ]"), Ok(()));
        let missing = "error while loading shared libraries: libmunge.so.2";
        let error = starts(&format!("echo '{missing}' >&2; exit 127")).unwrap_err();
        assert!(error.ends_with(&format!(" -V` failed (exit status: 127): {missing}")), "{error}");
        assert_eq!(starts("echo 'OpenSSH_8.4p1 usage: sshd' >&2; exit 1"), Ok(()));
    }
}
