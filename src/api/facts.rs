//! What a server is, as far as it can be told from outside without changing anything.

use super::{ApiClient, RequestRow};
use crate::fact::Fact;

/// A request of its own that every server has since there are such requests.
const ALWAYS: &str = "skypilot-status-refresh-daemon";
/// Those that only a server has which runs managed jobs itself; the first one up to 0.12.
const OF_JOBS: [&str; 2] = ["managed-job-status-refresh-daemon", "pool-status-refresh-daemon"];
/// The one that only a server has which runs services itself.
const OF_SERVICES: [&str; 1] = ["sky-serve-status-refresh-daemon"];

/// What a server runs itself, instead of in controllers on machines of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Consolidation {
    /// Managed jobs.
    pub jobs: Fact,
    /// Services.
    pub services: Fact,
}

impl ApiClient {
    /// Finds out what the server runs itself: by its own requests, which it lists with all
    /// others. A user who may see only requests of his own cannot know. Source:
    /// `sky/server/daemons.py`.
    pub async fn consolidation(&self) -> Consolidation {
        self.list_requests().await.map_or_else(|_| Consolidation::default(), |rows| of(&rows))
    }
}

fn of(rows: &[RequestRow]) -> Consolidation {
    let runs = |id: &str| rows.iter().any(|row| row.request_id == id && row.is_under_way());
    let fact = |ids: &[&str]| match runs(ALWAYS) {
        true => ids.iter().any(|id| runs(id)).into(),
        false => Fact::Unknown,
    };
    Consolidation { jobs: fact(&OF_JOBS), services: fact(&OF_SERVICES) }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nothing(&[ALWAYS], Fact::No, Fact::No)]
    #[case::jobs_since_0_13(&[ALWAYS, OF_JOBS[1]], Fact::Yes, Fact::No)]
    #[case::jobs_before(&[ALWAYS, OF_JOBS[0]], Fact::Yes, Fact::No)]
    #[case::services(&[ALWAYS, OF_SERVICES[0]], Fact::No, Fact::Yes)]
    #[case::nobody_knows(&["0a1b2c3d"], Fact::Unknown, Fact::Unknown)]
    fn what_a_server_runs_itself_is_told_by_its_own_requests(
        #[case] ids: &[&str],
        #[case] jobs: Fact,
        #[case] services: Fact,
    ) {
        let row = |id: &&str| RequestRow {
            request_id: (*id).to_owned(),
            name: "sky.x".to_owned(),
            status: "RUNNING".to_owned(),
            user_id: "skypilot-system".to_owned(),
        };
        let rows: Vec<RequestRow> = ids.iter().map(row).collect();
        assert_eq!(of(&rows), Consolidation { jobs, services });
        let ended: Vec<RequestRow> = rows
            .into_iter()
            .map(|row| RequestRow { status: "CANCELLED".to_owned(), ..row })
            .collect();
        assert_eq!(of(&ended), Consolidation::default());
    }
}
