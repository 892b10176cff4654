//! As of when a release's dependencies are to be resolved.
//!
//! SkyPilot's dependencies have no upper bounds, so an old release installed
//! with today's ones doesn't start. uv can leave out what was published after a
//! date, and it knows the date: asked for a version with a date before its
//! publication, it says when that was.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use host::progress::Step;
use host::tools::run::run;
use host::tools::uv::Uv;
use skyload::clock::Timestamp;
use xshell::Shell;

/// Before the first SkyPilot.
const TOO_EARLY: &str = "2019-01-01";

/// A release whose dependencies prove broken is fixed within days, by a
/// new version of the dependency. It is the mended one that people ran.
const GRACE: Duration = Duration::from_secs(2 * 24 * 60 * 60);

/// The moment for `--exclude-newer`, in RFC 3339; `None` when uv doesn't tell
/// the date, be it that the package index has none or that the version is not there.
pub(super) fn cutoff(
    uv: &Uv,
    shell: &Shell,
    python: &Path,
    requirement: &str,
    step: &Step,
) -> Result<Option<String>> {
    let asked = uv.command(shell);
    let refused = run(
        asked
            .args(["pip", "install", "--dry-run", "--exclude-newer", TOO_EARLY, "--python"])
            .arg(python)
            .arg(requirement),
        step,
    )?;
    if host::tools::hint::is_network_failure(&refused.output) {
        return Err(refused.failure());
    }
    Ok(published(&refused.output).map(after_grace))
}

/// The time that uv's hint names: `The requested version, v0.12.0, was published
/// at 2026-03-24T01:08:12.708Z. Consider ...`.
fn published(output: &str) -> Option<SystemTime> {
    // A terminal's width may break the sentence anywhere.
    let output = output.split_whitespace().collect::<Vec<_>>().join(" ");
    let (_, rest) = output.split_once("was published at ")?;
    let time = rest.split(' ').next()?.trim_end_matches(['.', ',']);
    humantime::parse_rfc3339_weak(&time.replace('T', " ").replace('Z', "")).ok()
}

fn after_grace(published: SystemTime) -> String {
    let published = published.duration_since(UNIX_EPOCH).unwrap_or_default();
    let after = Timestamp::default().plus(published).plus(GRACE);
    humantime::format_rfc3339_seconds(after.to_system_time()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HINT: &str = "Using Python 3.11.7 environment at: V\n\
        error: No solution found when resolving dependencies\n  \
        cause: Because there is no version of skypilot==0.12.0 and you require \
        skypilot==0.12.0, we can conclude that your requirements are unsatisfiable.\n\n\
        hint: `skypilot` was filtered by `exclude-newer` to only include packages uploaded \
        before 2019-01-02T00:00:00Z. The requested version, v0.12.0, was published at \
        2026-03-24T01:08:12.708Z. Consider using `exclude-newer-package` to override the cutoff \
        for this package.";

    #[test]
    fn uvs_hint_names_the_release_and_days_are_added() {
        let cutoff = published(HINT).map(after_grace);
        assert_eq!(cutoff.as_deref(), Some("2026-03-26T01:08:12Z"));
    }

    #[test]
    fn a_hint_broken_by_a_terminals_width_is_understood() {
        let broken = HINT.replace("published at ", "published\n      at ");
        assert!(published(&broken).is_some());
    }

    #[test]
    fn no_hint_is_too_odd_to_be_read() {
        crate::changes::try_changes(HINT.as_bytes(), |hint| {
            _ = published(&String::from_utf8_lossy(hint)).map(after_grace);
        });
    }

    #[test]
    fn the_last_day_of_all_has_no_day_after_it() {
        let last = HINT.replace("2026-03-24T01:08:12.708Z", "9999-12-31T01:08:12.708Z");
        let cutoff = published(&last).map(after_grace);
        assert_eq!(cutoff.as_deref(), Some("9999-12-31T23:59:59Z"));
    }

    #[test]
    fn without_the_hint_there_is_no_date() {
        assert_eq!(published("cause: Because there is no version of skypilot==0.99.5"), None);
        assert_eq!(published("the version was published at some time"), None);
    }
}
