//! Owner of a cluster or managed job in the server's lists: the run, a script of the run, or others.

use serde_json::Value;

use super::launched::Launched;
use crate::ids::RunId;
use crate::plan::{LoadPlan, ServerTarget};
use crate::record::resources::ResourceLog;

/// Owner of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Scenario of skyload, or the shared resources: the name has the run's tag.
    Run,
    /// Script of a user, which chose the name.
    Script,
}

/// Beginning of the names of runs of a script, after the run's tag.
const SCRIPT_NAMES: &str = "cli-script-";

/// Rule by which rows are assigned to their owners.
pub(super) struct Owners {
    /// Tag of the run, with which its names begin.
    tag: String,
    script: Option<OfScripts>,
    /// Requests of the run's users which the server records for another user.
    pub(super) launched: Launched,
}

/// Rule for what scripts create.
enum OfScripts {
    /// Rule for an isolated server: everything but what is the run's own.
    Everything,
    /// Creations of the run's users during the run, on a server with other users.
    OfUsers {
        /// Beginning of the IDs of the run's users.
        prefix: String,
        /// Clusters from before the load.
        existing: Vec<String>,
    },
}

impl OfScripts {
    /// Whether a row of the server's lists is of a script.
    fn own(&self, name: &str, row: &Value, launched: &Launched) -> bool {
        let Self::OfUsers { prefix, existing } = self else { return true };
        let user = row.get("user_hash").and_then(Value::as_str);
        // Names of managed jobs are not unique, and those that existed before are clusters.
        let (is_launched, existed) = match row.get("job_id").and_then(Value::as_u64) {
            Some(job) => (launched.jobs.contains(&job), false),
            None => {
                (launched.clusters.contains(name), existing.iter().any(|before| before == name))
            }
        };
        (is_launched || user.is_some_and(|user| user.starts_with(prefix))) && !existed
    }
}

/// Beginnings of the names of SkyPilot's own clusters, which outlast the jobs of a run.
const CONTROLLERS: [&str; 2] = ["sky-jobs-controller-", "sky-serve-controller-"];

impl Owners {
    /// Owners of rows whose names begin with `tag`; rows of others have none.
    pub(super) fn of_tag(tag: &str) -> Self {
        Self { tag: tag.to_owned(), script: None, launched: Launched::default() }
    }

    /// Owners in a run. `log` has the clusters from before the load.
    pub(super) fn of(run: &RunId, plan: &LoadPlan, log: &ResourceLog) -> Self {
        let script = plan.script.as_ref().and_then(|_| match (&plan.server, &log.existing) {
            (ServerTarget::Isolated { .. }, _) => Some(OfScripts::Everything),
            (_, Some(existing)) => {
                let (prefix, existing) = (run.user_prefix(), existing.clone());
                Some(OfScripts::OfUsers { prefix, existing })
            }
            // Without the list from before the load, a cluster may be anybody's.
            (_, None) => None,
        });
        Self { tag: run.tag(), script, launched: Launched::default() }
    }

    /// Whether requests that have ended say which rows are of scripts.
    pub(super) fn need_ended_requests(&self) -> bool {
        matches!(self.script, Some(OfScripts::OfUsers { .. }))
    }

    /// Owner of a row with this name; `None` for a row of others.
    pub(super) fn of_row(&self, name: &str, row: &Value) -> Option<Owner> {
        if let Some(rest) = name.strip_prefix(&self.tag).and_then(|rest| rest.strip_prefix('-')) {
            // Scripts get such a name to make names of.
            let is_of_script = self.script.is_some() && rest.starts_with(SCRIPT_NAMES);
            return Some(if is_of_script { Owner::Script } else { Owner::Run });
        }
        let is_controller = CONTROLLERS.iter().any(|prefix| name.starts_with(prefix));
        let is_of_script = !is_controller && self.script.as_ref()?.own(name, row, &self.launched);
        is_of_script.then_some(Owner::Script)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn shared() -> Option<OfScripts> {
        let existing = vec!["old".to_owned()];
        Some(OfScripts::OfUsers { prefix: "3fa9".to_owned(), existing })
    }

    #[rstest]
    #[case::of_the_run("skyload-3fa9-a", "x", shared(), Some(Owner::Run))]
    #[case::of_another_run("skyload-3fa90-a", "x", shared(), None)]
    #[case::named_by_a_script("skyload-3fa9-cli-script-0-1", "x", shared(), Some(Owner::Script))]
    #[case::of_a_script("bench-1", "3fa90001", shared(), Some(Owner::Script))]
    #[case::of_another_user("bench-1", "77770001", shared(), None)]
    #[case::from_before_the_load("old", "3fa90001", shared(), None)]
    #[case::on_an_isolated_server(
        "mine",
        "77770001",
        Some(OfScripts::Everything),
        Some(Owner::Script)
    )]
    #[case::a_controller("sky-jobs-controller-1", "x", Some(OfScripts::Everything), None)]
    #[case::without_a_script("mine", "3fa90001", None, None)]
    fn a_cluster_has_an_owner(
        #[case] name: &str,
        #[case] user: &str,
        #[case] script: Option<OfScripts>,
        #[case] expected: Option<Owner>,
    ) {
        let owners =
            Owners { tag: "skyload-3fa9".to_owned(), script, launched: Launched::default() };
        assert_eq!(owners.of_row(name, &json!({"user_hash": user})), expected);
    }

    #[rstest]
    #[case::launched("bench-1", json!({"user_hash": "sa-1"}), Some(Owner::Script))]
    #[case::of_the_same_login("bench-2", json!({"user_hash": "sa-1"}), None)]
    #[case::launched_again("old", json!({"user_hash": "sa-1"}), None)]
    #[case::submitted("train", json!({"user_hash": "sa-1", "job_id": 7}), Some(Owner::Script))]
    #[case::job_of_the_same_name("train", json!({"user_hash": "sa-1", "job_id": 8}), None)]
    fn where_users_are_replaced_the_requests_of_the_run_decide(
        #[case] name: &str,
        #[case] row: Value,
        #[case] expected: Option<Owner>,
    ) {
        let launched = Launched::of_test(["bench-1", "old"], [7]);
        let owners = Owners { tag: "skyload-3fa9".to_owned(), script: shared(), launched };
        assert_eq!(owners.of_row(name, &row), expected);
    }
}
