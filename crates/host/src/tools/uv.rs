//! `uv`, which installs Python packages quickly and as of a date.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xshell::{Cmd, Shell, cmd};

use super::python::{Python, for_installers};
use super::run::{Finished, run};
use super::version::ToolVersion;
use super::{cure, is_program, on_path, shell_in};
use crate::progress::{Progress, Step};

/// The first version known to have all that is used here.
const OLDEST: ToolVersion = ToolVersion(0, 5, 0);

/// A `uv` that answers.
#[derive(Clone, Debug)]
pub struct Uv {
    program: PathBuf,
    version: ToolVersion,
    /// Where it leaves its locks, which would stay in the machine's own `/tmp`.
    temporary: PathBuf,
}

impl Uv {
    /// The `uv` on PATH, else our own, else a newly installed one. `None` is
    /// pip's case: `uv` has no package for every machine.
    pub fn find_or_install(state_dir: &Path, progress: &Progress) -> Result<Option<Self>> {
        Self::find_or_install_with(&shell_in(state_dir)?, state_dir, progress)
    }

    /// The same for a shell that knows the programs.
    pub fn find_or_install_with(
        shell: &Shell,
        state_dir: &Path,
        progress: &Progress,
    ) -> Result<Option<Self>> {
        find_or_install(shell, state_dir, progress)
    }

    /// Where it is.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The start of a command line of this `uv`.
    pub fn command<'a>(&self, shell: &'a Shell) -> Cmd<'a> {
        let program = &self.program;
        // It makes environments from the Python that was found and checked,
        // and is not to download one of its own.
        for_installers(cmd!(shell, "{program}"))
            .env("UV_PYTHON_DOWNLOADS", "never")
            .env("UV_NO_PROGRESS", "1")
            .env("TMPDIR", &self.temporary)
    }
}

/// How many packages are built from their sources before all of them may be.
const MOST_BUILT: usize = 8;

impl Uv {
    /// Installs packages for `python`, ready-made ones wherever there are any.
    ///
    /// A date may fall between the upload of a package's source and that of its ready-made
    /// ones (SQLAlchemy 2.1.6 with SkyPilot 0.14.1): compiling it takes half a minute and
    /// a compiler, and the version before it does as well. So only what has never been
    /// ready-made (python-hostlist) is built.
    pub fn install(
        &self,
        shell: &Shell,
        python: &Path,
        what: &[&str],
        step: &Step,
    ) -> Result<Finished> {
        // Compiled as pip does it: an import that compiles takes 2.9 CPU-seconds
        // instead of 1.3, again and again where PYTHONDONTWRITEBYTECODE is set.
        let install = || {
            let options = ["pip", "install", "--compile-bytecode", "--python"];
            self.command(shell).args(options).arg(python)
        };
        let mut built: Vec<String> = Vec::new();
        while built.len() < MOST_BUILT {
            let sources = built.iter().flat_map(|name| ["--no-binary", name]);
            let ready_made =
                install().args(["--only-binary", ":all:"]).args(sources).args(what.iter());
            let finished = run(ready_made, step)?;
            if finished.succeeded() || cure::is_about_network(&finished.output) {
                return Ok(finished);
            }
            match without_wheels(&finished.output).filter(|name| !built.contains(name)) {
                Some(name) => built.push(name),
                None => break,
            }
        }
        run(install().args(what.iter()), step)
    }
}

/// The package of which uv says that no version has ready-made packages: `Because all
/// versions of python-hostlist have no usable wheels and ..`, or, of one version alone,
/// `Because python-hostlist==2.3.0 has no usable wheels and ..`.
fn without_wheels(output: &str) -> Option<String> {
    // A terminal's width may break the sentence anywhere.
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
    let ask = for_installers(cmd!(shell, "{program} --version"));
    let answer = ask.quiet().ignore_stderr().read().ok()?;
    let version = ToolVersion::find_in(&answer).filter(|version| *version >= OLDEST)?;
    Some(Uv { program, version, temporary: temporary.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{script, shell};

    #[test]
    fn an_old_uv_on_path_gives_way_to_our_own() {
        let folder = tempfile::tempdir().unwrap();
        script(&folder.path().join("bin/uv"), "echo uv 0.4.30");
        script(&folder.path().join("tools/uv/bin/uv"), "echo uv 0.13.9");
        let shell = shell(folder.path());
        let uv = find_or_install(&shell, folder.path(), &Progress::new()).unwrap().unwrap();
        assert_eq!(uv.program, folder.path().join("tools/uv/bin/uv"));
    }

    #[test]
    fn only_what_has_no_ready_made_packages_is_built() {
        let folder = tempfile::tempdir().unwrap();
        // As uv 0.13 does it. Without a limit it would build whatever is newest.
        script(
            &folder.path().join("bin/uv"),
            "case \"$*\" in\n\
             --version) echo uv 0.13.9;;\n\
             *'--only-binary :all: --no-binary python-hostlist'*) echo \"$*\" > asked;;\n\
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
        let asked = fs::read_to_string(folder.path().join("asked")).unwrap();
        assert!(
            asked.trim_end().ends_with("--no-binary python-hostlist skypilot==0.14.1"),
            "{asked}"
        );
    }

    #[test]
    fn what_cannot_be_had_ready_made_is_built_all_the_same() {
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
    fn the_package_without_wheels_is_found_in_uvs_words() {
        for (words, name) in [
            (
                "Because all versions of python-hostlist\n  have no usable wheels and",
                "python-hostlist",
            ),
            ("Because python-hostlist==2.3.0 has no usable wheels and", "python-hostlist"),
            ("Because only python-hostlist<=2.3.0 is available", ""),
        ] {
            assert_eq!(without_wheels(words).unwrap_or_default(), name);
        }
    }

    #[test]
    fn its_temporary_files_are_in_the_state_directory() {
        let folder = tempfile::tempdir().unwrap();
        script(&folder.path().join("bin/uv"), "echo uv 0.13.9; : > \"$TMPDIR/uv-$1.lock\"");
        let shell = shell(folder.path());
        let uv = find_or_install(&shell, folder.path(), &Progress::new()).unwrap().unwrap();
        uv.command(&shell).arg("venv").run().unwrap();
        assert!(folder.path().join("tmp/uv-venv.lock").exists());
    }

    #[test]
    fn without_uv_and_without_python_the_error_names_python() {
        let folder = tempfile::tempdir().unwrap();
        let shell = shell(folder.path());
        let error = find_or_install(&shell, folder.path(), &Progress::new()).unwrap_err();
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
        let uv = find_or_install(&shell, folder.path(), &Progress::new()).unwrap();
        assert!(uv.is_none());
    }
}
