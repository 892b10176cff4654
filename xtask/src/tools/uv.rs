//! `uv`, which installs Python packages quickly and as of a date.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xshell::{Cmd, Shell, cmd};

use super::python::{Python, for_installers};
use super::run::run;
use super::version::ToolVersion;
use super::{cure, is_program, on_path, shell_in};
use crate::progress::Progress;

/// The first version known to have all that is used here.
const OLDEST: ToolVersion = ToolVersion(0, 5, 0);

/// A `uv` that answers.
#[derive(Clone, Debug)]
pub(crate) struct Uv {
    program: PathBuf,
    version: ToolVersion,
    /// Where it leaves its locks, which would stay in the machine's own `/tmp`.
    temporary: PathBuf,
}

impl Uv {
    /// The `uv` on PATH, else our own, else a newly installed one. `None` is
    /// pip's case: `uv` has no package for every machine.
    pub(crate) fn find_or_install(state_dir: &Path, progress: &Progress) -> Result<Option<Self>> {
        find_or_install(&shell_in(state_dir)?, state_dir, progress)
    }

    /// Where it is.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// The start of a command line of this `uv`.
    pub(crate) fn command<'a>(&self, shell: &'a Shell) -> Cmd<'a> {
        let program = &self.program;
        // It makes environments from the Python that was found and checked,
        // and is not to download one of its own.
        for_installers(cmd!(shell, "{program}"))
            .env("UV_PYTHON_DOWNLOADS", "never")
            .env("UV_NO_PROGRESS", "1")
            .env("TMPDIR", &self.temporary)
    }
}

fn find_or_install(shell: &Shell, state_dir: &Path, progress: &Progress) -> Result<Option<Uv>> {
    let folder = state_dir.join("tools/uv");
    let ours = folder.join("bin/uv");
    let temporary = state_dir.join("tmp");
    fs::create_dir_all(&temporary).context("making a folder for uv's temporary files")?;
    let candidates =
        on_path(shell, "uv").into_iter().chain(is_program(&ours).then(|| ours.clone()));
    if let Some(uv) = candidates.filter_map(|program| ask(shell, program, &temporary)).next() {
        return Ok(Some(uv));
    }

    let step = progress.step("Installing uv (once, some seconds)");
    let python = Python::find(shell)?;
    python.make_venv(shell, &folder, &step)?;
    let venv_python = folder.join("bin/python");
    let install =
        cmd!(shell, "{venv_python} -m pip install --no-input --disable-pip-version-check uv");
    let installed = run(for_installers(install), &step)?;
    if cure::is_about_network(&installed.output) && !installed.succeeded() {
        // Without a network pip would fail at SkyPilot just the same.
        return Err(installed.failure()).context("installing uv");
    }
    let uv = ask(shell, ours, &temporary);
    match &uv {
        Some(uv) => step.done(format!("{}, in {}", uv.version, folder.display())),
        None => step.done(
            "warning: it cannot be installed here; pip is used instead, which is slower and \
             resolves an old release's dependencies as of today",
        ),
    }
    Ok(uv)
}

/// The `uv` at `program`, if it answers and is new enough.
fn ask(shell: &Shell, program: PathBuf, temporary: &Path) -> Option<Uv> {
    let answer = cmd!(shell, "{program} --version").quiet().ignore_stderr().read().ok()?;
    let version = ToolVersion::find_in(&answer).filter(|version| *version >= OLDEST)?;
    Some(Uv { program, version, temporary: temporary.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::{progress, script, shell};

    #[test]
    fn an_old_uv_on_path_gives_way_to_our_own() {
        let folder = tempfile::tempdir().unwrap();
        script(&folder.path().join("bin/uv"), "echo uv 0.4.30");
        script(&folder.path().join("tools/uv/bin/uv"), "echo uv 0.13.9");
        let shell = shell(folder.path());
        let uv = find_or_install(&shell, folder.path(), &progress()).unwrap().unwrap();
        assert_eq!(uv.program, folder.path().join("tools/uv/bin/uv"));
    }

    #[test]
    fn its_temporary_files_are_in_the_state_directory() {
        let folder = tempfile::tempdir().unwrap();
        script(&folder.path().join("bin/uv"), "echo uv 0.13.9; : > \"$TMPDIR/uv-$1.lock\"");
        let shell = shell(folder.path());
        let uv = find_or_install(&shell, folder.path(), &progress()).unwrap().unwrap();
        uv.command(&shell).arg("venv").run().unwrap();
        assert!(folder.path().join("tmp/uv-venv.lock").exists());
    }

    #[test]
    fn without_uv_and_without_python_the_error_names_python() {
        let folder = tempfile::tempdir().unwrap();
        let shell = shell(folder.path());
        let error = find_or_install(&shell, folder.path(), &progress()).unwrap_err();
        assert!(error.to_string().contains("no `python3` on PATH"), "{error}");
    }

    #[test]
    fn a_uv_that_has_no_package_here_leaves_the_work_to_pip() {
        let folder = tempfile::tempdir().unwrap();
        // Makes a "virtual environment" whose pip finds nothing.
        script(
            &folder.path().join("bin/python3"),
            "case $2 in\n\
             venv) /bin/mkdir -p $3/bin && /bin/cp \"$0\" $3/bin/python ;;\n\
             pip) echo 'ERROR: No matching distribution found for uv'; exit 1 ;;\n\
             *) echo 3.11.7; echo \"$0\" ;;\n\
             esac",
        );
        let shell = shell(folder.path());
        let uv = find_or_install(&shell, folder.path(), &progress()).unwrap();
        assert!(uv.is_none());
    }
}
