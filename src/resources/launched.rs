//! Requests by which the run's users created resources, on a server that records the login's user
//! for them.
//!
//! Other clients may have the same login, so its user says nothing about a resource's owner there.
//! The body of a request names the user of the run, and its cluster; the result of one that
//! submitted managed jobs has their IDs.

use std::collections::BTreeSet;

use crate::api::{ApiClient, RequestRow, with_retries};
use crate::ids::RunId;
use crate::record::outcome::Failure;
use crate::scenario::job_ids;

/// Names of the requests that create resources.
const CREATING: [&str; 5] =
    ["sky.launch", "sky.start", "sky.exec", "sky.jobs.launch", "sky.serve.up"];

/// Requests and resources of the run's users, as far as they were read.
#[derive(Debug, Default)]
pub(super) struct Launched {
    /// IDs of all requests whose bodies were read.
    read: BTreeSet<String>,
    /// IDs of the requests among them that the run's users sent.
    requests: BTreeSet<String>,
    /// Names of the clusters that they launched.
    pub(super) clusters: BTreeSet<String>,
    /// IDs of the requests that submitted managed jobs and whose results were not read.
    submissions: BTreeSet<String>,
    /// SkyPilot's IDs of the managed jobs that they submitted.
    pub(super) jobs: BTreeSet<u64>,
}

#[cfg(test)]
impl Launched {
    pub(super) fn of_test<const C: usize, const J: usize>(
        clusters: [&str; C],
        jobs: [u64; J],
    ) -> Self {
        let clusters = clusters.map(str::to_owned).into();
        Self { clusters, jobs: jobs.into(), ..Self::default() }
    }
}

/// Whether an active request may still create resources.
pub(super) fn is_creating(row: &RequestRow) -> bool {
    row.is_active() && creates(row)
}

fn creates(row: &RequestRow) -> bool {
    CREATING.contains(&row.name.as_str())
}

impl Launched {
    /// Reads the requests among `rows` that may be of the run and were not read before. `ended`
    /// includes those that have ended, by which a resource's owner is found.
    pub(super) async fn read(
        &mut self,
        client: &ApiClient,
        run: &RunId,
        rows: &[RequestRow],
        ended: bool,
    ) -> Result<(), Failure> {
        let is_needed = |row: &&RequestRow| if ended { creates(row) } else { is_creating(row) };
        let candidates = rows.iter().filter(is_needed).filter(|row| row.may_be_sent_by(run));
        let new = candidates.filter(|row| !self.read.contains(&row.request_id));
        let ids: Vec<&str> = new.map(|row| row.request_id.as_str()).collect();
        let sent = client.sent_requests(&ids).await?;
        self.read.extend(ids.into_iter().map(str::to_owned));
        for sent in sent.into_iter().filter(|sent| sent.user_id.starts_with(&run.user_prefix())) {
            let name = rows.iter().find(|row| row.request_id == sent.request_id);
            match name.map(|row| row.name.as_str()) {
                Some("sky.launch") => self.clusters.extend(sent.cluster),
                Some("sky.jobs.launch") => _ = self.submissions.insert(sent.request_id.clone()),
                _ => {}
            }
            self.requests.insert(sent.request_id);
        }
        self.read_jobs(client, rows).await
    }

    /// Reads the results of the submissions that have succeeded.
    async fn read_jobs(&mut self, client: &ApiClient, rows: &[RequestRow]) -> Result<(), Failure> {
        let succeeded = rows.iter().filter(|row| row.status == "SUCCEEDED");
        for row in succeeded {
            if !self.submissions.contains(&row.request_id) {
                continue;
            }
            let get = async || client.get("jobs launch", &row.request_id).await;
            self.jobs.extend(job_ids(&with_retries(get).await?.result?));
            self.submissions.remove(&row.request_id);
        }
        Ok(())
    }

    /// Whether one of the run's users sent a request.
    pub(super) fn has_request(&self, row: &RequestRow) -> bool {
        self.requests.contains(&row.request_id)
    }
}
