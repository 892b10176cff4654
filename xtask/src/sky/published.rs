//! Versions of SkyPilot that the package index has.

use std::path::Path;

use anyhow::{Context as _, Result};
use host::progress::Progress;
use host::tools::python::Python;
use host::tools::shell_in;
use skyload::comparison::Revision;
use skyload::plan::SkySelection;
use skyload::suggest::nearest;

use super::between::Between;
use super::{nightly, pip_index};

/// Package of releases.
const RELEASES: &str = "skypilot";

/// Package of a version: nightly builds, such as 1.0.0.dev20261027, have one of their own.
pub(super) fn package(version: &str) -> &'static str {
    if version.contains(".dev") { nightly::PACKAGE } else { RELEASES }
}

/// Versions of a package, newest first.
pub(super) fn versions(
    package: &str,
    state_dir: &Path,
    progress: &Progress,
) -> Result<Vec<String>> {
    let shell = shell_in(state_dir)?;
    let python = Python::find(&shell)?;
    let step = progress.step(format!("Listing the versions of {package}"));
    // uv lists no versions, and the Python on PATH may have no pip.
    let folder = tempfile::tempdir_in(state_dir).context("making a folder for pip")?;
    let folder = folder.path().join("pip");
    python.make_venv(&shell, &folder, &step)?;
    let listed = pip_index::versions(&shell, &folder.join("bin/python"), package, &step)?;
    step.done(format!("{} versions", listed.len()));
    Ok(listed)
}

/// Versions of `published`, newest first, after `good` and up to `bad`, or all mistakes. Release
/// candidates between releases are left out.
pub(super) fn between(published: &[String], good: &str, bad: &str) -> Result<Between, Vec<String>> {
    let place = |name: &str, version: &str| {
        let place = published.iter().position(|it| it == version);
        place.ok_or_else(|| unknown(published, name, version))
    };
    let (good, bad) = match (place("GOOD", good), place("BAD", bad)) {
        (Ok(older), Ok(newer)) if older > newer => (older, newer),
        (Ok(_), Ok(_)) => {
            return Err(vec![format!("GOOD: expected a version before {bad}, got {good}")]);
        }
        (good, bad) => return Err([good.err(), bad.err()].into_iter().flatten().collect()),
    };
    let revision =
        |version: &String| Revision { sky: SkySelection::Version(version.clone()), commit: None };
    let inner = published[bad + 1..good].iter().filter(|version| is_like(version, &published[bad]));
    let mut revisions: Vec<Revision> = inner.rev().map(revision).collect();
    revisions.push(revision(&published[bad]));
    Ok(Between { good: revision(&published[good]), revisions, unchanged_commits: 0 })
}

/// Whether a version is a release, or else a nightly build as the other one.
fn is_like(version: &str, other: &str) -> bool {
    let is_release =
        |version: &str| !version.replace("post", "").contains(|c: char| c.is_ascii_alphabetic());
    is_release(version) || package(other) == nightly::PACKAGE
}

fn unknown(published: &[String], name: &str, version: &str) -> String {
    let package = package(version);
    let hint = match nearest(version, published.iter().map(String::as_str)) {
        Some(version) => format!("did you mean {version}?"),
        None => format!("`python3 -m pip index versions --pre {package}` lists them"),
    };
    format!("{name}: {package} {version} not found on PyPI\n  hint: {hint}")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::sky::pip_index::listed;

    const NIGHTLIES: &str = "WARNING: pip index is currently an experimental command.\n\
        skypilot-nightly (1.0.0.dev20261027)\n\
        Available versions: 1.0.0.dev20261027, 1.0.0.dev20261025, 1.0.0.dev20261024, \
        1.0.0.dev20261021\n  INSTALLED: 1.0.0.dev20261021\n";
    const RELEASES: &str = "Available versions: 0.14.1, 0.14.0, 0.14.0rc1, 0.13.0, 0.12.3.post1";

    fn names(output: &str, good: &str, bad: &str) -> Result<Vec<String>, Vec<String>> {
        let found = between(&listed(output).unwrap(), good, bad)?;
        assert_eq!(found.good.name(), good);
        Ok(found.revisions.iter().map(Revision::name).collect())
    }

    #[test]
    fn nightly_builds_between_two_are_those_that_exist() {
        let found = names(NIGHTLIES, "1.0.0.dev20261021", "1.0.0.dev20261027").unwrap();
        assert_eq!(found, ["1.0.0.dev20261024", "1.0.0.dev20261025", "1.0.0.dev20261027"]);
        let neighbours = names(NIGHTLIES, "1.0.0.dev20261025", "1.0.0.dev20261027").unwrap();
        assert_eq!(neighbours, ["1.0.0.dev20261027"]);
    }

    #[test]
    fn releases_have_post_releases_and_no_candidates_between_them() {
        let found = names(RELEASES, "0.12.3.post1", "0.14.1").unwrap();
        assert_eq!(found, ["0.13.0", "0.14.0", "0.14.1"]);
        let candidate = names(RELEASES, "0.13.0", "0.14.0rc1").unwrap();
        assert_eq!(candidate, ["0.14.0rc1"]);
    }

    #[rstest]
    #[case::the_other_way("0.14.1", "0.13.0", &["GOOD: expected a version before 0.13.0"])]
    #[case::equal("0.14.1", "0.14.1", &["GOOD: expected a version before 0.14.1"])]
    #[case::unknown("0.13", "9.9.9.9", &["GOOD: skypilot 0.13 not found", "BAD: skypilot 9.9.9.9"])]
    fn versions_that_are_no_range_are_mistakes(
        #[case] good: &str,
        #[case] bad: &str,
        #[case] expected: &[&str],
    ) {
        let mistakes = names(RELEASES, good, bad).unwrap_err();
        assert_eq!(mistakes.len(), expected.len(), "{mistakes:?}");
        for (mistake, expected) in mistakes.iter().zip(expected) {
            assert!(mistake.starts_with(expected), "{mistakes:?}");
        }
    }

    #[test]
    fn no_list_of_pip_is_too_odd_to_be_read() {
        assert_eq!(listed("ERROR: No matching distribution found for skypilot"), None);
        crate::changes::try_changes(NIGHTLIES.as_bytes(), |output| {
            _ = listed(&String::from_utf8_lossy(output));
        });
    }
}
