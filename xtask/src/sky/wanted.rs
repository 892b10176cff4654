//! Installation that is wanted, and the search for an environment that has it.

use std::path::{Path, PathBuf};

use anyhow::Result;
use host::progress::Progress;
use host::tools::python::Python;
use host::tools::shell_in;
use skyload::plan::{Dependencies, ResolutionDate};

use super::SkyInstallation;
use super::extras::Extras;
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
                Some(stamp) => Found::Complete(Box::new(self.installation(stamp, &own))),
                None => Found::Missing(own),
            });
        };
        // The same date gives the same packages only with the same Python.
        let python = Python::find(&shell_in(self.state_dir)?)?.version.to_string();
        if let Some(stamp) = Stamp::of(&own).filter(|stamp| stamp.is_as_of(date, &python)) {
            return Ok(Found::Complete(Box::new(self.installation(stamp, &own))));
        }
        let day = date.as_str().replace(['-', ':'], "");
        let folder = self.folder(&format!("{name}{AS_OF}{day}-py{python}"));
        Ok(match Stamp::of(&folder) {
            Some(stamp) => Found::Complete(Box::new(self.installation(stamp, &folder))),
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

    /// Installation of a release or from source that was complete before, after the warning that
    /// its dependencies have no date: they are older than those of another machine.
    pub(super) fn used_again(&self, installed: SkyInstallation) -> SkyInstallation {
        if let Some(warning) = undated(&installed) {
            self.progress.note(warning);
        }
        installed
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.state_dir.join("sky").join(self.extras.folder_name(name))
    }
}

/// Result of the search for an environment.
pub(super) enum Found {
    /// Environment that is complete.
    Complete(Box<SkyInstallation>),
    /// Directory of the environment, to be built.
    Missing(PathBuf),
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

/// Warning for a complete installation whose dependencies have no date.
fn undated(installed: &SkyInstallation) -> Option<String> {
    let folder = installed.sky.ancestors().nth(2)?;
    installed.resolved_as_of.is_none().then(|| {
        format!(
            "warning: SkyPilot {} was installed without dates of packages, so dependencies are \
             the newest of that day; to install it again, remove {}",
            installed.facts.version,
            folder.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installation_without_dates_warns_each_time_it_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let wanted = Wanted {
            extras: &Extras::default(),
            dependencies: &Dependencies::OwnDate,
            state_dir: folder.path(),
            progress: &Progress::new(),
        };
        let warning = |name: &str| match wanted.find(name).unwrap() {
            Found::Complete(installed) => undated(&installed),
            Found::Missing(folder) => panic!("nothing in {}", folder.display()),
        };
        environment(folder.path(), "0.14.1", Some("2026-10-21"), "3.11.7");
        environment(folder.path(), "0.13.0", None, "3.11.7");
        assert_eq!(warning("0.14.1"), None);
        for _ in 0..2 {
            let warning = warning("0.13.0").unwrap();
            assert!(warning.contains("dependencies are the newest of that day"), "{warning}");
            let environment = folder.path().join("sky/0.13.0");
            assert!(warning.ends_with(&format!("remove {}", environment.display())), "{warning}");
        }
    }

    /// Complete environment of SkyPilot `name`, with dependencies as of a date.
    fn environment(state_dir: &Path, name: &str, date: Option<&str>, python: &str) {
        let folder = state_dir.join("sky").join(name);
        for program in ["bin/python", "bin/sky"] {
            crate::testing::script(&folder.join(program), "");
        }
        let answer = format!(
            r#"{{"version": "0.14.1", "commit": null, "source": "config.py", "constants": {{}},
                "packages": {{"python": "{python}", "installed": {{"click": "8.1"}}}}}}"#
        );
        let answer = serde_json::from_str(&answer).unwrap();
        let date = date.map(|date| date.parse().unwrap());
        Stamp::new(&folder, date, answer).write().unwrap();
    }

    #[test]
    fn an_environment_is_of_one_date_and_one_python() {
        let folder = tempfile::tempdir().unwrap();
        let here = Python::find(&shell_in(folder.path()).unwrap()).unwrap().version.to_string();
        environment(folder.path(), "0.14.1", Some("2026-10-21"), &here);
        environment(folder.path(), "0.13.0", Some("2026-10-21"), "3.9.1");
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
}
