//! Detection of consolidation mode: whether the server runs the controllers of managed jobs and
//! services itself.

use super::{ApiClient, RequestRow};
use crate::fact::Fact;

/// Daemon request that runs on every server, in releases that have daemon requests.
const ALWAYS_RUNNING: &str = "skypilot-status-refresh-daemon";
/// Daemon requests of servers that run managed jobs themselves; the first one up to 0.12.
const JOBS_DAEMONS: [&str; 2] = ["managed-job-status-refresh-daemon", "pool-status-refresh-daemon"];
/// Daemon request of servers that run services themselves.
const SERVE_DAEMONS: [&str; 1] = ["sky-serve-status-refresh-daemon"];

/// Consolidation mode of a server: what runs in the server instead of on controller clusters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Consolidation {
    /// Whether the server runs managed jobs itself.
    pub jobs: Fact,
    /// Whether the server runs services itself.
    pub services: Fact,
}

impl ApiClient {
    /// Detects the consolidation mode by the daemon requests in the server's list of requests.
    /// Unknown for a user who may list only their own requests. Source: `sky/server/daemons.py`.
    pub async fn consolidation(&self) -> Consolidation {
        let rows = self.list_requests().await;
        rows.map_or_else(|_| Consolidation::default(), |rows| by_daemons(&rows))
    }
}

fn by_daemons(rows: &[RequestRow]) -> Consolidation {
    let runs = |id: &str| rows.iter().any(|row| row.request_id == id && row.is_active());
    // Without any daemon in the list, a missing one proves nothing.
    let fact = |ids: &[&str]| match runs(ALWAYS_RUNNING) {
        true => ids.iter().any(|id| runs(id)).into(),
        false => Fact::Unknown,
    };
    Consolidation { jobs: fact(&JOBS_DAEMONS), services: fact(&SERVE_DAEMONS) }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nothing(&[ALWAYS_RUNNING], Fact::No, Fact::No)]
    #[case::jobs_since_0_13(&[ALWAYS_RUNNING, JOBS_DAEMONS[1]], Fact::Yes, Fact::No)]
    #[case::jobs_before(&[ALWAYS_RUNNING, JOBS_DAEMONS[0]], Fact::Yes, Fact::No)]
    #[case::services(&[ALWAYS_RUNNING, SERVE_DAEMONS[0]], Fact::No, Fact::Yes)]
    #[case::no_daemon_listed(&["0a1b2c3d"], Fact::Unknown, Fact::Unknown)]
    fn consolidation_is_detected_by_daemon_requests(
        #[case] ids: &[&str],
        #[case] jobs: Fact,
        #[case] services: Fact,
    ) {
        let row = |id: &&str| RequestRow {
            request_id: (*id).to_owned(),
            name: "sky.x".to_owned(),
            status: "RUNNING".to_owned(),
            user_id: "skypilot-system".to_owned(),
            created: None,
        };
        let rows: Vec<RequestRow> = ids.iter().map(row).collect();
        assert_eq!(by_daemons(&rows), Consolidation { jobs, services });
        let ended: Vec<RequestRow> = rows
            .into_iter()
            .map(|row| RequestRow { status: "CANCELLED".to_owned(), ..row })
            .collect();
        assert_eq!(by_daemons(&ended), Consolidation::default());
    }
}
