//! Virtual environments with a Python package each, for the tools in Python that skyload is
//! compared with.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use host::progress::Progress;
use host::tools::lock::SetupLock;
use host::tools::python::{Python, for_installers};
use host::tools::run::run;
use host::tools::shell_in;
use host::tools::uv::Uv;
use xshell::cmd;

/// Python package in a version that does not change.
#[derive(Clone, Copy)]
pub(super) struct PythonPackage {
    name: &'static str,
    version: &'static str,
}

/// psutil in the version that SkyPilot 0.14.1 got at the date of its release. It has no
/// dependencies, so the version alone determines the environment.
pub(super) const PSUTIL: PythonPackage = PythonPackage { name: "psutil", version: "7.2.2" };

/// HTTP client that SkyPilot's SDK uses.
pub(super) const REQUESTS: PythonPackage = PythonPackage { name: "requests", version: "2.32.5" };

/// Python interpreter with a package.
pub(super) struct PythonWithPackage {
    pub(super) python: PathBuf,
    /// Versions of the package and of Python, as they report themselves.
    pub(super) versions: String,
}

impl PythonPackage {
    /// Finds the virtual environment of the package, or creates it.
    pub(super) fn find_or_install(
        self,
        state_dir: &Path,
        progress: Progress,
    ) -> Result<PythonWithPackage> {
        let Self { name, version } = self;
        let folder = state_dir.join("tools").join(format!("{name}-{version}"));
        if let Some(found) = self.find(state_dir, &folder) {
            return Ok(found);
        }
        let _lock = SetupLock::take(state_dir)?;
        let shell = shell_in(state_dir)?;
        let step = progress.step(format!("Installing {name} {version} (once, a few seconds)"));
        let python = Python::find(&shell)?;
        let uv = Uv::find_or_install(state_dir, &progress)?;
        // Includes pip, for machines without uv.
        python.make_venv(&shell, &folder, &step)?;
        let (python, package) = (folder.join("bin/python"), format!("{name}=={version}"));
        let install = match &uv {
            Some(uv) => uv.command(&shell).args(["pip", "install", "--python"]).arg(&python),
            None => for_installers(cmd!(
                shell,
                "{python} -m pip install --no-input --disable-pip-version-check"
            )),
        };
        run(install.arg(package), &step)?
            .into_output()
            .with_context(|| format!("installing {name}"))?;
        let found = self.find(state_dir, &folder).with_context(|| {
            format!("cannot import {name} with the Python in `{}`", folder.display())
        })?;
        step.done(&found.versions);
        Ok(found)
    }

    /// Environment in `folder`, if its Python can import the package.
    fn find(self, state_dir: &Path, folder: &Path) -> Option<PythonWithPackage> {
        let Self { name, .. } = self;
        let (shell, python) = (shell_in(state_dir).ok()?, folder.join("bin/python"));
        let script = format!(
            "import {name}, sys; print('{name}', {name}.__version__, \
             'on Python %d.%d.%d' % sys.version_info[:3])"
        );
        let command = for_installers(cmd!(shell, "{python} -c {script}"));
        let versions = command.quiet().ignore_stderr().read().ok()?;
        Some(PythonWithPackage { python, versions })
    }
}
