//! Requests that set up shared resources, and that find and tear down everything that a run
//! has created. No user waits for these, so SDK timeouts do not apply.

use serde_json::{Value, json};

use super::launching::{managed_job, task};
use super::{Body, launch};
use crate::infrastructure::LOOPBACK;
use crate::scenario::expect::{Expectation, Shape};
use crate::scenario::{Call, IterationNames};

const JOB_ID: Expectation = Expectation { value: Shape::JobId, errors: &[] };

const fn call(step: &'static str, path: &'static str, body: fn(&IterationNames) -> Value) -> Call {
    Call {
        step,
        path,
        body: Body::Fields(body),
        sdk_timeout: None,
        expect: Expectation { value: Shape::Any, errors: &[] },
        prints: None,
    }
}

/// Launch of the shared cluster, with the job whose output users read.
pub static LAUNCH_CLUSTER: Call = Call {
    expect: JOB_ID,
    ..call("launch", "/launch", |names| {
        launch(&task(&names.shared.infra, "echo hello"), &names.shared.cluster)
    })
};

/// Submission of the shared managed job.
pub static LAUNCH_JOB: Call = Call {
    expect: JOB_ID,
    ..call("jobs launch", "/jobs/launch", |names| {
        let command = format!("echo hello && sleep {}", names.job_seconds);
        managed_job(&names.shared.job, &names.shared.infra, &command)
    })
};

/// Command of jobs that run until the teardown. Prints regularly, so that a gap in their output is
/// the server's.
const WITHOUT_END: &str = "while true; do echo hello; sleep 5; done";

/// Submission of a job to the shared cluster that runs until the teardown.
pub static LAUNCH_LONG_JOB: Call = Call {
    expect: JOB_ID,
    ..call("exec", "/exec", |names| {
        json!({
            "task": task(&names.shared.infra, WITHOUT_END),
            "cluster_name": names.shared.cluster,
            "dryrun": false,
            "down": false,
            "backend": null,
        })
    })
};

/// Submission of a managed job that runs until the teardown.
pub static LAUNCH_LONG_MANAGED_JOB: Call = Call {
    expect: JOB_ID,
    ..call("jobs launch", "/jobs/launch", |names| {
        managed_job(&names.shared.long_job, &names.shared.infra, WITHOUT_END)
    })
};

/// Start of the shared service: one replica, which is a web server.
pub static UP_SERVICE: Call = call("serve up", "/serve/up", |names| {
    let port = names.service_port.unwrap_or(8080);
    // A cloud's replica must be reachable from the server's machine; on loopback the web
    // server must not be reachable from outside.
    let bind = if names.shared.infra == LOOPBACK { "--bind 127.0.0.1 " } else { "" };
    let task = format!(
        "name: null\n---\n\nname: {name}\n\nservice:\n  readiness_probe:\n    path: /\n    \
         initial_delay_seconds: 300\n  replicas: 1\n  ports: {port}\n\nresources:\n  infra: {infra}\n  cpus: 2\n  \
         ports: {port}\n\nnum_nodes: 1\n\nrun: python3 -m http.server {bind}{port}\n",
        name = names.shared.service,
        infra = names.shared.infra,
    );
    json!({"task": task, "service_name": names.shared.service})
});

/// List of the clusters of all users.
pub static CLUSTERS: Call = call("status", "/status", |_| {
    json!({
        "cluster_names": null,
        "refresh": "NONE",
        // Users of the load have IDs of their own; the run's tag selects its rows.
        "all_users": true,
        "include_credentials": false,
        "summary_response": false,
        "include_handle": false,
    })
});

/// List of the managed jobs of all users.
pub static JOBS: Call = call(
    "jobs queue",
    "/jobs/queue",
    |_| json!({"refresh": false, "skip_finished": false, "all_users": true, "job_ids": null}),
);

/// List of all services.
pub static SERVICES: Call =
    call("serve status", "/serve/status", |_| json!({"service_names": null}));

/// Teardown of the cluster that `own` names.
pub static DOWN: Call =
    call("down", "/down", |names| json!({"cluster_name": names.own, "purge": false}));

/// Teardown of the service that `own` names.
pub static DOWN_SERVICE: Call = call(
    "serve down",
    "/serve/down",
    |names| json!({"service_names": [names.own], "all": false, "purge": false}),
);

/// Cancellation of the managed job with ID `job_id`.
pub static CANCEL_JOB: Call = call(
    "jobs cancel",
    "/jobs/cancel",
    |names| json!({"name": null, "job_ids": [names.job_id], "all": false, "all_users": false}),
);

/// Cancellation of the API request with the ID in `own`.
pub static CANCEL_REQUEST: Call =
    call("api cancel", "/api/cancel", |names| json!({"request_ids": [names.own], "user_id": null}));

/// List of the clouds that the server can launch on.
pub static ENABLED_CLOUDS: Call = Call {
    step: "enabled clouds",
    path: "/enabled_clouds?expand=True",
    body: Body::None,
    sdk_timeout: None,
    expect: Expectation { value: Shape::List, errors: &[] },
    prints: None,
};

/// `sky check` of the clouds that `own` lists, separated by commas.
pub static CHECK: Call = call("check", "/check", |names| {
    let clouds: Vec<&str> = names.own.split(',').collect();
    json!({"clouds": clouds, "verbose": false, "workspace": null})
});
