//! Requests that launch clusters and jobs, or that use launched ones.

use serde_json::{Value, json};

use super::{Body, FIVE_SECONDS, launch};
use crate::scenario::expect::{Expectation, Shape};
use crate::scenario::{Call, IterationNames};

/// Text that jobs print, which their output must contain.
const HELLO: &str = "hello";

/// Task that runs `command` on an infra, in the YAML that the SDK sends.
pub(super) fn task(infra: &str, command: &str) -> String {
    dag("null", infra, command)
}

/// Task after its header, which has the name of the DAG.
fn dag(name: &str, infra: &str, command: &str) -> String {
    format!(
        "name: {name}\n---\n\nname: skyload\n\nresources:\n  infra: {infra}\n  cpus: 2\n\n\
         num_nodes: 1\n\nrun: {command}\n\nfile_mounts: {{}}\n\nvolumes: {{}}\n"
    )
}

/// Fields of a submission of a managed job. SkyPilot's server names the job by the header of its
/// task, where the SDK writes the name, and ignores the field `name`.
pub(super) fn managed_job(name: &str, infra: &str, command: &str) -> Value {
    json!({"task": dag(name, infra, command), "name": name})
}

/// Task of a cluster's job.
fn echo(names: &IterationNames) -> String {
    task(&names.shared.infra, "echo hello")
}

/// Command of a managed job: upstream's, with a shorter sleep.
const JOB: &str = "echo hello && sleep 10";

/// Fields of a submission of an iteration's managed job.
pub(super) fn job(names: &IterationNames, name: &str) -> Value {
    managed_job(name, &names.shared.infra, JOB)
}

/// Fields of a validation of an iteration's managed job.
pub(super) fn job_to_validate(names: &IterationNames, name: &str) -> Value {
    json!({"dag": dag(name, &names.shared.infra, JOB), "request_options": null})
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
    body: Body::Fields(|names| job_to_validate(names, &names.own)),
    sdk_timeout: None,
    expect: Expectation { value: Shape::Null, errors: &[] },
    prints: None,
};

pub(in crate::scenario) static JOBS_LAUNCH: Call = Call {
    step: "jobs_launch",
    path: "/jobs/launch",
    body: Body::Fields(|names| job(names, &names.own)),
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rstest::rstest;

    use super::*;
    use crate::scenario::calls::{session, shared};

    #[rstest]
    #[case::of_an_iteration(&JOBS_LAUNCH)]
    #[case::of_a_session(&session::JOBS_LAUNCH)]
    #[case::shared(&shared::LAUNCH_JOB)]
    #[case::until_the_teardown(&shared::LAUNCH_LONG_MANAGED_JOB)]
    fn a_managed_job_has_its_name_in_the_header_of_its_task(#[case] call: &Call) {
        let Body::Fields(fields) = call.body else { panic!("no body") };
        let mut names = IterationNames { own: "mine".to_owned(), ..IterationNames::none() };
        let shared = Arc::make_mut(&mut names.shared);
        (shared.job, shared.long_job) = ("shared".to_owned(), "long".to_owned());
        let body = fields(&names);
        let (name, task) = (body["name"].as_str().unwrap(), body["task"].as_str().unwrap());
        assert!(!name.is_empty() && task.starts_with(&format!("name: {name}\n---\n")), "{body}");
    }

    #[rstest]
    #[case::of_an_iteration(&VALIDATE_JOB, &JOBS_LAUNCH)]
    #[case::of_a_session(&session::VALIDATE_JOB, &session::JOBS_LAUNCH)]
    fn the_managed_job_that_is_validated_is_the_one_that_is_submitted(
        #[case] validated: &Call,
        #[case] submitted: &Call,
    ) {
        let (Body::Fields(validated), Body::Fields(submitted)) = (validated.body, submitted.body)
        else {
            panic!("no body")
        };
        let names = IterationNames { own: "mine".to_owned(), ..IterationNames::none() };
        assert_eq!(validated(&names)["dag"], submitted(&names)["task"]);
    }
}
