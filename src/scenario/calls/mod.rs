//! HTTP requests of scenarios, as SkyPilot's SDK sends them.

pub(super) mod cloud;
pub(super) mod held;
pub(crate) mod launching;
pub(super) mod session;
pub mod shared;

use std::time::Duration;

use serde_json::{Value, json};

use super::expect::{self, Expectation, Shape};
use super::{Call, IterationNames};

/// Body of a request.
#[derive(Clone, Copy, Debug)]
pub enum Body {
    /// `GET` request without a body.
    None,
    /// JSON fields, added to those that every request of the SDK has.
    Fields(fn(&IterationNames) -> Value),
}

/// SDK timeout of some requests, which the SDK does not retry. Source: `timeout=5` in
/// `sky/client/sdk.py`.
const FIVE_SECONDS: Option<Duration> = Some(Duration::from_secs(5));

/// Task for validation and dry runs.
const TASK: &str = "name: null\n---\n\nname: echo\n\nresources: {}\n\nnum_nodes: 1\n\n\
                    run: echo hello\n\nfile_mounts: {}\n\nvolumes: {}\n";

pub(crate) static STATUS: Call = Call {
    step: "status",
    path: "/status",
    body: Body::Fields(|_| status("NONE")),
    sdk_timeout: None,
    expect: Expectation { value: Shape::List, errors: &[] },
    prints: None,
};

pub(super) static STATUS_REFRESH: Call = Call {
    step: "status_refresh",
    path: "/status",
    body: Body::Fields(|_| status("FORCE")),
    sdk_timeout: None,
    expect: Expectation { value: Shape::List, errors: &[] },
    prints: None,
};

fn status(refresh: &str) -> Value {
    json!({
        "cluster_names": null,
        "refresh": refresh,
        "all_users": false,
        "include_credentials": false,
        "summary_response": false,
        "include_handle": true,
    })
}

pub(super) static JOBS_QUEUE: Call = Call {
    step: "jobs_queue",
    path: "/jobs/queue",
    body: Body::Fields(|_| jobs_queue(false)),
    sdk_timeout: None,
    expect: Expectation { value: Shape::List, errors: &[expect::NO_JOBS_CONTROLLER] },
    prints: None,
};

pub(super) static JOBS_QUEUE_UNFINISHED: Call = Call {
    step: "jobs_queue",
    path: "/jobs/queue",
    body: Body::Fields(|_| jobs_queue(true)),
    sdk_timeout: None,
    expect: Expectation { value: Shape::List, errors: &[expect::NO_JOBS_CONTROLLER] },
    prints: None,
};

fn jobs_queue(skip_finished: bool) -> Value {
    json!({
        "refresh": false,
        "skip_finished": skip_finished,
        "all_users": false,
        "job_ids": null,
    })
}

pub(super) static SERVE_STATUS: Call = Call {
    step: "serve_status",
    path: "/serve/status",
    body: Body::Fields(|_| json!({"service_names": null})),
    sdk_timeout: None,
    expect: Expectation {
        value: Shape::List,
        errors: &[expect::NO_NETWORK_FOR_SERVICES, expect::NO_SERVE_CONTROLLER],
    },
    prints: None,
};

pub(super) static VALIDATE: Call = Call {
    step: "validate",
    path: "/validate",
    body: Body::Fields(|_| json!({"dag": TASK, "request_options": null})),
    sdk_timeout: None,
    expect: Expectation { value: Shape::Null, errors: &[] },
    prints: None,
};

pub(super) static API_STATUS: Call = Call {
    step: "api_status",
    path: "/api/status?all_status=False",
    body: Body::None,
    sdk_timeout: None,
    expect: Expectation { value: Shape::List, errors: &[] },
    prints: None,
};

pub(super) static LAUNCH_DRYRUN: Call = Call {
    step: "launch_dryrun",
    path: "/launch",
    body: Body::Fields(|_| {
        let mut fields = launch(TASK, "skyload-dryrun");
        fields["dryrun"] = true.into();
        fields
    }),
    sdk_timeout: FIVE_SECONDS,
    expect: Expectation { value: Shape::Any, errors: &[expect::NO_CLOUD] },
    prints: None,
};

/// Fields of a launch. Older servers ignore fields that they do not know.
fn launch(task: &str, cluster: &str) -> Value {
    json!({
        "task": task,
        "cluster_name": cluster,
        "retry_until_up": false,
        "idle_minutes_to_autostop": null,
        "dryrun": false,
        "down": false,
        "backend": null,
        "optimize_target": 0,
        "no_setup": false,
        "clone_disk_from": null,
        "fast": false,
        "quiet_optimizer": false,
        "is_launched_by_jobs_controller": false,
        "is_launched_by_sky_serve_controller": false,
        "disable_controller_check": false,
    })
}
