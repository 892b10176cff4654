//! A browser that pages are tried in, and the program that drives it: Chromium, found
//! or unpacked from the distribution's packages, and playwright-core from npm.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use skyload::env;
use xshell::{Shell, cmd};

use super::lock::SetupLock;
use super::run::run;
use super::version::ToolVersion;
use super::{debian, is_program, on_path, shell_in};
use crate::progress::{Progress, Step};

/// The first version that playwright-core works with, in the newest version that works
/// with the Node.js of Debian 12.
const OLDEST_NODE: ToolVersion = ToolVersion(18, 13, 0);

/// The browser's program: the one that is named, or found, or else unpacked.
pub(crate) fn find_or_unpack(state_dir: &Path, progress: &Progress) -> Result<PathBuf> {
    find_or_unpack_with(&shell_in(state_dir)?, state_dir, progress)
}

fn find_or_unpack_with(shell: &Shell, state_dir: &Path, progress: &Progress) -> Result<PathBuf> {
    if let Some(named) = env::path(env::BROWSER) {
        ensure!(is_program(&named), "{}={} is no program", env::BROWSER, named.display());
        return Ok(named);
    }
    if let Some(found) = on_path(shell, "chromium") {
        return Ok(found);
    }
    let folder = state_dir.join("browser");
    let launcher = folder.join("skyload-chromium");
    if debian::is_unpacked(&folder) && is_program(&launcher) {
        return Ok(launcher);
    }
    ensure!(
        debian::is_at_hand(shell),
        "there is no `chromium`, and no apt to fetch it with\n  hint: install it, or name it by {}",
        env::BROWSER
    );
    let _lock = SetupLock::take(state_dir)?;
    let step = progress.step("Fetching Chromium from the distribution's packages (once, 110 MB)");
    let count = unpack(&folder, &launcher, state_dir, &step)?;
    step.done(format!("{count} packages, in {}", folder.display()));
    Ok(launcher)
}

fn unpack(folder: &Path, launcher: &Path, state_dir: &Path, step: &Step) -> Result<usize> {
    let count = debian::unpack(&["chromium"], folder, state_dir, step)?;
    let program = folder.join("usr/lib/chromium/chromium");
    ensure!(is_program(&program), "finding Chromium in {}", folder.display());
    // Its libraries are where no linker looks; those of PulseAudio in a folder of their own.
    let libraries = fs::read_dir(folder.join("usr/lib"))
        .context("listing the unpacked libraries")?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.join("libgtk-3.so.0").exists());
    let libraries = libraries.context("finding Chromium's libraries among the unpacked ones")?;
    let script = format!(
        "#!/bin/sh\nexport LD_LIBRARY_PATH='{0}:{0}/pulseaudio'\nexec '{1}' \"$@\"\n",
        libraries.display(),
        program.display()
    );
    fs::write(launcher, script)
        .and_then(|()| fs::set_permissions(launcher, fs::Permissions::from_mode(0o755)))
        .with_context(|| format!("writing `{}`", launcher.display()))?;
    Ok(count)
}

/// Installs what drives the browser, in the versions and with the hashes of the lock
/// file in `folder`.
pub(crate) fn install_driver(folder: &Path, progress: &Progress) -> Result<()> {
    let shell = Shell::new().context("reading the current directory")?;
    shell.change_dir(folder);
    let hint = "hint: `apt-get install nodejs npm`, or what installs Node.js 18 or newer elsewhere";
    let answer = cmd!(shell, "node --print process.versions.node").quiet().ignore_stderr().read();
    let answer = answer.unwrap_or_default();
    match ToolVersion::find_in(&answer) {
        Some(version) if version >= OLDEST_NODE => {}
        Some(version) => bail!("Node.js {version} is too old: {OLDEST_NODE} is needed\n  {hint}"),
        None => bail!("there is no `node`\n  {hint}"),
    }
    ensure!(on_path(&shell, "npm").is_some(), "there is no `npm`\n  {hint}");
    let step = progress.step("Installing the browser's driver");
    run(cmd!(shell, "npm ci --no-audit --no-fund"), &step)?.into_output()?;
    step.done("installed");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::{progress, script, shell};

    #[test]
    fn an_installed_browser_is_used_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("bin/chromium");
        script(&program, "");
        let found = find_or_unpack_with(&shell(folder.path()), folder.path(), &progress());
        assert_eq!(found.unwrap(), program);
    }

    #[test]
    fn an_unpacked_browser_is_used_when_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let launcher = folder.path().join("browser/skyload-chromium");
        script(&launcher, "");
        let find = || find_or_unpack_with(&shell(folder.path()), folder.path(), &progress());
        let error = find().unwrap_err().to_string();
        assert!(error.contains("no apt to fetch it with") && error.contains("SKYLOAD_BROWSER"));
        debian::testing::stamp(&folder.path().join("browser"));
        assert_eq!(find().unwrap(), launcher);
    }
}
