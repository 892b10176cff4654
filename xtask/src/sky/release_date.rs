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
const GRACE: Duration = HOUR.saturating_mul(2 * 24);

const HOUR: Duration = Duration::from_secs(60 * 60);

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
    let published = published(&finished.output);
    Ok(published.map(|time| of_release(time.into(), SystemTime::now())))
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

/// Date for the dependencies of a commit of this time.
pub(super) fn of_commit(time: Timestamp, now: SystemTime) -> ResolutionDate {
    ResolutionDate::at(time.plus(GRACE).min(newest(now)).to_system_time())
}

/// Date for the dependencies of files that are not committed.
pub(super) fn of_files(now: SystemTime) -> ResolutionDate {
    ResolutionDate::at(newest(now).to_system_time())
}

/// Date for the release that was published at this time, which is itself a package of that date,
/// and for its dependencies.
fn of_release(published: Timestamp, now: SystemTime) -> ResolutionDate {
    // A date has whole seconds.
    let with_itself = published.plus(Duration::from_secs(1));
    let date = published.plus(GRACE).min(newest(now)).max(with_itself);
    ResolutionDate::at(date.to_system_time())
}

/// Newest date that packages are resolved as of: the beginning of the present hour. Until a date is
/// over, packages are added to it, so that the date does not tell which ones were there. All that
/// is built within one hour has one date, and needs no second environment for a comparison.
fn newest(now: SystemTime) -> Timestamp {
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Timestamp::default().plus(Duration::from_secs(seconds - seconds % HOUR.as_secs()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const HINT: &str = "Using Python 3.11.7 environment at: V\n\
        error: No solution found when resolving dependencies\n  \
        cause: Because there is no version of skypilot==0.12.0 and you require \
        skypilot==0.12.0, we can conclude that your requirements are unsatisfiable.\n\n\
        hint: `skypilot` was filtered by `exclude-newer` to only include packages uploaded \
        before 2019-01-02T00:00:00Z. The requested version, v0.12.0, was published at \
        2026-03-24T01:08:12.708Z. Consider using `exclude-newer-package` to override the cutoff \
        for this package.";

    fn time(text: &str) -> SystemTime {
        humantime::parse_rfc3339(text).unwrap()
    }

    /// Date of the release in uv's hint.
    fn cutoff(hint: &str, now: SystemTime) -> Option<String> {
        published(hint).map(|time| of_release(time.into(), now).to_string())
    }

    #[test]
    fn the_limit_is_two_days_after_the_date_in_uvs_hint() {
        let cutoff = cutoff(HINT, time("2026-11-28T15:14:37Z"));
        assert_eq!(cutoff.as_deref(), Some("2026-03-26T01:08:12Z"));
    }

    #[rstest]
    #[case::minutes_old("2026-11-28T15:10:00Z", "2026-11-28T15:00:00Z")]
    #[case::a_day_old("2026-11-27T12:00:00Z", "2026-11-28T15:00:00Z")]
    #[case::two_days_and_an_hour_old("2026-11-26T14:14:37Z", "2026-11-28T14:14:37Z")]
    #[case::by_a_clock_that_is_ahead("2026-11-30T00:00:00Z", "2026-11-28T15:00:00Z")]
    fn packages_of_a_commit_are_as_of_an_hour_that_has_begun(
        #[case] commit: &str,
        #[case] expected: &str,
    ) {
        let now = time("2026-11-28T15:14:37Z");
        let date = of_commit(time(commit).into(), now);
        assert_eq!(date.as_str(), expected);
        assert!(date <= ResolutionDate::at(now));
        // Later in the hour, the date is the same, and so is the environment.
        assert_eq!(of_commit(time(commit).into(), time("2026-11-28T15:59:59Z")), date);
        assert_eq!(of_files(now).as_str(), "2026-11-28T15:00:00Z");
    }

    #[test]
    fn a_release_of_this_hour_is_among_the_packages_of_its_date() {
        let cutoff = cutoff(HINT, time("2026-03-24T01:09:00Z"));
        assert_eq!(cutoff.as_deref(), Some("2026-03-24T01:08:13Z"));
    }

    #[test]
    fn a_hint_may_be_wrapped() {
        let broken = HINT.replace("published at ", "published\n      at ");
        assert!(published(&broken).is_some());
    }

    #[test]
    fn no_hint_is_too_odd_to_be_read() {
        crate::changes::try_changes(HINT.as_bytes(), |hint| {
            _ = cutoff(&String::from_utf8_lossy(hint), SystemTime::now());
        });
    }

    #[test]
    fn a_date_is_at_most_the_last_representable_one() {
        let last = HINT.replace("2026-03-24T01:08:12.708Z", "9999-12-31T23:59:59.708Z");
        let cutoff = cutoff(&last, SystemTime::now());
        assert_eq!(cutoff.as_deref(), Some("9999-12-31T23:59:59Z"));
    }

    #[test]
    fn an_output_without_the_hint_has_no_date() {
        assert_eq!(published("cause: Because there is no version of skypilot==0.99.5"), None);
        assert_eq!(published("the version was published at some time"), None);
    }
}
