//! Requests that set up what scenarios share, and that clear away what a run has
//! created. No user waits for these, so the SDK's time limits don't count.

use serde_json::{Value, json};

use super::launching::task;
use super::{Body, launch};
use crate::infrastructure::LOOPBACK;
use crate::scenario::expect::{Expectation, Shape};
use crate::scenario::{Call, IterationNames};

const A_JOB: Expectation = Expectation { value: Shape::JobId, refusals: &[] };

const fn call(step: &'static str, path: &'static str, body: fn(&IterationNames) -> Value) -> Call {
    Call {
        step,
        path,
        body: Body::Fields(body),
        answer_within: None,
        expect: Expectation { value: Shape::Any, refusals: &[] },
        prints: None,
    }
}

/// Launches the shared cluster, and on it the job whose output is read.
pub static LAUNCH_CLUSTER: Call = Call {
    expect: A_JOB,
    ..call("launch", "/launch", |names| {
        launch(&task(&names.shared.infra, "echo hello"), &names.shared.cluster)
    })
};

/// Submits the shared job.
pub static LAUNCH_JOB: Call = Call {
    expect: A_JOB,
    ..call("jobs launch", "/jobs/launch", |names| {
        let command = format!("echo hello && sleep {}", names.job_seconds);
        json!({"task": task(&names.shared.infra, &command), "name": names.shared.job})
    })
};

/// Brings the shared service up: one replica, a web server.
pub static UP_SERVICE: Call = call("serve up", "/serve/up", |names| {
    let port = names.service_port.unwrap_or(8080);
    // On somebody else's machine it must be reached from outside.
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

/// Lists everybody's clusters.
pub static CLUSTERS: Call = call("status", "/status", |_| {
    json!({
        "cluster_names": null,
        "refresh": "NONE",
        "all_users": true,
        "include_credentials": false,
        "summary_response": false,
        "include_handle": false,
    })
});

/// Lists everybody's managed jobs.
pub static JOBS: Call = call(
    "jobs queue",
    "/jobs/queue",
    |_| json!({"refresh": false, "skip_finished": false, "all_users": true, "job_ids": null}),
);

/// Lists all services.
pub static SERVICES: Call =
    call("serve status", "/serve/status", |_| json!({"service_names": null}));

/// Takes the cluster down that `own` names.
pub static DOWN: Call =
    call("down", "/down", |names| json!({"cluster_name": names.own, "purge": false}));

/// Takes the service down that `own` names.
pub static DOWN_SERVICE: Call = call(
    "serve down",
    "/serve/down",
    |names| json!({"service_names": [names.own], "all": false, "purge": false}),
);

/// Cancels the managed job with the number `job_id`.
pub static CANCEL_JOB: Call = call(
    "jobs cancel",
    "/jobs/cancel",
    |names| json!({"name": null, "job_ids": [names.job_id], "all": false, "all_users": false}),
);

/// Cancels the request that `own` names.
pub static CANCEL_REQUEST: Call =
    call("api cancel", "/api/cancel", |names| json!({"request_ids": [names.own], "user_id": null}));

/// Asks which clouds can be launched on.
pub static ENABLED_CLOUDS: Call = Call {
    step: "enabled clouds",
    path: "/enabled_clouds?expand=True",
    body: Body::None,
    answer_within: None,
    expect: Expectation { value: Shape::List, refusals: &[] },
    prints: None,
};

/// Asks whether the clouds can be used that `own` lists, separated by commas.
pub static CHECK: Call = call("check", "/check", |names| {
    let clouds: Vec<&str> = names.own.split(',').collect();
    json!({"clouds": clouds, "verbose": false, "workspace": null})
});
