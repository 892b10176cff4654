//! Versions between two SkyPilots: commits of a repository, releases, or nightly builds.

use std::path::Path;

use anyhow::Result;
use host::progress::Progress;
use skyload::plan::{SkySelection, UsageErrors};

use super::between::Between;
use super::{nightly, published, source};

/// Versions after `good`, up to `bad`, both as `--sky` takes them, or usage errors.
pub(crate) fn versions_between(
    good: &str,
    bad: &str,
    state_dir: &Path,
    progress: &Progress,
) -> Result<Between> {
    let ends = [("GOOD", good), ("BAD", bad)];
    let [good, bad] = ends
        .map(|(name, text)| SkySelection::parse(text).map_err(|error| format!("{name}: {error}")));
    let found = match (good, bad) {
        (Ok(SkySelection::Git(good)), Ok(SkySelection::Git(bad))) => {
            source::history::between(&good, &bad, state_dir, progress)?
        }
        (Ok(SkySelection::Version(good)), Ok(SkySelection::Version(bad))) => {
            let package = published::package(&good);
            match package == published::package(&bad) {
                true => {
                    let published = published::versions(package, state_dir, progress)?;
                    published::between(&published, &good, &bad)
                }
                false => Err(vec![
                    "GOOD and BAD: expected two releases or two nightly builds, got one of each"
                        .to_owned(),
                ]),
            }
        }
        (Ok(SkySelection::Version(good)), Ok(SkySelection::Nightly))
            if published::package(&good) == nightly::PACKAGE =>
        {
            let published = published::versions(nightly::PACKAGE, state_dir, progress)?;
            published::between(&published, &good, published.first().map_or("", String::as_str))
        }
        (Ok(_), Ok(_)) => Err(vec![
            "GOOD and BAD: expected two releases (0.13.0 0.14.1), two nightly builds \
             (1.0.0.dev20261001 nightly), or two commits of a repository on this machine \
             (git:../skypilot@v1 git:../skypilot@master)"
                .to_owned(),
        ]),
        (good, bad) => Err([good.err(), bad.err()].into_iter().flatten().collect()),
    };
    found.map_err(|mistakes| UsageErrors(mistakes).into())
}
