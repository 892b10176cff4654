//! Program `wrk`, an HTTP load generator that the benchmark of clients compares with.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use host::progress::Progress;
use host::tools::lock::SetupLock;
use host::tools::{debian, hint, on_path, shell_in};
use xshell::{Shell, cmd};

use super::launcher;

/// Hint for a machine where wrk cannot be downloaded.
const HINT: &str = "`apt-get install wrk`, or put `wrk` on PATH";

/// Path of the `wrk` program, one on PATH or else one unpacked here, and its version as text.
pub(crate) fn find_or_unpack(state_dir: &Path, progress: &Progress) -> Result<(PathBuf, String)> {
    let shell = shell_in(state_dir)?;
    let program = find_or_unpack_with(&shell, state_dir, progress)?;
    let version = version_of(&shell, &program)
        .with_context(|| format!("`{} -v` prints no version", program.display()))?;
    Ok((program, version))
}

/// Name and version in the first line of `wrk -v`, which exits with 1.
fn version_of(shell: &Shell, program: &Path) -> Option<String> {
    let answer = cmd!(shell, "{program} -v").quiet().ignore_status().ignore_stderr().read().ok()?;
    let words: Vec<&str> = answer.split_whitespace().take(2).collect();
    (words.first() == Some(&"wrk")).then(|| words.join(" "))
}

fn find_or_unpack_with(shell: &Shell, state_dir: &Path, progress: &Progress) -> Result<PathBuf> {
    if let Some(found) = on_path(shell, "wrk") {
        return Ok(found);
    }
    let folder = state_dir.join("tools/wrk");
    let launcher = folder.join("skyload-wrk");
    // A library that is not among the packages may be missing on this machine.
    if debian::is_unpacked(&folder) && version_of(shell, &launcher).is_some() {
        return Ok(launcher);
    }
    ensure!(
        debian::is_available(shell),
        "no `wrk` on PATH, and no apt to download it\n  hint: {HINT}"
    );
    let _lock = SetupLock::take(state_dir)?;
    let step = progress.step("Downloading wrk from the distribution's packages (once, 1 MB)");
    let program = folder.join("usr/bin/wrk");
    let count = debian::unpack(&["wrk"], &folder, state_dir, &step)
        .and_then(|count| launcher::write(&folder, &program, &launcher).map(|()| count))
        .map_err(|error| hint::with_hint(&error, HINT))?;
    step.done(format!("{count} packages, in {}", folder.display()));
    Ok(launcher)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{script, shell};

    #[test]
    fn an_installed_program_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("bin/wrk");
        script(&program, "");
        let found = find_or_unpack_with(&shell(folder.path()), folder.path(), &Progress::new());
        assert_eq!(found.unwrap(), program);
    }

    #[test]
    fn a_version_is_read_although_the_program_fails() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("bin/wrk");
        script(&program, "echo 'wrk debian/4.1.0-3 [epoll] Copyright'; exit 1");
        let version = version_of(&shell(folder.path()), &program);
        assert_eq!(version.as_deref(), Some("wrk debian/4.1.0-3"));
        script(&program, "exit 127");
        assert_eq!(version_of(&shell(folder.path()), &program), None);
    }

    #[test]
    fn an_unpacked_program_is_used_if_it_starts() {
        let folder = tempfile::tempdir().unwrap();
        let launcher = folder.path().join("tools/wrk/skyload-wrk");
        script(&launcher, "exit 127");
        debian::stamp(&folder.path().join("tools/wrk"), Vec::new()).unwrap();
        let find = || find_or_unpack_with(&shell(folder.path()), folder.path(), &Progress::new());
        assert!(find().unwrap_err().to_string().contains("no apt to download it"));
        script(&launcher, "echo 'wrk debian/4.1.0-3 [epoll] Copyright'; exit 1");
        assert_eq!(find().unwrap(), launcher);
    }

    #[test]
    fn without_apt_the_hint_says_how_to_install_it() {
        let folder = tempfile::tempdir().unwrap();
        let error = find_or_unpack_with(&shell(folder.path()), folder.path(), &Progress::new())
            .unwrap_err()
            .to_string();
        assert!(error.contains("no `wrk` on PATH") && error.contains("apt-get install wrk"));
    }
}
