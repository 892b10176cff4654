//! Requests of a session that are about the user's own cluster and managed job.

use serde_json::{Value, json};

use super::launching::{self, task};
use super::{Body, launch};
use crate::scenario::expect::{Expectation, Shape};
use crate::scenario::{Call, IterationNames, UPLOADED_WORKDIR};

/// Task of the cluster's first job, with the uploaded working directory.
fn task_with_workdir(names: &IterationNames) -> String {
    let task = task(&names.shared.infra, "echo hello && ls");
    format!(
        "{task}\nworkdir: {UPLOADED_WORKDIR}\n\nfile_mounts_mapping:\n  {UPLOADED_WORKDIR}: \
         {UPLOADED_WORKDIR}\n"
    )
}

pub(in crate::scenario) static VALIDATE_LAUNCH: Call = Call {
    body: Body::Fields(|names| {
        let options = json!({
            "cluster_name": names.own,
            "idle_minutes_to_autostop": null,
            "down": false,
            "dryrun": false,
        });
        json!({"dag": task_with_workdir(names), "request_options": options})
    }),
    ..launching::VALIDATE_LAUNCH
};

pub(in crate::scenario) static LAUNCH: Call = Call {
    body: Body::Fields(|names| {
        let mut fields = launch(&task_with_workdir(names), &names.own);
        fields["file_mounts_blob_id"] = names.blob_id().into();
        fields
    }),
    ..launching::LAUNCH
};

/// Job on the user's cluster.
fn exec(names: &IterationNames, command: &str) -> Value {
    json!({
        "task": task(&names.shared.infra, command),
        "cluster_name": names.own,
        "dryrun": false,
        "down": false,
        "backend": null,
    })
}

pub(in crate::scenario) static VALIDATE_EXEC: Call = Call {
    body: Body::Fields(|names| {
        let task = task(&names.shared.infra, "echo hello");
        json!({"dag": task, "request_options": null})
    }),
    ..launching::VALIDATE_LAUNCH
};

pub(in crate::scenario) static EXEC: Call =
    Call { body: Body::Fields(|names| exec(names, "echo hello")), ..launching::EXEC };

/// Job that runs until it is cancelled.
pub(in crate::scenario) static EXEC_LONG: Call =
    Call { body: Body::Fields(|names| exec(names, "sleep 600")), ..launching::EXEC };

pub(in crate::scenario) static QUEUE: Call = Call {
    body: Body::Fields(
        |names| json!({"cluster_name": names.own, "skip_finished": false, "all_users": false}),
    ),
    ..launching::CLUSTER_QUEUE
};

/// Cancellation of the cluster's last job.
pub(in crate::scenario) static CANCEL: Call = Call {
    step: "cancel",
    path: "/cancel",
    body: Body::Fields(|names| {
        json!({
            "cluster_name": names.own,
            "job_ids": [names.job_id],
            "all": false,
            "all_users": false,
            "try_cancel_if_cluster_is_init": false,
        })
    }),
    sdk_timeout: None,
    expect: Expectation { value: Shape::Null, errors: &[] },
    prints: None,
};

pub(in crate::scenario) static VALIDATE_JOB: Call = Call {
    body: Body::Fields(|names| launching::job_to_validate(names, &names.own_job())),
    ..launching::VALIDATE_JOB
};

pub(in crate::scenario) static JOBS_LAUNCH: Call = Call {
    body: Body::Fields(|names| launching::job(names, &names.own_job())),
    ..launching::JOBS_LAUNCH
};

/// List of managed jobs, which has the session's own. No error is expected.
pub(in crate::scenario) static JOBS_QUEUE: Call =
    Call { expect: Expectation { value: Shape::List, errors: &[] }, ..super::JOBS_QUEUE };
