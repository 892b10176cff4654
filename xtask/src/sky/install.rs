//! Installation of SkyPilot into virtual environments below the state directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use host::environment::{Environment, For};
use host::progress::{Progress, Step};
use host::signals::Interrupted;
use host::tools::hint;
use host::tools::lock::SetupLock;
use host::tools::python::{Python, for_installers};
use host::tools::run::{Finished, run};
use host::tools::uv::Uv;
use host::tools::{remove_folder, shell_in};
use skyload::env;
use xshell::{Shell, cmd};

use super::constants::ProbeOutput;
use super::extras::Extras;
use super::release_date;
use super::stamp::Stamp;
use super::{SkyEnvironment, SkyInstallation};

/// Installs the release `version` with `extras`, with dependencies as of its release date.
pub(super) fn release(
    version: &str,
    extras: &Extras,
    state_dir: &Path,
    progress: &Progress,
) -> Result<SkyInstallation> {
    // The version becomes a directory name and part of a command line.
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+');
    if !(version.starts_with(|c: char| c.is_ascii_digit()) && version.chars().all(fits)) {
        bail!("expected a version of SkyPilot, got `{version}`\n  hint: `--sky 0.14.1`");
    }
    let folder = state_dir.join("sky").join(extras.folder_name(version));
    if let Some(stamp) = Stamp::of(&folder) {
        return Ok(installation(stamp, &folder, extras));
    }

    let _lock = SetupLock::take(state_dir)?;
    let installer = Installer::choose(state_dir, progress)?;
    let step = progress
        .step(format!("Installing SkyPilot {version} {extras} (once, about half a minute)"));
    installer.make_environment(&folder, &step)?;
    let as_of = installer.release_date(&folder, &format!("skypilot=={version}"), &step)?;
    let requirement = format!("skypilot{extras}=={version}");
    let finished = installer.install(&folder, &requirement, as_of.as_deref(), &step)?;
    if is_unknown_version(&finished) {
        // An empty environment would stay for every mistyped version.
        remove_folder(&folder)?;
        bail!(
            "SkyPilot {version} not found on PyPI\n  hint: `python3 -m pip index versions skypilot` \
             lists the releases; `--sky nightly` is the newest nightly build"
        );
    }
    finished.into_output()?;
    let stamp = installer.finish(&folder, as_of, &step)?;
    step.done(match &stamp.resolved_as_of {
        Some(date) => format!("dependencies as of {}, in {}", &date[..10], folder.display()),
        None => format!(
            "warning: release date unknown, so dependencies are the newest; in {}",
            folder.display()
        ),
    });
    Ok(installation(stamp, &folder, extras))
}

/// Installs the newest nightly build with `extras`, at most once a day. Without one, for example
/// without a network, an earlier build is used.
pub(super) fn nightly(
    extras: &Extras,
    state_dir: &Path,
    progress: &Progress,
) -> Result<SkyInstallation> {
    // The first ten characters of an RFC 3339 time are its date, in ASCII.
    let today = humantime::format_rfc3339_seconds(SystemTime::now()).to_string()[..10].to_owned();
    // One directory per day: a run that uses yesterday's build must not see it change.
    let folder = state_dir.join("sky").join(extras.folder_name(&format!("{NIGHTLY}{today}")));
    if let Some(stamp) = Stamp::of(&folder) {
        return Ok(installation(stamp, &folder, extras));
    }

    let _lock = SetupLock::take(state_dir)?;
    // Not `?`: without a network, an earlier build is used.
    let installer = Installer::choose(state_dir, progress);
    let step =
        progress.step(format!("Installing the newest SkyPilot nightly {extras} (once a day)"));
    match installer.and_then(|installer| install_nightly(&installer, extras, &folder, &step)) {
        Ok(stamp) => {
            let installed = installation(stamp, &folder, extras);
            step.done(format!("{}, in {}", installed.facts.version, folder.display()));
            // The previous build stays, since a run may still use it.
            for old in nightlies(state_dir, extras)?.iter().rev().skip(2) {
                remove_folder(old)?;
            }
            Ok(installed)
        }
        Err(error) => {
            remove_folder(&folder)?;
            // Ctrl-C is no reason to fall back.
            if error.is::<Interrupted>() {
                return Err(error);
            }
            let older = nightlies(state_dir, extras)?.into_iter().rev();
            let Some((stamp, folder)) =
                older.filter_map(|folder| Some((Stamp::of(&folder)?, folder))).next()
            else {
                return Err(error);
            };
            let older = installation(stamp, &folder, extras);
            step.done(format!(
                "warning: {}; using {} from an earlier day",
                in_one_line(&error),
                older.facts.version
            ));
            Ok(older)
        }
    }
}

/// Hint of an error, or else its first line.
fn in_one_line(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    let line = match text.split_once("\n  hint: ") {
        Some((_, hint)) => hint,
        None => text.lines().next().unwrap_or_default(),
    };
    line.to_owned()
}

const NIGHTLY: &str = "nightly-";

fn install_nightly(
    installer: &Installer,
    extras: &Extras,
    folder: &Path,
    step: &Step,
) -> Result<Stamp> {
    installer.make_environment(folder, step)?;
    // Of an extra that the build does not have, installers only print a warning.
    let requirement = format!("skypilot-nightly{extras}");
    installer.install(folder, &requirement, None, step)?.into_output()?;
    installer.finish(folder, None, step)
}

/// Directories of nightly builds with `extras`, oldest first.
fn nightlies(state_dir: &Path, extras: &Extras) -> Result<Vec<PathBuf>> {
    let parent = state_dir.join("sky");
    if !parent.is_dir() {
        return Ok(Vec::new());
    }
    let reading = || format!("reading {}", parent.display());
    let mut folders = Vec::new();
    for entry in fs::read_dir(&parent).with_context(reading)? {
        let entry = entry.with_context(reading)?;
        let name = entry.file_name();
        let base = extras.base_of(name.to_str().unwrap_or_default());
        if base.is_some_and(|base| base.starts_with(NIGHTLY)) {
            folders.push(entry.path());
        }
    }
    folders.sort();
    Ok(folders)
}

fn installation(stamp: Stamp, folder: &Path, extras: &Extras) -> SkyInstallation {
    SkyInstallation {
        extras: Some(extras.clone()),
        sky: folder.join("bin/sky"),
        python: Some(folder.join("bin/python")),
        resolved_as_of: stamp.resolved_as_of,
        facts: stamp.answer.into_facts(),
    }
}

/// Whether the installation failed because PyPI does not have the version.
fn is_unknown_version(finished: &Finished) -> bool {
    says_unknown_version(&finished.output) && !finished.succeeded()
}

/// Whether this output of uv or of pip says that the version does not exist.
fn says_unknown_version(output: &str) -> bool {
    let output = without_extras(output);
    output.contains("there is no version of skypilot==")
        // pip says this too when it cannot reach the index; then it lists no versions.
        || (output.contains("No matching distribution found for skypilot==")
            && !output.contains("(from versions: none)"))
}

/// Output of an installer in one line, with `skypilot==1.0` in the place of `skypilot[aws]==1.0`:
/// uv names one extra of a set, or none.
fn without_extras(output: &str) -> String {
    // Installers wrap their messages to the width of a terminal.
    let output = output.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut parts = output.split("skypilot[");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text += "skypilot";
        text += part.split_once(']').map_or(part, |(_, rest)| rest);
    }
    text
}

/// Hint for a server that cannot be imported although uv resolved its dependencies by date.
const TRY_ANOTHER: &str = "try another version (`--sky VERSION`) or another Python, first on PATH as \
                           `python3` (3.11 works for every version since 0.9): a dependency is \
                           incompatible";
/// Hint for a server that cannot be imported after an installation by pip.
const USE_UV: &str = "put `uv` on PATH: a dependency is too new, and unlike pip, uv can resolve \
                      dependencies as of the release date";

/// Installer of virtual environments: uv, or pip if uv is not available.
struct Installer {
    shell: Shell,
    python: Python,
    uv: Option<Uv>,
}

impl Installer {
    fn choose(state_dir: &Path, progress: &Progress) -> Result<Self> {
        let shell = shell_in(state_dir)?;
        let python = Python::find(&shell)?;
        let uv = Uv::find_or_install(state_dir, progress)?;
        Ok(Self { shell, python, uv })
    }

    fn make_environment(&self, folder: &Path, step: &Step) -> Result<()> {
        let Some(uv) = &self.uv else {
            return self.python.make_venv(&self.shell, folder, step);
        };
        remove_folder(folder)?;
        let python = &self.python.path;
        let made = uv.command(&self.shell).args(["venv", "--python"]).args([python, folder]);
        run(made, step)?.into_output()?;
        Ok(())
    }

    /// Date limit for the dependencies of `requirement`; `None` if unknown.
    fn release_date(
        &self,
        folder: &Path,
        requirement: &str,
        step: &Step,
    ) -> Result<Option<String>> {
        let Some(uv) = &self.uv else { return Ok(None) };
        release_date::cutoff(uv, &self.shell, &folder.join("bin/python"), requirement, step)
    }

    fn install(
        &self,
        folder: &Path,
        requirement: &str,
        as_of: Option<&str>,
        step: &Step,
    ) -> Result<Finished> {
        let (shell, python) = (&self.shell, folder.join("bin/python"));
        let Some(uv) = &self.uv else {
            let options = ["--no-input", "--disable-pip-version-check", "--prefer-binary"];
            let install = cmd!(shell, "{python} -m pip install {options...} {requirement}");
            return run(for_installers(install), step);
        };
        let until = as_of.map(|date| ["--exclude-newer", date]).into_iter().flatten();
        let args: Vec<&str> = until.chain([requirement]).collect();
        uv.install(shell, &python, &args, step)
    }

    /// Probes the installation, checks that its server can be imported, and writes the stamp.
    fn finish(&self, folder: &Path, as_of: Option<String>, step: &Step) -> Result<Stamp> {
        let (shell, python) = (&self.shell, folder.join("bin/python"));
        let probe = ProbeOutput::of_python(shell, &python, SkyEnvironment::Filtered)?;
        // Shows a broken dependency now instead of at the server's start. Also compiles the
        // server's modules, so that the first measured start does not have to.
        step.update("importing the server");
        let home = tempfile::tempdir().context("making a temporary home")?;
        let _folder = shell.push_dir(home.path());
        let import = cmd!(shell, "{python} -c 'import sky.server.server'");
        let import = Environment::of(For::SkyPilot)
            .apply_to(import)
            .env("HOME", home.path())
            .env(env::NO_USAGE, "1");
        run(import, step)?.into_output().map_err(|error| {
            hint::with_hint(
                &error.context("importing the server of the installed SkyPilot"),
                if self.uv.is_some() { TRY_ANOTHER } else { USE_UV },
            )
        })?;
        let stamp = Stamp::new(folder, as_of, probe);
        stamp.write()?;
        Ok(stamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("../../etc")]
    #[case("v0.14.1")]
    #[case("0.14.1 --index-url x")]
    #[case("")]
    fn a_malformed_version_installs_nothing(#[case] version: &str) {
        let folder = tempfile::tempdir().unwrap();
        let installed = release(version, &Extras::default(), folder.path(), &Progress::new());
        let error = installed.unwrap_err().to_string();
        assert!(error.starts_with("expected a version of SkyPilot, got `"), "{error}");
        assert!(error.contains("\n  hint: "), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[rstest]
    #[case("Because there is no version of skypilot[slurm]==0.99.5 and you require", true)]
    #[case("Because there is no version of\n  skypilot[aws]==0.99.5 and you require", true)]
    #[case("ERROR: No matching distribution found for skypilot[aws,slurm]==0.99.5", true)]
    #[case("Because there is no version of boto3==0.99.5 and skypilot[aws]==0.14.1", false)]
    #[case("(from versions: none)\nNo matching distribution found for skypilot==0.14.1", false)]
    #[case("warning: skypilot==0.10.5 does not have an extra named `slurm`", false)]
    fn unknown_versions_are_recognized_in_the_output_of_uv_and_pip(
        #[case] output: &str,
        #[case] is_unknown: bool,
    ) {
        assert_eq!(says_unknown_version(output), is_unknown);
    }

    #[test]
    fn nightlies_of_one_set_of_extras_are_listed_by_age_without_releases() {
        let folder = tempfile::tempdir().unwrap();
        let sky = folder.path().join("sky");
        let (old, new) = ("nightly-2026-09-30", "nightly-2026-11-24");
        let aws = Extras::of_infras(["aws"]);
        for name in [new, "0.14.1", old, &aws.folder_name(new), &aws.folder_name("0.14.1")] {
            fs::create_dir_all(sky.join(name)).unwrap();
        }
        let expected = [sky.join(old), sky.join(new)];
        assert_eq!(nightlies(folder.path(), &Extras::default()).unwrap(), expected);
        let expected = [sky.join("nightly-2026-11-24_aws_slurm")];
        assert_eq!(nightlies(folder.path(), &aws).unwrap(), expected);
    }

    #[test]
    fn a_warning_has_the_hint_and_not_the_output() {
        let error = anyhow::anyhow!("`uv` failed\n    much\n  hint: check the network");
        assert_eq!(in_one_line(&error), "check the network");
        assert_eq!(in_one_line(&anyhow::anyhow!("one\ntwo")), "one");
    }
}
