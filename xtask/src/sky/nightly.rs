//! Installation of the newest nightly build.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use host::progress::Step;
use host::signals::Interrupted;
use host::tools::lock::SetupLock;
use host::tools::remove_folder;
use skyload::plan::Dependencies;

use super::SkyInstallation;
use super::extras::Extras;
use super::installer::Installer;
use super::stamp::Stamp;
use super::wanted::{AS_OF, Found, Wanted};

/// Package of nightly builds.
pub(super) const PACKAGE: &str = "skypilot-nightly";

/// Prefix of the names of environments with nightly builds.
const PREFIX: &str = "nightly-";

/// Installs the newest nightly build, at most once a day, or the newest one of the wanted date.
/// Without one, for example without a network, an earlier build is used.
pub(super) fn newest(wanted: Wanted<'_>) -> Result<SkyInstallation> {
    let name = match wanted.dependencies {
        // One directory per day: a run that uses yesterday's build must not see it change.
        // The first ten characters of an RFC 3339 time are its date, in ASCII.
        Dependencies::OwnDate => {
            let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
            format!("{PREFIX}{}", &now[..10])
        }
        Dependencies::At(_) => "nightly".to_owned(),
    };
    let folder = match wanted.find(&name)? {
        Found::Complete(installed) => return Ok(*installed),
        Found::Missing(folder) => folder,
    };
    let (extras, state_dir) = (wanted.extras, wanted.state_dir);
    let _lock = SetupLock::take(state_dir)?;
    // Not `?`: without a network, an earlier build is used.
    let installer = Installer::choose(&wanted);
    let step = wanted
        .progress
        .step(format!("Installing the newest SkyPilot nightly {extras} (once a day)"));
    match installer.and_then(|installer| install_nightly(&installer, wanted, &folder, &step)) {
        Ok(stamp) => {
            let installed = wanted.installation(stamp, &folder);
            step.done(format!("{}, in {}", installed.facts.version, folder.display()));
            // The previous build stays, since a run may still use it.
            for old in nightlies(state_dir, extras)?.iter().rev().skip(2) {
                remove_folder(old)?;
            }
            Ok(installed)
        }
        Err(error) => {
            remove_folder(&folder)?;
            // Ctrl-C is no reason to fall back, and an earlier build has another date.
            if error.is::<Interrupted>() || *wanted.dependencies != Dependencies::OwnDate {
                return Err(error);
            }
            let older = nightlies(state_dir, extras)?.into_iter().rev();
            let Some((stamp, folder)) =
                older.filter_map(|folder| Some((Stamp::of(&folder)?, folder))).next()
            else {
                return Err(error);
            };
            let older = wanted.installation(stamp, &folder);
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

fn install_nightly(
    installer: &Installer,
    wanted: Wanted<'_>,
    folder: &Path,
    step: &Step,
) -> Result<Stamp> {
    installer.make_environment(folder, step)?;
    let as_of = match wanted.dependencies {
        Dependencies::OwnDate => None,
        Dependencies::At(date) => Some(date.clone()),
    };
    // Of an extra that the build does not have, installers only print a warning.
    let requirement = format!("{PACKAGE}{}", wanted.extras);
    installer.install(folder, &requirement, as_of.as_ref(), step)?.into_output()?;
    installer.finish(folder, as_of, step)
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
        // One as of a given date is no earlier build than another.
        let is_of_a_day = |base: &str| base.starts_with(PREFIX) && !base.contains(AS_OF);
        if base.is_some_and(is_of_a_day) {
            folders.push(entry.path());
        }
    }
    folders.sort();
    Ok(folders)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nightlies_of_one_set_of_extras_are_listed_by_age_without_releases() {
        let folder = tempfile::tempdir().unwrap();
        let sky = folder.path().join("sky");
        let (old, new) = ("nightly-2026-09-30", "nightly-2026-11-24");
        let aws = Extras::of_infras(["aws"]);
        let dated = "nightly-as-of-20261020T235959Z-py3.11.7";
        for name in [new, "0.14.1", old, dated, &aws.folder_name(new), &aws.folder_name("0.14.1")] {
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
