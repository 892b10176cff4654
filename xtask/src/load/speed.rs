//! How fast this machine is, in the one unit that counts here: an `import sky`.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use skyload::plan::Speed;
use skyload::usage::Usage;

use crate::sky::SkyInstallation;

/// Times one import. `None` for a program that isn't Python, or where it fails:
/// what is wrong with it will be said when it is started.
pub(super) fn measure(sky: &SkyInstallation) -> Result<Option<Speed>> {
    let Some(python) = &sky.python else { return Ok(None) };
    let home = tempfile::tempdir().context("making a temporary home")?;
    let before = Usage::of_children().cpu;
    let status = Command::new(python)
        .args(["-c", "import sky"])
        .env("HOME", home.path())
        .env("SKYPILOT_DISABLE_USAGE_COLLECTION", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .with_context(|| format!("starting `{}`", python.display()))?;
    let import = Usage::of_children().cpu.saturating_sub(before);
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(status.success().then_some(Speed { cpus, import }))
}
