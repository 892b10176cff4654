//! Program `oha`, an HTTP load generator that the benchmark of clients compares with.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use host::progress::Progress;
use host::tools::lock::SetupLock;
use host::tools::run::run;
use host::tools::version::ToolVersion;
use host::tools::{hint, is_program, on_path, shell_in};
use xshell::{Shell, cmd};

use super::nextest::cargo_bin;

/// Version to install: the one that the benchmark is tested with, and the oldest one that it uses.
const VERSION: ToolVersion = ToolVersion(1, 16, 0);

/// Path of the `oha` program, with its version.
pub(crate) fn find_or_install(
    state_dir: &Path,
    progress: &Progress,
) -> Result<(PathBuf, ToolVersion)> {
    find_or_install_with(&shell_in(state_dir)?, state_dir, progress)
}

fn find_or_install_with(
    shell: &Shell,
    state_dir: &Path,
    progress: &Progress,
) -> Result<(PathBuf, ToolVersion)> {
    let root = state_dir.join("tools/oha");
    let installed = root.join("bin/oha");
    let mut candidates: Vec<PathBuf> = on_path(shell, "oha").into_iter().collect();
    candidates.extend(cargo_bin(shell).map(|folder| folder.join("oha")));
    candidates.push(installed.clone());
    for candidate in candidates.into_iter().filter(|program| is_program(program)) {
        if let Some(version) = version_of(shell, &candidate).filter(|it| *it >= VERSION) {
            return Ok((candidate, version));
        }
    }
    let _lock = SetupLock::take(state_dir)?;
    let step = progress.step(format!("Compiling oha {VERSION} (once, some minutes on 2 cores)"));
    // Under `cargo xtask` the variable names the cargo that runs this program.
    let cargo = shell.var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let package = format!("oha@{VERSION}");
    // `--force` replaces a program that does not work. With the features and optimization that its
    // users get (it does not compile without TLS).
    let install = cmd!(shell, "{cargo} install --locked --force --root {root} {package}");
    let hint = format!("`cargo install --locked oha@{VERSION}`");
    run(install, &step)?
        .into_output()
        .map_err(|error| hint::with_hint(&error.context("installing oha"), &hint))?;
    let version = version_of(shell, &installed)
        .with_context(|| format!("the installed {} prints no version", installed.display()))?;
    step.done(format!("{version}, in {}", root.display()));
    Ok((installed, version))
}

fn version_of(shell: &Shell, program: &Path) -> Option<ToolVersion> {
    let answer = cmd!(shell, "{program} --version").quiet().ignore_stderr().read().ok()?;
    ToolVersion::find_in(&answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{script, shell};

    #[test]
    fn an_older_program_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        script(&folder.path().join("bin/oha"), "echo oha 1.4.0");
        let newer = folder.path().join("cargo-home/bin/oha");
        script(&newer, "echo oha 1.17.2");
        let found = find_or_install_with(&shell(folder.path()), folder.path(), &Progress::new());
        assert_eq!(found.unwrap(), (newer, ToolVersion(1, 17, 2)));
    }

    #[test]
    fn a_missing_program_is_compiled_into_the_state_directory() {
        let folder = tempfile::tempdir().unwrap();
        // Takes `install --locked --force --root ROOT PACKAGE`.
        script(
            &folder.path().join("bin/cargo"),
            "[ \"$1 $2 $3 $4 $6\" = 'install --locked --force --root oha@1.16.0' ] || exit 9\n\
             /bin/mkdir -p $5/bin\n\
             printf '#!/bin/sh\\necho oha 1.16.0\\n' > $5/bin/oha\n\
             /bin/chmod +x $5/bin/oha",
        );
        let found = find_or_install_with(&shell(folder.path()), folder.path(), &Progress::new());
        assert_eq!(found.unwrap(), (folder.path().join("tools/oha/bin/oha"), VERSION));
    }

    #[test]
    fn a_failed_installation_shows_cargos_error_and_a_hint() {
        let folder = tempfile::tempdir().unwrap();
        script(&folder.path().join("bin/cargo"), "echo 'error: it broke' >&2; exit 101");
        let error = find_or_install_with(&shell(folder.path()), folder.path(), &Progress::new())
            .unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("error: it broke") && text.contains("hint: `cargo"), "{text}");
    }
}
