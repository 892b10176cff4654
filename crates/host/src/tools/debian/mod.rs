//! Debian's packages, unpacked into a folder of ours. Nothing is installed, and nobody
//! needs to be root.

mod apt;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use skyload::record::{read_json, write_json};
use xshell::{Shell, cmd};

use super::run::run;
use super::{on_path, remove_folder, shell_in};
use crate::progress::Step;
use apt::Apt;

/// What says that a folder is complete, written last.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Stamp {
    /// The distribution whose packages they are.
    system: String,
    packages: Vec<String>,
}

const STAMP: &str = "skyload-ready.json";

/// Whether this machine has the programs to fetch and unpack packages with.
pub fn is_at_hand(shell: &Shell) -> bool {
    ["apt-get", "dpkg"].into_iter().all(|program| on_path(shell, program).is_some())
}

/// Whether a folder holds packages, all of them, of this very distribution.
pub fn is_unpacked(folder: &Path) -> bool {
    let stamp = read_json::<Stamp>(&folder.join(STAMP), "stamp");
    stamp.is_ok_and(|stamp| stamp.system == system())
}

/// Fetches these packages and what they need that is not installed, and unpacks them
/// into a folder, which is emptied first. Says how many they are.
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
    let downloads = tempfile::tempdir_in(state).context("making a folder for packages")?;
    let archives = downloads.path().join("archives");
    fs::create_dir(&archives).context("making a folder for packages")?;

    let apt = Apt::with_system_lists(shell);
    let first = apt.missing(wanted, step).and_then(|names| {
        apt.download(&names, &archives, step)?.into_output()?;
        Ok(names)
    });
    let names = match first {
        Ok(names) => names,
        Err(_) => {
            // What came before it failed is of the system's lists, and may be half a file.
            remove_folder(&archives)?;
            fs::create_dir(&archives).context("making a folder for packages")?;
            let own = Apt::with_own_lists(shell, &downloads.path().join("apt"), step)?;
            let names = own.missing(wanted, step)?;
            own.download(&names, &archives, step)?.into_output()?;
            names
        }
    };

    remove_folder(folder)?;
    fs::create_dir_all(folder).context("making a folder for packages")?;
    step.update("unpacking");
    for archive in fs::read_dir(&archives).context("listing the fetched packages")? {
        let archive = archive.context("listing the fetched packages")?.path();
        run(cmd!(shell, "dpkg -x {archive} {folder}"), step)?.into_output()?;
    }
    open(folder)?;
    if names.is_empty() {
        bail!("apt-get names no packages to fetch");
    }
    let count = names.len();
    stamp(folder, names)?;
    Ok(count)
}

/// Says that a folder is complete.
pub fn stamp(folder: &Path, packages: Vec<String>) -> Result<()> {
    Ok(write_json(&folder.join(STAMP), &Stamp { system: system(), packages })?)
}

/// `dpkg -x` gives the folder the mode that the package has for `/`.
fn open(folder: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
        .context("opening the folder of packages")
}

/// The distribution and its version.
fn system() -> String {
    let text = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let parts = text.lines().filter(|line| line.starts_with("ID=") || line.starts_with("VERSION_"));
    parts.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Progress;
    use crate::testing::{script, shell};

    #[test]
    fn what_a_failed_download_left_is_not_unpacked() {
        let state = tempfile::tempdir().unwrap();
        let apt = "case \"$*\" in\n\
                   *Dir::State*download*) echo new > new.deb;;\n\
                   *download*) echo half > old.deb; exit 100;;\n\
                   *install*) echo 'Inst chromium (1 Debian)';;\n\
                   esac";
        script(&state.path().join("bin/apt-get"), apt);
        // Takes `-x ARCHIVE FOLDER`.
        script(&state.path().join("bin/dpkg"), "echo unpacked > \"$3/${2##*/}\"");
        let folder = state.path().join("packages");
        let step = Progress::new().step("Fetching");
        let shell = shell(state.path());
        let count = unpack_with(&shell, &["chromium"], &folder, state.path(), &step).unwrap();
        assert_eq!(count, 1);
        assert!(folder.join("new.deb").exists() && !folder.join("old.deb").exists());
    }

    #[test]
    fn packages_of_another_release_of_the_distribution_are_not_used() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_unpacked(folder.path()), "an empty one is not complete");
        stamp(folder.path(), Vec::new()).unwrap();
        assert!(is_unpacked(folder.path()));
        let stamp = Stamp { system: "ID=older".to_owned(), packages: Vec::new() };
        write_json(&folder.path().join(STAMP), &stamp).unwrap();
        assert!(!is_unpacked(folder.path()));
    }
}
