//! Requests whose response is a log that grows for the whole load.

use serde_json::json;

use super::Body;
use super::launching::{JOBS_LOGS, TAIL_LOGS};
use crate::scenario::Call;
use crate::scenario::expect::{Expectation, Shape};

/// Output of the job that runs on the shared cluster until the teardown.
pub(in crate::scenario) static LOGS: Call = Call {
    body: Body::Fields(|names| {
        json!({
            "cluster_name": names.shared.cluster,
            "job_id": names.job_id,
            "follow": true,
            "tail": 0,
        })
    }),
    prints: None,
    ..TAIL_LOGS
};

/// Output of the managed job that runs until the teardown.
pub(in crate::scenario) static JOBS: Call = Call { prints: None, ..JOBS_LOGS };

/// Log of the request by which the server refreshes the status of clusters, for its lifetime.
/// Releases from 0.9 on have it, and it needs no infra. (Source: `sky/server/daemons.py`.)
pub(in crate::scenario) static STREAM: Call = Call {
    step: "stream",
    path: "/api/stream?request_id=skypilot-status-refresh-daemon&follow=True&format=console",
    body: Body::None,
    sdk_timeout: None,
    expect: Expectation { value: Shape::Any, errors: &[] },
    prints: None,
};
