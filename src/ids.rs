//! Identities that cross process boundaries: of a run, and of a process.
//!
//! A pid alone names nothing for long, since the kernel hands it out again.
//! Everything that is signalled, counted or compared here is therefore a pid
//! *with* the time at which that process started.

use std::fmt;
use std::path::Path;
use std::time::SystemTime;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Names one run: its directory, and the resources that it creates.
///
/// Looks like `20261124-081512-3fa9`: sortable by date, unique by its last part.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct RunId(String);

impl RunId {
    /// A new id for a run that begins now.
    pub fn generate() -> Self {
        let stamp = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        let digits: String = stamp
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

    /// The name of a run's directory.
    pub fn of_directory(path: &Path) -> Self {
        Self(path.file_name().unwrap_or_default().to_string_lossy().into_owned())
    }

    /// The moment at which the run began; `None` where the directory is not called as
    /// those of runs are.
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

    /// Its last part: what tells it from other runs of the same second.
    fn unique_part(&self) -> &str {
        self.0.rsplit('-').next().unwrap_or_default()
    }

    /// With what the names of everything begin that the run creates on an
    /// infrastructure: clusters, jobs, services.
    pub fn tag(&self) -> String {
        format!("skyload-{}", self.unique_part())
    }

    /// With what the ids of all SkyPilot users begin that act in the run:
    /// hexadecimal digits, fewer than the eight of a whole id.
    pub fn user_prefix(&self) -> String {
        let digits = self.unique_part().chars().filter(char::is_ascii_hexdigit);
        let prefix: String = digits.take(4).collect();
        format!("{prefix:0<4}")
    }

    /// An id for one more user of the run: eight hexadecimal digits, as SkyPilot
    /// derives them from a machine.
    pub fn new_user(&self) -> String {
        let random = uuid::Uuid::new_v4().simple().to_string();
        format!("{}{}", self.user_prefix(), &random[..4])
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A process, told from any later one that is given the same pid. Whether it runs
/// is looked up in [`crate::process`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProcessIdentity {
    /// The process id.
    pub pid: u32,
    /// When it started: clock ticks since boot on Linux (field 22 of
    /// `/proc/PID/stat`), seconds since the epoch elsewhere.
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
    #[case::a_month_that_is_none("20261324-080000-00aa")]
    #[case::more_behind_it("20261124-080000-00aa-old")]
    #[case::no_hexadecimal_digits("20261124-080000-test")]
    #[case::letters_of_many_bytes("2026112é-080000-00aa")]
    fn other_names_are_not_those_of_runs(#[case] name: &str) {
        assert_eq!(RunId::of_directory(Path::new(name)).began(), None);
    }

    #[test]
    fn users_and_names_of_a_run_can_be_told_from_those_of_another() {
        let run = RunId::of_directory(Path::new("20261124-081512-3fa9"));
        assert_eq!(run.tag(), "skyload-3fa9");
        let users = [run.new_user(), run.new_user()];
        assert!(users.iter().all(|user| user.len() == 8 && user.starts_with("3fa9")), "{users:?}");
        assert_ne!(users[0], users[1]);
        let odd = RunId::of_directory(Path::new("my-run"));
        assert_eq!(odd.new_user().len(), 8);
    }
}
