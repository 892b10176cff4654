//! Installation of the newest nightly build.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use host::progress::Step;
use host::signals::Interrupted;
use host::tools::lock::SetupLock;
use host::tools::{hint, remove_folder};
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

/// Failure of a build that was installed, as the context of the error.
#[derive(Clone, Copy, Debug)]
struct UnusableBuild;

impl fmt::Display for UnusableBuild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the newest nightly build cannot be used")
    }
}

/// Installs the newest nightly build, at most once a day, or the newest one of the wanted date.
/// Where this machine fails, for example without a network, an earlier build is used.
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
    // Not `?`: where this machine fails, an earlier build is used.
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
            let (older, warning) = older_instead(error, wanted)?;
            step.done(warning);
            Ok(older)
        }
    }
}

/// Newest build of an earlier day, with a warning, in the place of one that could not be installed.
/// Returns the error if there is none, and if the failure is that of the build: the verdict on an
/// older one would pass for that on the newest.
fn older_instead(error: anyhow::Error, wanted: Wanted<'_>) -> Result<(SkyInstallation, String)> {
    // Ctrl-C is no failure of the machine, and an earlier build has another date.
    let may_be_older = hint::is_failure_of_machine(&format!("{error:#}"))
        && !error.is::<UnusableBuild>()
        && !error.is::<Interrupted>()
        && *wanted.dependencies == Dependencies::OwnDate;
    let folders =
        if may_be_older { nightlies(wanted.state_dir, wanted.extras)? } else { Vec::new() };
    let mut older =
        folders.into_iter().rev().filter_map(|folder| Some((Stamp::of(&folder)?, folder)));
    let Some((stamp, folder)) = older.next() else { return Err(error) };
    let older = wanted.installation(stamp, &folder);
    let warning = format!(
        "warning: {}; using {} from an earlier day",
        in_one_line(&error),
        older.facts.version
    );
    Ok((older, warning))
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
    let newest = installer.newest(folder, PACKAGE, as_of.as_ref(), step)?;
    // Of an extra that the build does not have, installers only print a warning.
    let requirement = format!("{PACKAGE}{}=={newest}", wanted.extras);
    installer.install(folder, &requirement, as_of.as_ref(), step)?.into_output()?;
    installer.finish(folder, as_of, step).context(UnusableBuild)
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
    use host::progress::Progress;
    use host::tools::python::Python;
    use host::tools::uv::Uv;
    use host::tools::version::ToolVersion;
    use rstest::rstest;

    use super::*;
    use crate::testing::{script, shell};

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

    /// Error of a tool that failed with this output, as `run` makes it.
    fn failed(output: &str) -> anyhow::Error {
        let hint =
            hint::for_output(output).map_or_else(String::new, |it| format!("\n  hint: {it}"));
        anyhow::anyhow!("`uv` failed (exit status: 1)\n    {output}{hint}")
    }

    #[rstest]
    #[case::without_a_network(failed("error: Failed to fetch: `https://index/simple/`"), true)]
    #[case::with_a_full_disk(failed("error: No space left on device (os error 28)"), true)]
    // Its words are not those of a failed connection.
    #[case::with_a_server_that_does_not_import(
        failed("ImportError: cannot import name 'Certificate' from 'OpenSSL'")
            .context("importing the server of the installed SkyPilot")
            .context(UnusableBuild),
        false
    )]
    #[case::with_dependencies_that_do_not_resolve(
        failed("Because skypilot-nightly==1.0.0.dev20261128 depends on x>=9, .. unsatisfiable."),
        false
    )]
    #[case::with_ctrl_c(Interrupted.into(), false)]
    fn an_older_build_is_used_only_where_the_machine_fails(
        #[case] error: anyhow::Error,
        #[case] is_used: bool,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let environment = folder.path().join("sky/nightly-2026-11-24");
        for program in ["bin/python", "bin/sky"] {
            script(&environment.join(program), "");
        }
        let answer = r#"{"version": "1.0.0.dev20261124", "commit": null, "source": "config.py",
                         "constants": {}}"#;
        let answer = serde_json::from_str(answer).unwrap();
        Stamp::new(&environment, None, answer).write().unwrap();
        let wanted = Wanted {
            extras: &Extras::default(),
            dependencies: &Dependencies::OwnDate,
            state_dir: folder.path(),
            progress: &Progress::new(),
        };
        let text = format!("{error:#}");
        match older_instead(error, wanted) {
            Ok((older, warning)) => {
                assert!(is_used, "{text}");
                assert_eq!(older.sky, environment.join("bin/sky"));
                assert!(warning.ends_with("; using 1.0.0.dev20261124 from an earlier day"));
            }
            Err(error) => {
                assert!(!is_used, "{text}");
                assert_eq!(format!("{error:#}"), text);
            }
        }
    }

    /// Arguments of each call of an installer in the installation of a nightly build, by stand-ins
    /// for uv, if `has_uv`, and for Python.
    fn calls(has_uv: bool, dependencies: &Dependencies) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let (log, python) = (folder.path().join("log"), folder.path().join("bin/python3"));
        let log_text = log.display();
        // Its pip lists versions, and its probe answers with the facts of a SkyPilot.
        script(
            &python,
            &format!(
                r#"case "$*" in
                '-m venv '*) /bin/mkdir -p "$3/bin" && /bin/cp "$0" "$3/bin/python" ;;
                *'pip index versions'*) echo 'Available versions: 1.0.0.dev20261128, 1.0.0.dev1' ;;
                *pip*) echo "$*" >> {log_text} ;;
                -) /bin/cat > /dev/null
                    echo '{{"version": "1", "commit": null, "source": "", "constants": {{}}}}' ;;
                esac"#
            ),
        );
        // The newest build needs a package without wheels, an older one does not.
        script(
            &folder.path().join("bin/uv"),
            &format!(
                r#"case "$*" in
                --version) echo uv 0.13.9 ;;
                venv*) /bin/mkdir -p "$4/bin" && /bin/cp "$3" "$4/bin/python" ;;
                *--no-deps*) echo "$*" >> {log_text}
                    echo ' + skypilot-nightly==1.0.0.dev20261128' ;;
                *) echo "$*" >> {log_text} ;;
                esac"#
            ),
        );
        let (shell, progress) = (shell(folder.path()), Progress::new());
        let uv = Uv::find_or_install_with(&shell, folder.path(), &progress).unwrap();
        let found = Python { path: python, version: ToolVersion(3, 11, 7) };
        let installer = Installer::for_tests(shell, found, uv.filter(|_| has_uv));
        let extras = Extras::default();
        let wanted =
            Wanted { extras: &extras, dependencies, state_dir: folder.path(), progress: &progress };
        let environment = folder.path().join("sky/nightly");
        install_nightly(&installer, wanted, &environment, &progress.step("Installing")).unwrap();
        fs::read_to_string(log).unwrap().lines().map(str::to_owned).collect()
    }

    #[rstest]
    #[case::by_uv(true)]
    #[case::by_pip(false)]
    fn the_newest_build_is_installed_and_no_older_one_that_resolves_better(#[case] has_uv: bool) {
        let calls = calls(has_uv, &Dependencies::OwnDate);
        let install = calls.last().unwrap();
        assert!(install.ends_with(" skypilot-nightly[slurm]==1.0.0.dev20261128"), "{calls:?}");
    }

    #[test]
    fn the_newest_build_of_a_date_is_looked_for_with_that_date() {
        let date = "2026-11-28".parse().unwrap();
        let calls = calls(true, &Dependencies::At(date));
        let [resolve, install] = calls.try_into().unwrap();
        for call in [&resolve, &install] {
            assert!(call.contains("--exclude-newer 2026-11-28"), "{call}");
        }
        assert!(resolve.ends_with(" skypilot-nightly"), "{resolve}");
    }

    #[test]
    fn a_warning_has_the_hint_and_not_the_output() {
        let error = anyhow::anyhow!("`uv` failed\n    much\n  hint: check the network");
        assert_eq!(in_one_line(&error), "check the network");
        assert_eq!(in_one_line(&anyhow::anyhow!("one\ntwo")), "one");
    }
}
