//! Search for a Python that SkyPilot supports.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use xshell::{Cmd, Shell, cmd};

use super::run::run;
use super::version::ToolVersion;
use super::{on_path, remove_folder};
use crate::environment::{Environment, For};
use crate::progress::Step;

/// Oldest version that SkyPilot's packages support.
const OLDEST: ToolVersion = ToolVersion(3, 9, 0);
/// First version that SkyPilot's packages do not support.
const FIRST_TOO_NEW: ToolVersion = ToolVersion(3, 14, 0);

/// Names to look for, in this order: `python3` first, since it is the user's choice.
const NAMES: [&str; 6] =
    ["python3", "python3.13", "python3.12", "python3.11", "python3.10", "python3.9"];

const HINT: &str = "install Python 3.9 to 3.13 (Debian, Ubuntu: `sudo apt install python3 \
                    python3-venv`; Fedora: `sudo dnf install python3`; macOS: `brew install \
                    python@3.13`) and put it on PATH";

/// Python interpreter of a supported version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Python {
    /// Real path, not the one of a version manager's shim.
    pub path: PathBuf,
    /// Version of the interpreter.
    pub version: ToolVersion,
}

impl Python {
    /// First supported interpreter on the shell's PATH.
    pub fn find(shell: &Shell) -> Result<Self> {
        Self::find_before(shell, FIRST_TOO_NEW)
    }

    /// First supported interpreter on the shell's PATH that is older than `end`.
    pub fn find_before(shell: &Shell, end: ToolVersion) -> Result<Self> {
        let mut unsupported = Vec::new();
        for name in NAMES {
            let Some(program) = on_path(shell, name) else { continue };
            // A shim of pyenv fails for a version that is not selected.
            let Some(python) = query(shell, &program) else { continue };
            if (OLDEST..FIRST_TOO_NEW.min(end)).contains(&python.version) {
                return Ok(python);
            }
            unsupported.push(format!("{name} is {} ({})", python.version, python.path.display()));
        }
        if unsupported.is_empty() {
            bail!("no `python3` on PATH\n  hint: {HINT}");
        }
        bail!("no supported Python on PATH; found: {}\n  hint: {HINT}", unsupported.join(", "))
    }

    /// Creates a virtual environment with pip in `folder`, whose old contents are removed.
    pub fn make_venv(&self, shell: &Shell, folder: &Path, step: &Step) -> Result<()> {
        remove_folder(folder)?;
        let python = &self.path;
        run(for_installers(cmd!(shell, "{python} -m venv {folder}")), step)?
            .into_output()
            .with_context(|| format!("creating a virtual environment in {}", folder.display()))?;
        Ok(())
    }
}

/// Command with the environment of installers: the shell's variables choose the package index,
/// but not the folder to install into.
pub fn for_installers(command: Cmd<'_>) -> Cmd<'_> {
    // pip's configuration file is passed on, as it may name an index. It may also set these.
    Environment::of(For::Installers)
        .apply_to(command)
        .env("PIP_USER", "0")
        .env("PIP_REQUIRE_VIRTUALENV", "0")
}

/// Version and real path of the Python `program`; `None` if it does not run.
fn query(shell: &Shell, program: &Path) -> Option<Python> {
    let script = "import sys; print('%d.%d.%d' % sys.version_info[:3]); print(sys.executable)";
    let command = for_installers(cmd!(shell, "{program} -c {script}"));
    let output = command.quiet().ignore_stderr().read().ok()?;
    let (version, path) = output.split_once('\n')?;
    Some(Python { path: PathBuf::from(path.trim_end()), version: ToolVersion::find_in(version)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Progress;
    use crate::testing::{script, shell};

    fn shell_with(folder: &Path, scripts: &[(&str, &str)]) -> Shell {
        for (name, text) in scripts {
            script(&folder.join("bin").join(name), text);
        }
        shell(folder)
    }

    #[test]
    fn a_missing_python_is_an_error_with_a_hint() {
        let folder = tempfile::tempdir().unwrap();
        let error = Python::find(&shell_with(folder.path(), &[])).unwrap_err().to_string();
        assert!(error.starts_with("no `python3` on PATH\n  hint: install"), "{error}");
    }

    #[test]
    fn a_python_that_is_too_old_or_too_new_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let shell = shell_with(
            folder.path(),
            &[("python3", "echo 3.14.1; echo /usr/bin/python3.14"), ("python3.9", "exit 127")],
        );
        let error = Python::find(&shell).unwrap_err().to_string();
        assert!(error.contains("python3 is 3.14.1 (/usr/bin/python3.14)"), "{error}");
    }

    #[test]
    fn a_supported_python_is_found_behind_an_unsupported_one() {
        let folder = tempfile::tempdir().unwrap();
        let shell = shell_with(
            folder.path(),
            &[
                ("python3", "echo 3.8.18; echo /opt/python3.8"),
                ("python3.13", "echo 'pyenv: python3.13: command not found' >&2; exit 127"),
                ("python3.12", "echo 3.12.1; echo /opt/python3.12"),
            ],
        );
        let python = Python::find(&shell).unwrap();
        assert_eq!(python.path, Path::new("/opt/python3.12"));
        assert_eq!(python.version, ToolVersion(3, 12, 1));
    }

    #[test]
    fn a_python_without_venv_is_an_error_with_a_hint() {
        let folder = tempfile::tempdir().unwrap();
        let script = "case $2 in venv) echo \"$0: No module named venv\" >&2; exit 1;; esac";
        let shell = shell_with(folder.path(), &[("python3", script)]);
        let python =
            Python { path: folder.path().join("bin/python3"), version: ToolVersion(3, 11, 0) };
        let error = python
            .make_venv(&shell, &folder.path().join("venv"), &Progress::new().step("venv"))
            .unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains("apt install python3-venv"), "{error}");
    }
}
