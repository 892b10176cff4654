//! Virtual environment with psutil, for the psutil loop of the benchmark.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use host::progress::Progress;
use host::tools::lock::SetupLock;
use host::tools::python::{Python, for_installers};
use host::tools::run::run;
use host::tools::shell_in;
use host::tools::uv::Uv;
use xshell::cmd;

/// Version of psutil that SkyPilot 0.14.1 got at the date of its release. psutil has no
/// dependencies, so the version alone determines the environment.
const VERSION: &str = "7.2.2";

/// Python interpreter with psutil.
pub(super) struct Psutil {
    pub(super) python: PathBuf,
    /// Versions of psutil and Python, as they report themselves.
    pub(super) versions: String,
}

impl Psutil {
    /// Finds the virtual environment, or creates it.
    pub(super) fn find_or_install(state_dir: &Path, progress: Progress) -> Result<Self> {
        let folder = state_dir.join("tools").join(format!("psutil-{VERSION}"));
        if let Some(found) = find(state_dir, &folder) {
            return Ok(found);
        }
        let _lock = SetupLock::take(state_dir)?;
        let shell = shell_in(state_dir)?;
        let step = progress.step(format!("Installing psutil {VERSION} (once, a few seconds)"));
        let python = Python::find(&shell)?;
        let uv = Uv::find_or_install(state_dir, &progress)?;
        // Includes pip, for machines without uv.
        python.make_venv(&shell, &folder, &step)?;
        let (python, package) = (folder.join("bin/python"), format!("psutil=={VERSION}"));
        let install = match &uv {
            Some(uv) => uv.command(&shell).args(["pip", "install", "--python"]).arg(&python),
            None => for_installers(cmd!(
                shell,
                "{python} -m pip install --no-input --disable-pip-version-check"
            )),
        };
        run(install.arg(package), &step)?.into_output().context("installing psutil")?;
        let found = find(state_dir, &folder).with_context(|| {
            format!("cannot import psutil with the Python in `{}`", folder.display())
        })?;
        step.done(&found.versions);
        Ok(found)
    }
}

/// Environment in `folder`, if its Python can import psutil.
fn find(state_dir: &Path, folder: &Path) -> Option<Psutil> {
    let (shell, python) = (shell_in(state_dir).ok()?, folder.join("bin/python"));
    let script = "import psutil, sys; \
                  print('psutil', psutil.__version__, 'on Python %d.%d.%d' % sys.version_info[:3])";
    let command = for_installers(cmd!(shell, "{python} -c {script}"));
    let versions = command.quiet().ignore_stderr().read().ok()?;
    Some(Psutil { python, versions })
}
