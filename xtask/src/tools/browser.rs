//! Browser for tests of the HTML report, and its driver: Chromium, found or unpacked from the
//! distribution's packages, and playwright-core from npm.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use host::progress::Progress;
use host::tools::lock::SetupLock;
use host::tools::run::run;
use host::tools::version::ToolVersion;
use host::tools::{debian, hint, is_program, on_path, shell_in};
use skyload::env;
use xshell::{Shell, cmd};

use super::launcher;

/// Hint for a machine where Chromium cannot be downloaded.
const HINT: &str = "install Chromium, or set SKYLOAD_BROWSER to its program";

/// First version of Node.js whose test runner runs the code in a test file before its suites,
/// which opens the browser. playwright-core itself needs 18.
const OLDEST_NODE: ToolVersion = ToolVersion(18, 19, 0);

/// Program of the browser: the configured one, one on PATH, or else one unpacked here.
pub(crate) fn find_or_unpack(state_dir: &Path, progress: &Progress) -> Result<PathBuf> {
    find_or_unpack_with(&shell_in(state_dir)?, state_dir, progress)
}

fn find_or_unpack_with(shell: &Shell, state_dir: &Path, progress: &Progress) -> Result<PathBuf> {
    if let Some(named) = env::path(env::BROWSER) {
        ensure!(
            is_program(&named),
            "{}: expected a program, got `{}`",
            env::BROWSER,
            named.display()
        );
        return Ok(named);
    }
    if let Some(found) = on_path(shell, "chromium") {
        return Ok(found);
    }
    let folder = state_dir.join("browser");
    let launcher = folder.join("skyload-chromium");
    if debian::is_unpacked(&folder) && debian::ensure_starts(&launcher, "--version", "").is_ok() {
        return Ok(launcher);
    }
    ensure!(
        debian::is_available(shell),
        "no `chromium` on PATH, and no apt to download it\n  hint: {HINT}"
    );
    let _lock = SetupLock::take(state_dir)?;
    let step =
        progress.step("Downloading Chromium from the distribution's packages (once, 110 MB)");
    let program = folder.join("usr/lib/chromium/chromium");
    let count = debian::unpack(&["chromium"], &folder, state_dir, &step)
        .and_then(|count| launcher::write(&folder, &program, &launcher).map(|()| count))
        .map_err(|error| hint::with_hint(&error, HINT))?;
    step.done(format!("{count} packages, in {}", folder.display()));
    Ok(launcher)
}

/// Installs the browser's driver, with the versions and hashes of the lock file in `folder`.
pub(crate) fn install_driver(folder: &Path, progress: &Progress) -> Result<()> {
    let shell = Shell::new().context("reading the current directory")?;
    shell.change_dir(folder);
    check_node(&shell)?;
    let step = progress.step("Installing the browser's driver");
    run(cmd!(shell, "npm ci --no-audit --no-fund"), &step)?.into_output()?;
    step.done("installed");
    Ok(())
}

fn check_node(shell: &Shell) -> Result<()> {
    let hint = format!(
        "hint: `apt-get install nodejs npm`, or another way to install Node.js {OLDEST_NODE} or newer"
    );
    let answer = cmd!(shell, "node --print process.versions.node").quiet().ignore_stderr().read();
    let answer = answer.unwrap_or_default();
    match ToolVersion::find_in(&answer) {
        Some(version) if version >= OLDEST_NODE => {}
        Some(version) => bail!("expected Node.js {OLDEST_NODE} or newer, got {version}\n  {hint}"),
        None => bail!("no `node` on PATH\n  {hint}"),
    }
    ensure!(on_path(shell, "npm").is_some(), "no `npm` on PATH\n  {hint}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::testing::{script, shell};

    #[test]
    fn an_installed_browser_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("bin/chromium");
        script(&program, "");
        let found = find_or_unpack_with(&shell(folder.path()), folder.path(), &Progress::new());
        assert_eq!(found.unwrap(), program);
    }

    #[test]
    fn an_unpacked_browser_is_used_when_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let launcher = folder.path().join("browser/skyload-chromium");
        script(&launcher, "");
        let find = || find_or_unpack_with(&shell(folder.path()), folder.path(), &Progress::new());
        let error = find().unwrap_err().to_string();
        assert!(error.contains("no apt to download it") && error.contains("SKYLOAD_BROWSER"));
        debian::stamp(&folder.path().join("browser"), Vec::new()).unwrap();
        script(&launcher, "exit 127");
        assert!(find().is_err(), "it lacks a library");
        script(&launcher, "");
        assert_eq!(find().unwrap(), launcher);
    }

    #[rstest]
    #[case::of_debian_12(Some("18.19.0"), None)]
    #[case::newer(Some("20.20.2"), None)]
    #[case::too_old(
        Some("18.18.2"),
        Some("expected Node.js 18.19.0 or newer, got 18.18.2\n  hint")
    )]
    #[case::none(None, Some("no `node` on PATH\n  hint: `apt-get install nodejs npm`"))]
    fn node_must_be_new_enough(#[case] version: Option<&str>, #[case] message: Option<&str>) {
        let folder = tempfile::tempdir().unwrap();
        if let Some(version) = version {
            script(&folder.path().join("bin/node"), &format!("echo {version}"));
        }
        script(&folder.path().join("bin/npm"), "");
        match (check_node(&shell(folder.path())), message) {
            (Ok(()), None) => {}
            (Err(error), Some(message)) => assert!(error.to_string().contains(message), "{error}"),
            (result, _) => panic!("{result:?}"),
        }
    }
}
