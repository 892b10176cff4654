//! The HTTP requests of scenarios, as SkyPilot's SDK sends them.

pub(super) mod launching;
pub mod shared;

use std::time::Duration;

use serde_json::{Value, json};

use super::expect::{self, Expectation, Shape};
use super::{Call, IterationNames};

/// What a request carries.
#[derive(Clone, Copy, Debug)]
pub enum Body {
    /// Nothing: the request is a `GET`.
    None,
    /// These fields, beside those that every request of the SDK has.
    Fields(fn(&IterationNames) -> Value),
}

/// The SDK gives some requests five seconds to be answered, and does not send
/// them again. Source: `timeout=5` in `sky/client/sdk.py`.
const FIVE_SECONDS: Option<Duration> = Some(Duration::from_secs(5));

/// The task that is validated and planned.
const TASK: &str = "name: null\n---\n\nname: echo\n\nresources: {}\n\nnum_nodes: 1\n\n\
                    run: echo hello\n\nfile_mounts: {}\n\nvolumes: {}\n";

pub(crate) static STATUS: Call = Call {
    step: "status",
    path: "/status",
    body: Body::Fields(|_| status("NONE")),
    answer_within: None,
    expect: Expectation { value: Shape::List, refusals: &[] },
    prints: None,
};

pub(super) static STATUS_REFRESH: Call = Call {
    step: "status_refresh",
    path: "/status",
    body: Body::Fields(|_| status("FORCE")),
    answer_within: None,
    expect: Expectation { value: Shape::List, refusals: &[] },
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
    answer_within: None,
    expect: Expectation { value: Shape::List, refusals: &[expect::NO_JOBS_CONTROLLER] },
    prints: None,
};

pub(super) static JOBS_QUEUE_UNFINISHED: Call = Call {
    step: "jobs_queue",
    path: "/jobs/queue",
    body: Body::Fields(|_| jobs_queue(true)),
    answer_within: None,
    expect: Expectation { value: Shape::List, refusals: &[expect::NO_JOBS_CONTROLLER] },
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
    answer_within: None,
    expect: Expectation {
        value: Shape::List,
        refusals: &[expect::NO_NETWORK_FOR_SERVICES, expect::NO_SERVE_CONTROLLER],
    },
    prints: None,
};

pub(super) static VALIDATE: Call = Call {
    step: "validate",
    path: "/validate",
    body: Body::Fields(|_| json!({"dag": TASK, "request_options": null})),
    answer_within: None,
    expect: Expectation { value: Shape::Null, refusals: &[] },
    prints: None,
};

pub(super) static API_STATUS: Call = Call {
    step: "api_status",
    path: "/api/status?all_status=False",
    body: Body::None,
    answer_within: None,
    expect: Expectation { value: Shape::List, refusals: &[] },
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
    answer_within: FIVE_SECONDS,
    expect: Expectation { value: Shape::Any, refusals: &[expect::NO_CLOUD] },
    prints: None,
};

/// The fields of a launch. An older server passes over those that it doesn't know.
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
