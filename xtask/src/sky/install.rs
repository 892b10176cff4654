//! Installation of SkyPilot into virtual environments below the state directory: what all kinds of
//! SkyPilot have in common, and releases.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use host::progress::Progress;
use host::tools::lock::SetupLock;
use host::tools::python::Python;
use host::tools::run::Finished;
use host::tools::{remove_folder, shell_in};
use skyload::plan::{Dependencies, ResolutionDate};

use super::SkyInstallation;
use super::extras::Extras;
use super::installer::Installer;
use super::nightly;
use super::stamp::Stamp;

/// Part of the name of an environment whose dependencies are as of a given date.
pub(super) const AS_OF: &str = "-as-of-";

/// Installation that is wanted, whatever SkyPilot it is of.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) extras: &'a Extras,
    pub(super) dependencies: &'a Dependencies,
    pub(super) state_dir: &'a Path,
    pub(super) progress: &'a Progress,
}

impl Wanted<'_> {
    /// Complete environment of the SkyPilot `name`, if there is one; otherwise the directory to
    /// build it in.
    pub(super) fn find(&self, name: &str) -> Result<Found> {
        let own = self.folder(name);
        let Dependencies::At(date) = self.dependencies else {
            return Ok(match Stamp::of(&own) {
                Some(stamp) => Found::Complete(self.installation(stamp, &own)),
                None => Found::Missing(own),
            });
        };
        // The same date gives the same packages only with the same Python.
        let python = Python::find(&shell_in(self.state_dir)?)?.version.to_string();
        if let Some(stamp) = Stamp::of(&own).filter(|stamp| stamp.is_as_of(date, &python)) {
            return Ok(Found::Complete(self.installation(stamp, &own)));
        }
        let day = date.as_str().replace(['-', ':'], "");
        let folder = self.folder(&format!("{name}{AS_OF}{day}-py{python}"));
        Ok(match Stamp::of(&folder) {
            Some(stamp) => Found::Complete(self.installation(stamp, &folder)),
            None => Found::Missing(folder),
        })
    }

    /// Environment in `folder` with this stamp, of which this is a use.
    pub(super) fn installation(&self, stamp: Stamp, folder: &Path) -> SkyInstallation {
        stamp.mark_used();
        SkyInstallation {
            extras: Some(self.extras.clone()),
            sky: folder.join("bin/sky"),
            python: Some(folder.join("bin/python")),
            resolved_as_of: stamp.resolved_as_of,
            source: None,
            facts: stamp.answer.into_facts(),
        }
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.state_dir.join("sky").join(self.extras.folder_name(name))
    }
}

/// Result of the search for an environment.
pub(super) enum Found {
    /// Environment that is complete.
    Complete(SkyInstallation),
    /// Directory of the environment, to be built.
    Missing(PathBuf),
}

/// Installs the release `version`, with dependencies as of its release date or the wanted one.
pub(super) fn release(version: &str, wanted: Wanted<'_>) -> Result<SkyInstallation> {
    // The version becomes a directory name and part of a command line.
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+');
    if !(version.starts_with(|c: char| c.is_ascii_digit()) && version.chars().all(fits)) {
        bail!("expected a version of SkyPilot, got `{version}`\n  hint: `--sky 0.14.1`");
    }
    let folder = match wanted.find(version)? {
        Found::Complete(installed) => return Ok(installed),
        Found::Missing(folder) => folder,
    };
    let (extras, package) = (wanted.extras, package(version));
    let _lock = SetupLock::take(wanted.state_dir)?;
    let installer = Installer::choose(&wanted)?;
    let step = wanted
        .progress
        .step(format!("Installing SkyPilot {version} {extras} (once, about half a minute)"));
    installer.make_environment(&folder, &step)?;
    let as_of = match wanted.dependencies {
        Dependencies::OwnDate => {
            installer.release_date(&folder, &format!("{package}=={version}"), &step)?
        }
        Dependencies::At(date) => Some(date.clone()),
    };
    let requirement = format!("{package}{extras}=={version}");
    let finished = installer.install(&folder, &requirement, as_of.as_ref(), &step)?;
    if is_unknown_version(&finished) {
        // An empty environment would stay for every mistyped version.
        remove_folder(&folder)?;
        let limit = as_of.filter(|_| *wanted.dependencies != Dependencies::OwnDate);
        let limit = limit.map_or_else(String::new, |date| format!(" as of {}", date.day()));
        bail!(
            "SkyPilot {version} not found on PyPI{limit}\n  hint: `python3 -m pip index versions {package}` \
             lists the releases; `--sky nightly` is the newest nightly build"
        );
    }
    finished.into_output()?;
    let stamp = installer.finish(&folder, as_of, &step)?;
    step.done(dependencies_in_words(stamp.resolved_as_of.as_ref(), &folder));
    Ok(wanted.installation(stamp, &folder))
}

/// Date of an environment's dependencies, or a warning, for a step's end.
pub(super) fn dependencies_in_words(as_of: Option<&ResolutionDate>, folder: &Path) -> String {
    match as_of {
        Some(date) => format!("dependencies as of {}, in {}", date.day(), folder.display()),
        None => format!(
            "warning: the package index has no dates, so dependencies are the newest; in {}",
            folder.display()
        ),
    }
}

/// Package of a version: nightly builds, such as 1.0.0.dev20261027, have one of their own.
fn package(version: &str) -> &'static str {
    if version.contains(".dev") { nightly::PACKAGE } else { "skypilot" }
}

/// Whether the installation failed because PyPI does not have the version.
fn is_unknown_version(finished: &Finished) -> bool {
    says_unknown_version(&finished.output) && !finished.succeeded()
}

/// Whether this output of uv or of pip says that the version does not exist.
fn says_unknown_version(output: &str) -> bool {
    let output = without_extras(output);
    ["skypilot", nightly::PACKAGE].iter().any(|package| {
        output.contains(&format!("there is no version of {package}=="))
            // pip says this too when it cannot reach the index; then it lists no versions.
            || (output.contains(&format!("No matching distribution found for {package}=="))
                && !output.contains("(from versions: none)"))
    })
}

/// Output of an installer in one line, with `skypilot==1.0` in the place of `skypilot[aws]==1.0`:
/// uv names one extra of a set, or none.
fn without_extras(output: &str) -> String {
    // Installers wrap their messages to the width of a terminal.
    let output = output.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut parts = output.split('[');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text += part.split_once(']').map_or(part, |(_, rest)| rest);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("../../etc")]
    #[case("v0.14.1")]
    #[case("0.14.1 --index-url x")]
    #[case("")]
    fn a_malformed_version_installs_nothing(#[case] version: &str) {
        let folder = tempfile::tempdir().unwrap();
        let wanted = Wanted {
            extras: &Extras::default(),
            dependencies: &Dependencies::OwnDate,
            state_dir: folder.path(),
            progress: &Progress::new(),
        };
        let error = release(version, wanted).unwrap_err().to_string();
        assert!(error.starts_with("expected a version of SkyPilot, got `"), "{error}");
        assert!(error.contains("\n  hint: "), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    /// Complete environment of SkyPilot `name`, with dependencies as of a date.
    fn environment(state_dir: &Path, name: &str, date: &str, python: &str) {
        let folder = state_dir.join("sky").join(name);
        for program in ["bin/python", "bin/sky"] {
            crate::testing::script(&folder.join(program), "");
        }
        let answer = format!(
            r#"{{"version": "0.14.1", "commit": null, "source": "config.py", "constants": {{}},
                "packages": {{"python": "{python}", "installed": {{"click": "8.1"}}}}}}"#
        );
        let answer = serde_json::from_str(&answer).unwrap();
        Stamp::new(&folder, Some(date.parse().unwrap()), answer).write().unwrap();
    }

    #[test]
    fn an_environment_is_of_one_date_and_one_python() {
        let folder = tempfile::tempdir().unwrap();
        let here = Python::find(&shell_in(folder.path()).unwrap()).unwrap().version.to_string();
        environment(folder.path(), "0.14.1", "2026-10-21", &here);
        environment(folder.path(), "0.13.0", "2026-10-21", "3.9.1");
        let found = |version: &str, dependencies: &Dependencies| {
            let wanted = Wanted {
                extras: &Extras::default(),
                dependencies,
                state_dir: folder.path(),
                progress: &Progress::new(),
            };
            match wanted.find(version).unwrap() {
                Found::Complete(installed) => installed.sky,
                Found::Missing(folder) => folder,
            }
        };
        let at = |date: &str| Dependencies::At(date.parse().unwrap());
        let own = folder.path().join("sky/0.14.1/bin/sky");
        assert_eq!(found("0.14.1", &Dependencies::OwnDate), own);
        assert_eq!(found("0.14.1", &at("2026-10-21")), own, "has that date by itself");
        let name = |version: &str, day: u32| {
            folder.path().join(format!("sky/{version}-as-of-202610{day}T235959Z-py{here}"))
        };
        assert_eq!(found("0.14.1", &at("2026-10-22")), name("0.14.1", 22));
        assert_eq!(found("0.13.0", &at("2026-10-21")), name("0.13.0", 21), "another Python");
    }

    #[rstest]
    #[case("Because there is no version of skypilot[slurm]==0.99.5 and you require", true)]
    #[case("Because there is no version of\n  skypilot[aws]==0.99.5 and you require", true)]
    #[case("ERROR: No matching distribution found for skypilot[aws,slurm]==0.99.5", true)]
    #[case("Because there is no version of skypilot-nightly[slurm]==1.0.0.dev1 and you", true)]
    #[case("Because there is no version of boto3==0.99.5 and skypilot[aws]==0.14.1", false)]
    #[case("(from versions: none)\nNo matching distribution found for skypilot==0.14.1", false)]
    #[case("warning: skypilot==0.10.5 does not have an extra named `slurm`", false)]
    fn unknown_versions_are_recognized_in_the_output_of_uv_and_pip(
        #[case] output: &str,
        #[case] is_unknown: bool,
    ) {
        assert_eq!(says_unknown_version(output), is_unknown);
    }
}
