//! Python packages installed with `uv`, which is fast and can resolve as of a date.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xshell::{Cmd, Shell, cmd};

use super::python::{Python, for_installers};
use super::run::{Finished, run};
use super::version::ToolVersion;
use super::{hint, is_program, on_path, shell_in};
use crate::progress::{Progress, Step};

/// Oldest version that is known to have all options used here.
const OLDEST: ToolVersion = ToolVersion(0, 5, 0);

/// Working `uv` program of a supported version.
#[derive(Clone, Debug)]
pub struct Uv {
    program: PathBuf,
    version: ToolVersion,
    /// Folder for temporary files: uv's lock files would stay in `/tmp` otherwise.
    temporary: PathBuf,
    /// Whether installed files are copies; else they are links into uv's cache where possible.
    copies: bool,
}

impl Uv {
    /// `uv` on PATH, else the one in the state directory, else a newly installed one. `None` if
    /// uv cannot be installed on this machine: callers use pip instead.
    pub fn find_or_install(state_dir: &Path, progress: &Progress) -> Result<Option<Self>> {
        Self::find_or_install_with(&shell_in(state_dir)?, state_dir, progress)
    }

    /// [`Self::find_or_install`] with the PATH of `shell`.
    pub fn find_or_install_with(
        shell: &Shell,
        state_dir: &Path,
        progress: &Progress,
    ) -> Result<Option<Self>> {
        find_or_install(shell, state_dir, progress)
    }

    /// Path of the program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Variant of this `uv` that installs copies of the files in its cache, which may then be changed.
    pub fn copying(self) -> Self {
        Self { copies: true, ..self }
    }

    /// Command that runs this `uv`, without arguments.
    pub fn command<'a>(&self, shell: &'a Shell) -> Cmd<'a> {
        let program = &self.program;
        // Environments are made from the Python that was found and checked, never from one
        // that uv downloads.
        let command = for_installers(cmd!(shell, "{program}"))
            .env("UV_PYTHON_DOWNLOADS", "never")
            .env("UV_NO_PROGRESS", "1")
            .env("TMPDIR", &self.temporary);
        if self.copies { command.env("UV_LINK_MODE", "copy") } else { command }
    }
}

/// Number of packages that are allowed to be built from source one by one, before uv may build
/// any.
const MAX_BUILT: usize = 8;

impl Uv {
    /// Installs packages for `python`, from wheels wherever there are any. `what` are arguments
    /// of `uv pip install`.
    ///
    /// With a resolution date between the uploads of a release's source and of its wheels
    /// (SQLAlchemy 2.1.6 with SkyPilot 0.14.1), uv would build the package, which takes half a
    /// minute and a compiler; an earlier release with wheels is as good. So only packages
    /// without any wheel (python-hostlist) are built.
    pub fn install(
        &self,
        shell: &Shell,
        python: &Path,
        what: &[&str],
        step: &Step,
    ) -> Result<Finished> {
        // Bytecode is compiled at installation, as pip does. Without it an import of SkyPilot
        // takes 2.9 CPU-seconds instead of 1.3, each time if PYTHONDONTWRITEBYTECODE is set.
        let install = || {
            let options = ["pip", "install", "--compile-bytecode", "--python"];
            self.command(shell).args(options).arg(python)
        };
        let mut built: Vec<String> = Vec::new();
        while built.len() < MAX_BUILT {
            let sources = built.iter().flat_map(|name| ["--no-binary", name]);
            let from_wheels =
                install().args(["--only-binary", ":all:"]).args(sources).args(what.iter());
            let finished = run(from_wheels, step)?;
            if finished.succeeded() || hint::is_network_failure(&finished.output) {
                return Ok(finished);
            }
            // A package that may be built already is not the reason of this failure.
            match without_wheels(&finished.output).filter(|name| !built.contains(name)) {
                Some(name) => built.push(name),
                None => break,
            }
        }
        // Without a limit: the failure may have another reason than a missing wheel.
        run(install().args(what.iter()), step)
    }
}

/// Name of a package without wheels in uv's error: `Because all versions of python-hostlist
/// have no usable wheels and ..`, or `Because python-hostlist==2.3.0 has no usable wheels and
/// ..` for a single version.
fn without_wheels(output: &str) -> Option<String> {
    // uv wraps its messages, so the sentence may be broken anywhere.
    let output = output.split_whitespace().collect::<Vec<_>>().join(" ");
    let (before, _) = output
        .split_once(" have no usable wheels")
        .or_else(|| output.split_once(" has no usable wheels"))?;
    let name = before.rsplit(' ').next()?;
    let end = name.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)));
    let name = &name[..end.unwrap_or(name.len())];
    (!name.is_empty() && !name.starts_with('-')).then(|| name.to_owned())
}

fn find_or_install(shell: &Shell, state_dir: &Path, progress: &Progress) -> Result<Option<Uv>> {
    let folder = state_dir.join("tools/uv");
    let ours = folder.join("bin/uv");
    let temporary = state_dir.join("tmp");
    fs::create_dir_all(&temporary).context("creating a folder for uv's temporary files")?;
    let candidates =
        on_path(shell, "uv").into_iter().chain(is_program(&ours).then(|| ours.clone()));
    if let Some(uv) = candidates.filter_map(|program| query(shell, program, &temporary)).next() {
        return Ok(Some(uv));
    }

    let step = progress.step("Installing uv (once, a few seconds)");
    let python = Python::find(shell)?;
    python.make_venv(shell, &folder, &step)?;
    let venv_python = folder.join("bin/python");
    let install =
        cmd!(shell, "{venv_python} -m pip install --no-input --disable-pip-version-check uv");
    let installed = run(for_installers(install), &step)?;
    if hint::is_network_failure(&installed.output) && !installed.succeeded() {
        // Without a network, installing SkyPilot with pip would fail too.
        return Err(installed.failure()).context("installing uv");
    }
    let uv = query(shell, ours, &temporary);
    match &uv {
        Some(uv) => step.done(format!("{}, in {}", uv.version, folder.display())),
        None => step.done(
            "warning: uv cannot be installed on this machine; using pip, which is slower and \
             resolves the dependencies of old releases as of today",
        ),
    }
    Ok(uv)
}

/// `uv` at `program`; `None` if it does not run or is too old.
fn query(shell: &Shell, program: PathBuf, temporary: &Path) -> Option<Uv> {
    let command = for_installers(cmd!(shell, "{program} --version"));
    let output = command.quiet().ignore_stderr().read().ok()?;
    let version = ToolVersion::find_in(&output).filter(|version| *version >= OLDEST)?;
    Some(Uv { program, version, temporary: temporary.to_owned(), copies: false })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{script, shell};

    #[test]
    fn an_old_uv_on_path_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        script(&folder.path().join("bin/uv"), "echo uv 0.4.30");
        script(&folder.path().join("tools/uv/bin/uv"), "echo uv 0.13.9");
        let shell = shell(folder.path());
        let uv = find_or_install(&shell, folder.path(), &Progress::new()).unwrap().unwrap();
        assert_eq!(uv.program, folder.path().join("tools/uv/bin/uv"));
    }

    #[test]
    fn only_packages_without_wheels_are_built() {
        let folder = tempfile::tempdir().unwrap();
        // Behaves like uv 0.13, which builds the newest release unless that is forbidden.
        script(
            &folder.path().join("bin/uv"),
            "case \"$*\" in\n\
             --version) echo uv 0.13.9;;\n\
             *'--only-binary :all: --no-binary python-hostlist'*) echo \"$*\" > args;;\n\
             *'--only-binary :all:'*) echo 'cause: Because all versions of python-hostlist have no\n\
             usable wheels and skypilot[slurm]>=0.14.1 depends on python-hostlist, ..'; exit 1;;\n\
             *) echo 'built from source'; exit 1;;\n\
             esac",
        );
        let shell = shell(folder.path());
        shell.change_dir(folder.path());
        let uv = find_or_install(&shell, folder.path(), &Progress::new()).unwrap().unwrap();
        let (python, step) = (folder.path().join("python"), Progress::new().step("Installing"));
        let finished = uv.install(&shell, &python, &["skypilot==0.14.1"], &step).unwrap();
        assert!(finished.succeeded(), "{}", finished.output);
        let args = fs::read_to_string(folder.path().join("args")).unwrap();
        assert!(
            args.trim_end().ends_with("--no-binary python-hostlist skypilot==0.14.1"),
            "{args}"
        );
    }

    #[test]
    fn packages_are_built_if_installing_from_wheels_fails() {
        let folder = tempfile::tempdir().unwrap();
        script(
            &folder.path().join("bin/uv"),
            "case \"$*\" in --version) echo uv 0.13.9;; *--only-binary*) exit 1;; esac",
        );
        let shell = shell(folder.path());
        let uv = find_or_install(&shell, folder.path(), &Progress::new()).unwrap().unwrap();
        let (python, step) = (folder.path().join("python"), Progress::new().step("Installing"));
        assert!(uv.install(&shell, &python, &["x"], &step).unwrap().succeeded());
    }

    #[test]
    fn a_package_without_wheels_is_found_in_uvs_message() {
        for (message, name) in [
            (
                "Because all versions of python-hostlist\n  have no usable wheels and",
                "python-hostlist",
            ),
            ("Because python-hostlist==2.3.0 has no usable wheels and", "python-hostlist"),
            ("Because only python-hostlist<=2.3.0 is available", ""),
        ] {
            assert_eq!(without_wheels(message).unwrap_or_default(), name);
        }
    }

    #[test]
    fn temporary_files_of_uv_are_in_the_state_directory() {
        let folder = tempfile::tempdir().unwrap();
        script(&folder.path().join("bin/uv"), "echo uv 0.13.9; : > \"$TMPDIR/uv-$1.lock\"");
        let shell = shell(folder.path());
        let uv = find_or_install(&shell, folder.path(), &Progress::new()).unwrap().unwrap();
        uv.command(&shell).arg("venv").run().unwrap();
        assert!(folder.path().join("tmp/uv-venv.lock").exists());
    }

    #[test]
    fn without_uv_and_python_the_error_names_python() {
        let folder = tempfile::tempdir().unwrap();
        let shell = shell(folder.path());
        let error = find_or_install(&shell, folder.path(), &Progress::new()).unwrap_err();
        assert!(error.to_string().contains("no `python3` on PATH"), "{error}");
    }

    #[test]
    fn without_a_package_of_uv_there_is_no_uv() {
        let folder = tempfile::tempdir().unwrap();
        // Creates a "virtual environment" whose pip finds no package.
        script(
            &folder.path().join("bin/python3"),
            "case $2 in\n\
             venv) /bin/mkdir -p $3/bin && /bin/cp \"$0\" $3/bin/python ;;\n\
             pip) echo 'ERROR: No matching distribution found for uv'; exit 1 ;;\n\
             *) echo 3.11.7; echo \"$0\" ;;\n\
             esac",
        );
        let shell = shell(folder.path());
        let uv = find_or_install(&shell, folder.path(), &Progress::new()).unwrap();
        assert!(uv.is_none());
    }
}
