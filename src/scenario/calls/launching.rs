//! Requests that launch clusters and jobs, or that use launched ones.

use serde_json::{Value, json};

use super::{Body, FIVE_SECONDS, launch};
use crate::scenario::expect::{Expectation, Shape};
use crate::scenario::{Call, IterationNames};

/// Text that jobs print, which their output must contain.
const HELLO: &str = "hello";

/// Task that runs `command` on an infra, in the YAML that the SDK sends.
pub(super) fn task(infra: &str, command: &str) -> String {
    format!(
        "name: null\n---\n\nname: skyload\n\nresources:\n  infra: {infra}\n  cpus: 2\n\n\
         num_nodes: 1\n\nrun: {command}\n\nfile_mounts: {{}}\n\nvolumes: {{}}\n"
    )
}

/// Task of a cluster's job.
fn echo(names: &IterationNames) -> String {
    task(&names.shared.infra, "echo hello")
}

/// Task of a managed job: upstream's, with a shorter sleep.
pub(super) fn job(names: &IterationNames) -> String {
    task(&names.shared.infra, "echo hello && sleep 10")
}

pub(crate) static VALIDATE_LAUNCH: Call = Call {
    step: "validate",
    path: "/validate",
    body: Body::Fields(|names| {
        let options = json!({
            "cluster_name": names.own,
            "idle_minutes_to_autostop": null,
            "down": false,
            "dryrun": false,
        });
        json!({"dag": echo(names), "request_options": options})
    }),
    sdk_timeout: None,
    expect: Expectation { value: Shape::Null, errors: &[] },
    prints: None,
};

pub(crate) static LAUNCH: Call = Call {
    step: "launch",
    path: "/launch",
    body: Body::Fields(|names| launch(&echo(names), &names.own)),
    sdk_timeout: FIVE_SECONDS,
    expect: Expectation { value: Shape::JobId, errors: &[] },
    prints: None,
};

/// Cancellation of the launch's request.
pub(crate) static CANCEL_LAUNCH: Call = Call {
    step: "api_cancel",
    path: "/api/cancel",
    // SkyPilot's SDK adds the user's id, which changes nothing for the user's own requests.
    body: Body::Fields(|names| json!({"request_ids": [names.request_id], "user_id": null})),
    sdk_timeout: FIVE_SECONDS,
    expect: Expectation { value: Shape::Any, errors: &[] },
    prints: None,
};

/// Fields of a request for the output of a cluster's first job.
fn logs(cluster: &str) -> Value {
    json!({"cluster_name": cluster, "job_id": 1, "follow": true, "tail": 0})
}

pub(in crate::scenario) static LAUNCHED_LOGS: Call = Call {
    step: "logs",
    path: "/logs",
    body: Body::Fields(|names| logs(&names.own)),
    sdk_timeout: None,
    expect: Expectation { value: Shape::ExitCodeZero, errors: &[] },
    prints: Some(HELLO),
};

pub(in crate::scenario) static TAIL_LOGS: Call =
    Call { body: Body::Fields(|names| logs(&names.shared.cluster)), ..LAUNCHED_LOGS };

pub(in crate::scenario) static EXEC: Call = Call {
    step: "exec",
    path: "/exec",
    body: Body::Fields(|names| {
        json!({
            "task": echo(names),
            "cluster_name": names.shared.cluster,
            "dryrun": false,
            "down": false,
            "backend": null,
        })
    }),
    sdk_timeout: FIVE_SECONDS,
    expect: Expectation { value: Shape::JobId, errors: &[] },
    prints: None,
};

pub(in crate::scenario) static CLUSTER_QUEUE: Call = Call {
    step: "queue",
    path: "/queue",
    body: Body::Fields(|names| {
        json!({
            "cluster_name": names.shared.cluster,
            "skip_finished": false,
            "all_users": false,
        })
    }),
    sdk_timeout: None,
    expect: Expectation { value: Shape::List, errors: &[] },
    prints: None,
};

pub(in crate::scenario) static VALIDATE_JOB: Call = Call {
    step: "validate",
    path: "/validate",
    body: Body::Fields(|names| json!({"dag": job(names), "request_options": null})),
    sdk_timeout: None,
    expect: Expectation { value: Shape::Null, errors: &[] },
    prints: None,
};

pub(in crate::scenario) static JOBS_LAUNCH: Call = Call {
    step: "jobs_launch",
    path: "/jobs/launch",
    body: Body::Fields(|names| json!({"task": job(names), "name": names.own})),
    sdk_timeout: None,
    expect: Expectation { value: Shape::JobId, errors: &[] },
    prints: None,
};

pub(in crate::scenario) static JOBS_LOGS: Call = Call {
    step: "jobs_logs",
    path: "/jobs/logs",
    body: Body::Fields(|names| {
        json!({
            "name": null,
            "job_id": names.job_id,
            "follow": true,
            "controller": false,
            "refresh": false,
            "tail": null,
        })
    }),
    sdk_timeout: None,
    expect: Expectation { value: Shape::ExitCodeZero, errors: &[] },
    prints: Some(HELLO),
};
