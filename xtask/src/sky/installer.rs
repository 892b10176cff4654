//! Installer of SkyPilot into a virtual environment: uv, or pip if uv is not available.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use host::environment::{Environment, For};
use host::progress::Step;
use host::tools::python::{Python, for_installers};
use host::tools::run::{Finished, run};
use host::tools::uv::Uv;
use host::tools::{hint, remove_folder, shell_in};
use skyload::env;
use skyload::plan::{Dependencies, PINNED_SKYPILOT, ResolutionDate};
use xshell::{Shell, cmd};

use super::SkyEnvironment;
use super::constants::ProbeOutput;
use super::pip_index;
use super::release_date;
use super::stamp::Stamp;
use super::wanted::Wanted;

/// Hint for a server that cannot be imported although uv resolved its dependencies by date.
const TRY_ANOTHER: &str = "try another version (`--sky VERSION`) or another Python, first on PATH as \
                           `python3` (3.11 works for every version since 0.9): a dependency is \
                           incompatible";
/// Hint for a server that cannot be imported after an installation by pip.
const USE_UV: &str = "put `uv` on PATH: a dependency is too new, and unlike pip, uv can resolve \
                      dependencies as of the release date";

/// Installer of virtual environments: uv, or pip if uv is not available.
pub(super) struct Installer {
    shell: Shell,
    python: Python,
    uv: Option<Uv>,
}

impl Installer {
    /// Installer for this machine: an error without uv if the wanted dependencies have a date,
    /// which only uv can resolve.
    pub(super) fn choose(wanted: &Wanted<'_>) -> Result<Self> {
        let shell = shell_in(wanted.state_dir)?;
        let python = Python::find(&shell)?;
        let uv = Uv::find_or_install(wanted.state_dir, wanted.progress)?;
        if uv.is_none() && *wanted.dependencies != Dependencies::OwnDate {
            bail!("resolving dependencies as of a date needs uv\n  hint: put `uv` on PATH");
        }
        Ok(Self { shell, python, uv })
    }

    #[cfg(test)]
    pub(super) fn for_tests(shell: Shell, python: Python, uv: Option<Uv>) -> Self {
        Self { shell, python, uv }
    }

    pub(super) fn make_environment(&self, folder: &Path, step: &Step) -> Result<()> {
        let Some(uv) = &self.uv else {
            return self.python.make_venv(&self.shell, folder, step);
        };
        remove_folder(folder)?;
        let python = &self.python.path;
        let made = uv.command(&self.shell).args(["venv", "--python"]).args([python, folder]);
        run(made, step)?.into_output()?;
        Ok(())
    }

    /// Whether the package index tells when packages were uploaded.
    pub(super) fn has_dates(&self, folder: &Path, step: &Step) -> Result<bool> {
        let release = format!("skypilot=={PINNED_SKYPILOT}");
        Ok(self.release_date(folder, &release, step)?.is_some())
    }

    /// Date limit for the dependencies of the release `requirement`; `None` if unknown.
    pub(super) fn release_date(
        &self,
        folder: &Path,
        requirement: &str,
        step: &Step,
    ) -> Result<Option<ResolutionDate>> {
        let Some(uv) = &self.uv else { return Ok(None) };
        release_date::cutoff(uv, &self.shell, &folder.join("bin/python"), requirement, step)
    }

    /// Newest version of `package`, until a date. An installation of the package without a version
    /// may be that of an older one, whose dependencies need no build.
    pub(super) fn newest(
        &self,
        folder: &Path,
        package: &str,
        as_of: Option<&ResolutionDate>,
        step: &Step,
    ) -> Result<String> {
        let (shell, python) = (&self.shell, folder.join("bin/python"));
        let newest = match &self.uv {
            Some(uv) => {
                let resolve = uv.command(shell).args(["pip", "install", "--dry-run", "--no-deps"]);
                let resolve = resolve.args(until(as_of)).arg("--python").arg(python).arg(package);
                resolved(&run(resolve, step)?.into_output()?, package)
            }
            None => pip_index::versions(shell, &python, package, step)?.into_iter().next(),
        };
        newest.with_context(|| format!("finding the newest version of {package}"))
    }

    pub(super) fn install(
        &self,
        folder: &Path,
        requirement: &str,
        as_of: Option<&ResolutionDate>,
        step: &Step,
    ) -> Result<Finished> {
        let (shell, python) = (&self.shell, folder.join("bin/python"));
        let Some(uv) = &self.uv else {
            let options = ["--no-input", "--disable-pip-version-check", "--prefer-binary"];
            let install = cmd!(shell, "{python} -m pip install {options...} {requirement}");
            return run(for_installers(install), step);
        };
        let args: Vec<&str> = until(as_of).chain([requirement]).collect();
        uv.install(shell, &python, &args, step)
    }

    /// Builds the wheel of a source tree into `folder`, and returns its path. Build tools write
    /// into the tree.
    pub(super) fn build_wheel(
        &self,
        environment: &Path,
        source: &Path,
        folder: &Path,
        as_of: Option<&ResolutionDate>,
        step: &Step,
    ) -> Result<PathBuf> {
        let (shell, python) = (&self.shell, environment.join("bin/python"));
        let built = match &self.uv {
            Some(uv) => {
                let build = uv.command(shell).args(["build", "--wheel"]).args(until(as_of));
                build.arg("--python").arg(&python).arg("--out-dir").args([folder, source])
            }
            None => {
                let options = ["--no-input", "--disable-pip-version-check", "--no-deps"];
                let wheel = cmd!(shell, "{python} -m pip wheel {options...} -w {folder} {source}");
                for_installers(wheel)
            }
        };
        run(built, step)?.into_output().context("building SkyPilot from its source")?;
        let reading = || format!("reading {}", folder.display());
        let entries = fs::read_dir(folder).with_context(reading)?;
        let paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>();
        let is_wheel = |path: &PathBuf| path.extension().is_some_and(|it| it == "whl");
        paths.with_context(reading)?.into_iter().find(is_wheel).with_context(|| {
            format!("expected a wheel in {} after the build, found none", folder.display())
        })
    }

    /// Probes the installation, checks that its server can be imported, and writes the stamp.
    pub(super) fn finish(
        &self,
        folder: &Path,
        as_of: Option<ResolutionDate>,
        step: &Step,
    ) -> Result<Stamp> {
        let (shell, python) = (&self.shell, folder.join("bin/python"));
        let probe = ProbeOutput::of_python(shell, &python, SkyEnvironment::Filtered)?;
        // Shows a broken dependency now instead of at the server's start. Also compiles the
        // server's modules, so that the first measured start does not have to.
        step.update("importing the server");
        let home = tempfile::tempdir().context("making a temporary home")?;
        let _folder = shell.push_dir(home.path());
        let import = cmd!(shell, "{python} -c 'import sky.server.server'");
        let import = Environment::of(For::SkyPilot)
            .apply_to(import)
            .env("HOME", home.path())
            .env(env::NO_USAGE, "1");
        run(import, step)?.into_output().map_err(|error| {
            hint::with_hint(
                &error.context("importing the server of the installed SkyPilot"),
                if self.uv.is_some() { TRY_ANOTHER } else { USE_UV },
            )
        })?;
        let stamp = Stamp::new(folder, as_of, probe);
        stamp.write()?;
        Ok(stamp)
    }
}

/// Version of a package that uv would install, in its output: ` + skypilot-nightly==1.0.0.dev1`.
fn resolved(output: &str, package: &str) -> Option<String> {
    let version = output.lines().find_map(|line| {
        line.trim().strip_prefix("+ ")?.strip_prefix(package)?.strip_prefix("==")
    })?;
    version.split_whitespace().next().map(str::to_owned)
}

/// Arguments that limit packages to those uploaded until a date.
fn until(as_of: Option<&ResolutionDate>) -> impl Iterator<Item = &str> {
    as_of.map(|date| ["--exclude-newer", date.as_str()]).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_the_package_itself_is_read() {
        let output = "Resolved 2 packages in 58ms\nWould install 2 packages\n \
                      + skypilot==0.14.1\n + skypilot-nightly==1.0.0.dev20261128 (from file:///w)\n";
        assert_eq!(resolved(output, "skypilot-nightly").as_deref(), Some("1.0.0.dev20261128"));
        assert_eq!(resolved(output, "skypilot").as_deref(), Some("0.14.1"));
        assert_eq!(resolved("Would make no changes\n", "skypilot"), None);
    }
}
