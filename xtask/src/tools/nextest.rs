//! `cargo-nextest`, which runs the scenarios and the gate.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use xshell::{Shell, cmd};

use super::lock::SetupLock;
use super::run::run;
use super::version::ToolVersion;
use super::{cure, is_program, on_path, shell_in};
use crate::progress::Progress;

/// The first version that tells each test its name and attempt.
const OLDEST: ToolVersion = ToolVersion(0, 9, 116);

/// The version that is installed when there is none: the one we are tested with,
/// because a newer one may want a newer Rust than the user has.
const INSTALLED: &str = "0.9.143";

/// The `cargo-nextest` program to call, as `cargo-nextest nextest run ...`.
pub(crate) fn find_or_install(state_dir: &Path, progress: &Progress) -> Result<PathBuf> {
    find_or_install_with(&shell_in(state_dir)?, state_dir, progress)
}

fn find_or_install_with(shell: &Shell, state_dir: &Path, progress: &Progress) -> Result<PathBuf> {
    let root = state_dir.join("tools/nextest");
    let ours = root.join("bin/cargo-nextest");
    let mut candidates: Vec<PathBuf> = on_path(shell, "cargo-nextest").into_iter().collect();
    candidates.extend(cargo_bin(shell).map(|folder| folder.join("cargo-nextest")));
    candidates.push(ours.clone());
    for candidate in candidates.into_iter().filter(|program| is_program(program)) {
        if version_of(shell, &candidate).is_some_and(|version| version >= OLDEST) {
            return Ok(candidate);
        }
    }

    let _lock = SetupLock::take(state_dir)?;
    let step = progress.step(format!(
        "Installing cargo-nextest {INSTALLED} (once; it is compiled, about 4 minutes on 2 cores)"
    ));
    // Under `cargo xtask` this names the very cargo that runs us.
    let cargo = shell.var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let package = format!("cargo-nextest@{INSTALLED}");
    // `--force`: a version that answered wrongly is to be replaced.
    let install = cmd!(shell, "{cargo} install --locked --force --root {root} {package}");
    run(install, &step)?.into_output().map_err(|error| {
        cure::with_hint(
            &error.context("installing cargo-nextest"),
            "a ready-made `cargo-nextest` on PATH is used as it is, whichever way it came there",
        )
    })?;
    let Some(version) = version_of(shell, &ours) else {
        bail!("the installed {} doesn't say its version", ours.display());
    };
    step.done(format!("{version}, in {}", root.display()));
    Ok(ours)
}

/// Where cargo itself looks for subcommands, be it on PATH or not.
fn cargo_bin(shell: &Shell) -> Option<PathBuf> {
    let home = match shell.var_os("CARGO_HOME") {
        Some(home) => PathBuf::from(home),
        None => PathBuf::from(shell.var_os("HOME")?).join(".cargo"),
    };
    Some(home.join("bin"))
}

fn version_of(shell: &Shell, program: &Path) -> Option<ToolVersion> {
    let answer = cmd!(shell, "{program} nextest --version").quiet().ignore_stderr().read().ok()?;
    ToolVersion::find_in(&answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::{progress, script, shell};

    #[test]
    fn one_that_only_cargo_finds_is_found() {
        let folder = tempfile::tempdir().unwrap();
        script(&folder.path().join("bin/cargo-nextest"), "echo cargo-nextest 0.9.70");
        let good = folder.path().join("cargo-home/bin/cargo-nextest");
        script(&good, "echo cargo-nextest 0.9.143");
        let found = find_or_install_with(&shell(folder.path()), folder.path(), &progress());
        assert_eq!(found.unwrap(), good);
    }

    #[test]
    fn a_missing_one_is_installed_into_a_root_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        // Takes `install --locked --force --root ROOT PACKAGE`.
        script(
            &folder.path().join("bin/cargo"),
            "[ \"$1 $2 $3 $4 $6\" = 'install --locked --force --root cargo-nextest@0.9.143' ] \
             || exit 9\n\
             /bin/mkdir -p $5/bin\n\
             printf '#!/bin/sh\\necho cargo-nextest 0.9.143\\n' > $5/bin/cargo-nextest\n\
             /bin/chmod +x $5/bin/cargo-nextest",
        );
        let found = find_or_install_with(&shell(folder.path()), folder.path(), &progress());
        assert_eq!(found.unwrap(), folder.path().join("tools/nextest/bin/cargo-nextest"));
    }

    #[test]
    fn a_failed_installation_shows_cargos_words_and_a_way_out() {
        let folder = tempfile::tempdir().unwrap();
        script(&folder.path().join("bin/cargo"), "echo 'error: it broke' >&2; exit 101");
        let error =
            find_or_install_with(&shell(folder.path()), folder.path(), &progress()).unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("error: it broke") && text.contains("ready-made"), "{text}");
    }
}
