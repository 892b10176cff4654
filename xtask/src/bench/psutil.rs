//! psutil in an environment of its own, for the loop that is compared with.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use host::progress::Progress;
use host::tools::lock::SetupLock;
use host::tools::python::{Python, for_installers};
use host::tools::run::run;
use host::tools::shell_in;
use host::tools::uv::Uv;
use xshell::cmd;

/// The version that SkyPilot 0.14.1 gets, as of its release. It depends on nothing,
/// so no date is needed beside it.
const VERSION: &str = "7.2.2";

/// A Python that has psutil.
pub(super) struct Psutil {
    pub(super) python: PathBuf,
    /// Versions of both, as they say themselves.
    pub(super) versions: String,
}

impl Psutil {
    /// Finds the environment, or makes it.
    pub(super) fn find_or_install(state_dir: &Path, progress: Progress) -> Result<Self> {
        let folder = state_dir.join("tools").join(format!("psutil-{VERSION}"));
        if let Some(found) = ask(state_dir, &folder) {
            return Ok(found);
        }
        let _lock = SetupLock::take(state_dir)?;
        let shell = shell_in(state_dir)?;
        let step = progress.step(format!("Installing psutil {VERSION} (once, some seconds)"));
        let python = Python::find(&shell)?;
        let uv = Uv::find_or_install(state_dir, &progress)?;
        // With pip in it, for machines that have no uv.
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
        let found = ask(state_dir, &folder).with_context(|| {
            format!("asking the psutil in {} for its version", folder.display())
        })?;
        step.done(&found.versions);
        Ok(found)
    }
}

fn ask(state_dir: &Path, folder: &Path) -> Option<Psutil> {
    let (shell, python) = (shell_in(state_dir).ok()?, folder.join("bin/python"));
    let question = "import psutil, sys; \
                    print('psutil', psutil.__version__, 'on Python %d.%d.%d' % sys.version_info[:3])";
    let ask = for_installers(cmd!(shell, "{python} -c {question}"));
    let answer = ask.quiet().ignore_stderr().read().ok()?;
    Some(Psutil { python, versions: answer })
}
