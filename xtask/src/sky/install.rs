//! Installation of a release into a virtual environment below the state directory.

use anyhow::{Result, bail};
use host::tools::lock::SetupLock;
use host::tools::remove_folder;
use host::tools::run::Finished;
use skyload::plan::Dependencies;

use super::SkyInstallation;
use super::installer::Installer;
use super::nightly;
use super::published::package;
use super::wanted::{Found, Wanted, dependencies_in_words};

/// Installs the release `version`, with dependencies as of its release date or the wanted one.
pub(super) fn release(version: &str, wanted: Wanted<'_>) -> Result<SkyInstallation> {
    // The version becomes a directory name and part of a command line.
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+');
    if !(version.starts_with(|c: char| c.is_ascii_digit()) && version.chars().all(fits)) {
        bail!("expected a version of SkyPilot, got `{version}`\n  hint: `--sky 0.14.1`");
    }
    let folder = match wanted.find(version)? {
        Found::Complete(installed) => return Ok(wanted.used_again(*installed)),
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

    use host::progress::Progress;
    use rstest::rstest;

    use super::*;
    use crate::sky::Extras;

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
