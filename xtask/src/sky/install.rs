//! Installing a SkyPilot into a virtual environment of its own.

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

use super::constants::Answer;
use super::release_date;
use super::stamp::Stamp;
use super::{SkyInstallation, Whose};

/// The release `version`, with its dependencies as they were when it came out.
pub(super) fn release(
    version: &str,
    state_dir: &Path,
    progress: &Progress,
) -> Result<SkyInstallation> {
    // It becomes the name of a folder and a part of a command line.
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+');
    if !(version.starts_with(|c: char| c.is_ascii_digit()) && version.chars().all(fits)) {
        bail!("`{version}` is not a version of SkyPilot\n  hint: give it as in `--sky 0.14.1`");
    }
    let folder = state_dir.join("sky").join(version);
    if let Some(stamp) = Stamp::of(&folder) {
        return Ok(installation(stamp, &folder));
    }

    let _lock = SetupLock::take(state_dir)?;
    let installer = Installer::choose(state_dir, progress)?;
    let step = progress.step(format!("Installing SkyPilot {version} (once, about half a minute)"));
    installer.make_environment(&folder, &step)?;
    let as_of = installer.release_date(&folder, &format!("skypilot=={version}"), &step)?;
    let requirement = format!("skypilot{EXTRA}=={version}");
    let finished = installer.install(&folder, &requirement, as_of.as_deref(), &step)?;
    if is_unknown_version(&finished) {
        // An empty environment of a version that isn't there is only clutter.
        remove_folder(&folder)?;
        bail!(
            "there is no SkyPilot {version} on PyPI\n  hint: `python3 -m pip index versions \
             skypilot` lists the releases; `--sky nightly` is the newest nightly build"
        );
    }
    finished.into_output()?;
    let stamp = installer.finish(&folder, as_of, &step)?;
    step.done(match &stamp.resolved_as_of {
        Some(date) => format!("dependencies as of {}, in {}", &date[..10], folder.display()),
        None => format!(
            "warning: its release date could not be learnt, so its dependencies are today's; in {}",
            folder.display()
        ),
    });
    Ok(installation(stamp, &folder))
}

/// The newest nightly build, looked for at most once a day.
pub(super) fn nightly(state_dir: &Path, progress: &Progress) -> Result<SkyInstallation> {
    let today = humantime::format_rfc3339_seconds(SystemTime::now()).to_string()[..10].to_owned();
    // One folder a day, so that a run with yesterday's isn't changed under way.
    let folder = state_dir.join("sky").join(format!("{NIGHTLY}{today}"));
    if let Some(stamp) = Stamp::of(&folder) {
        return Ok(installation(stamp, &folder));
    }

    let _lock = SetupLock::take(state_dir)?;
    let installer = Installer::choose(state_dir, progress);
    let step = progress.step("Installing the newest SkyPilot nightly (once a day)");
    match installer.and_then(|installer| install_nightly(&installer, &folder, &step)) {
        Ok(stamp) => {
            let installed = installation(stamp, &folder);
            step.done(format!("{}, in {}", installed.facts.version, folder.display()));
            for old in nightlies(state_dir)?.iter().rev().skip(2) {
                remove_folder(old)?;
            }
            Ok(installed)
        }
        Err(error) => {
            remove_folder(&folder)?;
            // An older one is better than none, for example without a network.
            if error.is::<Interrupted>() {
                return Err(error);
            }
            let older = nightlies(state_dir)?.into_iter().rev();
            let Some((stamp, folder)) =
                older.filter_map(|folder| Some((Stamp::of(&folder)?, folder))).next()
            else {
                return Err(error);
            };
            let older = installation(stamp, &folder);
            step.done(format!(
                "warning: {}; taking {} of an earlier day",
                in_one_line(&error),
                older.facts.version
            ));
            Ok(older)
        }
    }
}

/// The hint that ends an error, or else its first line.
fn in_one_line(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    let line = match text.split_once("\n  hint: ") {
        Some((_, hint)) => hint,
        None => text.lines().next().unwrap_or_default(),
    };
    line.to_owned()
}

const NIGHTLY: &str = "nightly-";

/// What a loopback infrastructure needs. Releases that have no such extra are
/// installed all the same.
const EXTRA: &str = "[slurm]";

fn install_nightly(installer: &Installer, folder: &Path, step: &Step) -> Result<Stamp> {
    installer.make_environment(folder, step)?;
    let requirement = format!("skypilot-nightly{EXTRA}");
    installer.install(folder, &requirement, None, step)?.into_output()?;
    installer.finish(folder, None, step)
}

/// The environments of nightly builds, oldest first.
fn nightlies(state_dir: &Path) -> Result<Vec<PathBuf>> {
    let parent = state_dir.join("sky");
    if !parent.is_dir() {
        return Ok(Vec::new());
    }
    let reading = || format!("reading {}", parent.display());
    let mut folders = Vec::new();
    for entry in fs::read_dir(&parent).with_context(reading)? {
        let entry = entry.with_context(reading)?;
        if entry.file_name().to_string_lossy().starts_with(NIGHTLY) {
            folders.push(entry.path());
        }
    }
    folders.sort();
    Ok(folders)
}

fn installation(stamp: Stamp, folder: &Path) -> SkyInstallation {
    SkyInstallation {
        sky: folder.join("bin/sky"),
        python: Some(folder.join("bin/python")),
        resolved_as_of: stamp.resolved_as_of,
        facts: stamp.answer.into_facts(),
    }
}

/// uv and pip both say so in words of their own.
fn is_unknown_version(finished: &Finished) -> bool {
    says_unknown_version(&finished.output) && !finished.succeeded()
}

fn says_unknown_version(output: &str) -> bool {
    let output = output.replace(EXTRA, "");
    output.contains("there is no version of skypilot==")
        || (output.contains("No matching distribution found for skypilot==")
            && !output.contains("(from versions: none)"))
}

const OTHER_COMBINATION: &str = "one of its dependencies doesn't fit: another version (`--sky \
                                 VERSION`) may load, or another Python, first on PATH as \
                                 `python3` (3.11 fits every version since 0.9)";
const NEEDS_UV: &str = "one of its dependencies is too new for it: put `uv` on PATH, which can \
                        resolve them as of the release, as pip cannot";

/// What fills an environment: uv, or pip where there is no uv.
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

    /// As of when to resolve `requirement`, where that can be found out.
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
        let what: Vec<&str> = until.chain([requirement]).collect();
        uv.install(shell, &python, &what, step)
    }

    /// Sees that the server starts to load, learns the facts, and sets the stamp.
    fn finish(&self, folder: &Path, as_of: Option<String>, step: &Step) -> Result<Stamp> {
        let (shell, python) = (&self.shell, folder.join("bin/python"));
        let answer = Answer::of_python(shell, &python, Whose::Ours)?;
        // A broken dependency would otherwise show only as a server that doesn't
        // come up. It also compiles what the server imports, which is not to
        // happen in the first measured start.
        step.update("trying its server's modules");
        let home = tempfile::tempdir().context("making a temporary home")?;
        let _folder = shell.push_dir(home.path());
        let tried = cmd!(shell, "{python} -c 'import sky.server.server'");
        let tried = Environment::of(For::SkyPilot)
            .apply_to(tried)
            .env("HOME", home.path())
            .env(env::NO_USAGE, "1");
        run(tried, step)?.into_output().map_err(|error| {
            hint::with_hint(
                &error.context("loading the installed SkyPilot's server"),
                if self.uv.is_some() { OTHER_COMBINATION } else { NEEDS_UV },
            )
        })?;
        let stamp = Stamp::new(folder, as_of, answer);
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
    fn what_is_not_a_version_installs_nothing(#[case] version: &str) {
        let folder = tempfile::tempdir().unwrap();
        let error = release(version, folder.path(), &Progress::new()).unwrap_err().to_string();
        assert!(error.contains("is not a version of SkyPilot\n  hint:"), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[rstest]
    #[case("Because there is no version of skypilot[slurm]==0.99.5 and you require", true)]
    #[case("ERROR: No matching distribution found for skypilot[slurm]==0.99.5", true)]
    #[case("(from versions: none)\nNo matching distribution found for skypilot==0.14.1", false)]
    #[case("warning: skypilot==0.10.5 does not have an extra named `slurm`", false)]
    fn both_installers_words_for_an_unknown_version_are_known(
        #[case] output: &str,
        #[case] is_unknown: bool,
    ) {
        assert_eq!(says_unknown_version(output), is_unknown);
    }

    #[test]
    fn nightlies_are_listed_by_age_and_apart_from_releases() {
        let folder = tempfile::tempdir().unwrap();
        let sky = folder.path().join("sky");
        for name in ["nightly-2026-11-24", "0.14.1", "nightly-2026-09-30"] {
            fs::create_dir_all(sky.join(name)).unwrap();
        }
        let expected = [sky.join("nightly-2026-09-30"), sky.join("nightly-2026-11-24")];
        assert_eq!(nightlies(folder.path()).unwrap(), expected);
    }

    #[test]
    fn a_warning_gives_the_hint_rather_than_the_output() {
        let error = anyhow::anyhow!("`uv` failed\n    much\n  hint: check the network");
        assert_eq!(in_one_line(&error), "check the network");
        assert_eq!(in_one_line(&anyhow::anyhow!("one\ntwo")), "one");
    }
}
