//! Identifiers of runs and of processes, valid across processes.
//!
//! A pid alone is ambiguous, since the kernel reuses pids. Signals, counts and comparisons
//! therefore use a pid *with* the start time of its process.

use std::fmt;
use std::path::Path;
use std::time::SystemTime;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Id of a run: the name of its directory, and part of the names of its resources.
///
/// Format: `20261124-081512-3fa9`. Sorts by date; the last part is random.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct RunId(String);

impl RunId {
    /// New id for a run that starts now.
    pub fn generate() -> Self {
        let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        let digits: String = now
            .chars()
            .filter_map(|c| match c {
                'T' => Some('-'),
                c if c.is_ascii_digit() => Some(c),
                _ => None,
            })
            .collect();
        let unique = uuid::Uuid::new_v4().simple().to_string();
        Self(format!("{digits}-{}", &unique[..4]))
    }

    /// Id of the run whose directory is `path`: the last part of the path.
    pub fn of_directory(path: &Path) -> Self {
        Self(path.file_name().unwrap_or_default().to_string_lossy().into_owned())
    }

    /// Start time of the run, to a second; `None` if the directory's name is no run id.
    pub fn began(&self) -> Option<SystemTime> {
        let mut parts = self.0.split('-');
        let (day, time, unique) = (parts.next()?, parts.next()?, parts.next()?);
        let are_digits = |text: &str, count| {
            text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        let is_id = parts.next().is_none()
            && are_digits(day, 8)
            && are_digits(time, 6)
            && unique.len() == 4
            && unique.bytes().all(|byte| byte.is_ascii_hexdigit());
        let date = is_id.then(|| {
            format!(
                "{}-{}-{}T{}:{}:{}Z",
                &day[..4],
                &day[4..6],
                &day[6..],
                &time[..2],
                &time[2..4],
                &time[4..]
            )
        })?;
        humantime::parse_rfc3339(&date).ok()
    }

    /// Last part of the id, which differs between runs of the same second.
    fn unique_part(&self) -> &str {
        self.0.rsplit('-').next().unwrap_or_default()
    }

    /// Prefix of the names of all clusters, jobs and services that the run creates.
    pub fn tag(&self) -> String {
        format!("skyload-{}", self.unique_part())
    }

    /// Prefix of the ids of all SkyPilot users of the run: four of the eight hexadecimal
    /// digits of a user id.
    pub fn user_prefix(&self) -> String {
        let digits = self.unique_part().chars().filter(char::is_ascii_hexdigit);
        let prefix: String = digits.take(4).collect();
        // A directory that was renamed may have no hexadecimal digits in its last part.
        format!("{prefix:0<4}")
    }

    /// New id for a SkyPilot user of the run: eight hexadecimal digits, the format of
    /// SkyPilot's own user hash.
    pub fn new_user(&self) -> String {
        let random = uuid::Uuid::new_v4().simple().to_string();
        format!("{}{}", self.user_prefix(), &random[..4])
    }

    /// Id of a SkyPilot user with a number within the run, in the format of [`Self::new_user`].
    pub fn user(&self, number: u16) -> String {
        format!("{}{number:04x}", self.user_prefix())
    }

    /// Id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Process, distinguished by its start time from a later process with the same pid.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProcessIdentity {
    /// Process id.
    pub pid: u32,
    /// Start time: clock ticks since boot on Linux (field 22 of `/proc/PID/stat`), seconds
    /// since the Unix epoch on other systems.
    pub started: u64,
}

impl fmt::Display for ProcessIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pid {}", self.pid)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn run_ids_sort_by_date_and_differ_within_a_second() {
        let (first, second) = (RunId::generate(), RunId::generate());
        assert_eq!(first.as_str().len(), "20261124-081512-3fa9".len());
        assert_ne!(first, second);
        assert!(first.as_str().starts_with("20"));
        assert!(first.began().is_some_and(|began| began <= SystemTime::now()));
    }

    #[rstest]
    #[case::latest("latest")]
    #[case::invalid_month("20261324-080000-00aa")]
    #[case::extra_part("20261124-080000-00aa-old")]
    #[case::no_hexadecimal_digits("20261124-080000-test")]
    #[case::multibyte_letter("2026112é-080000-00aa")]
    fn other_names_are_no_run_ids(#[case] name: &str) {
        assert_eq!(RunId::of_directory(Path::new(name)).began(), None);
    }

    #[test]
    fn users_and_names_identify_their_run() {
        let run = RunId::of_directory(Path::new("20261124-081512-3fa9"));
        assert_eq!(run.tag(), "skyload-3fa9");
        let users = [run.new_user(), run.new_user()];
        assert!(users.iter().all(|user| user.len() == 8 && user.starts_with("3fa9")), "{users:?}");
        assert_ne!(users[0], users[1]);
        let renamed = RunId::of_directory(Path::new("my-run"));
        assert_eq!(renamed.new_user().len(), 8);
    }
}
