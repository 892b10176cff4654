//! Date limit for the dependencies of a release or a commit.
//!
//! SkyPilot's dependencies have no upper bounds, so an old release does not start with the newest
//! ones. uv can ignore packages published after a date (`--exclude-newer`). It also tells the
//! release date: with a limit before a version's publication, its error names that date.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use host::progress::Step;
use host::tools::run::run;
use host::tools::uv::Uv;
use skyload::clock::Timestamp;
use skyload::plan::ResolutionDate;
use xshell::Shell;

/// Date before the first release of SkyPilot.
const TOO_EARLY: &str = "2019-01-01";

/// Time after a release or a commit in which its dependencies may still change. A broken dependency is
/// usually fixed by a new version of it within days, and most users ran the fixed one.
const GRACE: Duration = Duration::from_secs(2 * 24 * 60 * 60);

/// Date for `--exclude-newer`. `None` if the package index has no dates or does not
/// have the version.
pub(super) fn cutoff(
    uv: &Uv,
    shell: &Shell,
    python: &Path,
    requirement: &str,
    step: &Step,
) -> Result<Option<ResolutionDate>> {
    // Fails in any case, since the limit excludes every version.
    let finished = run(
        uv.command(shell)
            .args(["pip", "install", "--dry-run", "--exclude-newer", TOO_EARLY, "--python"])
            .arg(python)
            .arg(requirement),
        step,
    )?;
    if host::tools::hint::is_network_failure(&finished.output) {
        return Err(finished.failure());
    }
    Ok(published(&finished.output).map(after_grace))
}

/// Publication time in uv's hint: `The requested version, v0.12.0, was published at
/// 2026-03-24T01:08:12.708Z. Consider ...`.
fn published(output: &str) -> Option<SystemTime> {
    // uv wraps lines to the width of the terminal.
    let output = output.split_whitespace().collect::<Vec<_>>().join(" ");
    let (_, rest) = output.split_once("was published at ")?;
    let time = rest.split(' ').next()?.trim_end_matches(['.', ',']);
    humantime::parse_rfc3339_weak(&time.replace('T', " ").replace('Z', "")).ok()
}

fn after_grace(published: SystemTime) -> ResolutionDate {
    let published = published.duration_since(UNIX_EPOCH).unwrap_or_default();
    // As a `Timestamp`, which is capped at the last date that `humantime` can format.
    of_commit(Timestamp::default().plus(published))
}

/// Date for the dependencies of a commit of this time.
pub(super) fn of_commit(time: Timestamp) -> ResolutionDate {
    ResolutionDate::at(time.plus(GRACE).to_system_time())
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
    fn the_limit_is_two_days_after_the_date_in_uvs_hint() {
        let cutoff = published(HINT).map(after_grace);
        assert_eq!(cutoff.as_ref().map(ResolutionDate::as_str), Some("2026-03-26T01:08:12Z"));
    }

    #[test]
    fn a_hint_may_be_wrapped() {
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
    fn the_grace_period_ends_at_the_last_representable_day() {
        let last = HINT.replace("2026-03-24T01:08:12.708Z", "9999-12-31T01:08:12.708Z");
        let cutoff = published(&last).map(after_grace);
        assert_eq!(cutoff.as_ref().map(ResolutionDate::as_str), Some("9999-12-31T23:59:59Z"));
    }

    #[test]
    fn an_output_without_the_hint_has_no_date() {
        assert_eq!(published("cause: Because there is no version of skypilot==0.99.5"), None);
        assert_eq!(published("the version was published at some time"), None);
    }
}
