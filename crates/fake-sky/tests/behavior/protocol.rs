//! HTTP interface, compared with responses observed from SkyPilot 0.14.1.

use std::time::{Duration, Instant};

use fake_sky::{FakeServer, http};
use serde_json::{Value, json};

use super::{error_of, result, submit, submit_and_wait};

/// Fields of a request in SkyPilot's `/api/get`.
const REQUEST_FIELDS: [&str; 17] = [
    "cluster_name",
    "created_at",
    "entrypoint",
    "error",
    "file_mounts_blob_id",
    "finished_at",
    "name",
    "pid",
    "request_body",
    "request_id",
    "return_value",
    "schedule_type",
    "should_retry",
    "status",
    "status_msg",
    "user_id",
    "user_name",
];

fn fields_of(object: &Value) -> Vec<&str> {
    let mut fields: Vec<_> = object
        .as_object()
        .into_iter()
        .flat_map(|object| object.keys())
        .map(String::as_str)
        .collect();
    fields.sort_unstable();
    fields
}

#[test]
fn a_request_succeeds_with_json_in_json() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let body = json!({"env_vars": {"SKYPILOT_USER_ID": "abcd0001", "SKYPILOT_USER": "me"}});
    let id = submit(&server, "/status", &body)?;
    let (status, request) = result(&server, &id)?;

    assert_eq!((status, request["status"].as_str()), (200, Some("SUCCEEDED")));
    assert_eq!(
        (request["return_value"].as_str(), request["error"].as_str()),
        (Some("[]"), Some("null"))
    );
    assert_eq!(
        (request["name"].as_str(), request["user_id"].as_str()),
        (Some("sky.status"), Some("abcd0001"))
    );
    assert_eq!(request["request_id"], id.as_str());
    assert_eq!(fields_of(&request), REQUEST_FIELDS);
    // A unique prefix of the id is accepted as well.
    assert_eq!(result(&server, &id[..13])?.1["request_id"], id.as_str());
    server.finish()
}

#[test]
fn without_a_cloud_requests_end_like_in_skypilot() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_SERVICE_MS", "1")])?;
    for path in ["/status", "/jobs/queue", "/jobs/queue/v2", "/check"] {
        assert_eq!(submit_and_wait(&server, path)?.0, 200, "{path}");
    }
    let failing = [
        ("/serve/status", "short", "RuntimeError"),
        ("/jobs/pool_status", "short", "RuntimeError"),
        ("/queue", "short", "ClusterDoesNotExist"),
        ("/launch", "long", "NoCloudAccessError"),
        ("/exec", "long", "ClusterDoesNotExist"),
    ];
    for (path, queue, kind) in failing {
        let (status, request) = submit_and_wait(&server, path)?;
        assert_eq!((status, request["schedule_type"].as_str()), (500, Some(queue)), "{path}");
        assert_eq!(error_of(&request)?["type"], kind, "{path}");
    }
    server.finish()
}

#[test]
fn invalid_calls_get_fastapis_errors() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let status = |path: &str, body: &Value| {
        http::post(&format!("{}{path}", server.url()), body).map(|response| response.status)
    };
    assert_eq!(status("/launch", &json!({}))?, 422);
    assert_eq!(status("/status", &json!([]))?, 422);
    assert_eq!(status("/validate", &json!({"dag": ""}))?, 422);
    assert_eq!(status("/validate", &json!({"dag": "", "request_options": null}))?, 200);
    assert_eq!(status("/api/get", &json!({}))?, 405);
    assert_eq!(status("/nope", &json!({}))?, 404);
    assert_eq!(result(&server, "nope")?.0, 404);

    let anonymous = json!({"env_vars": {"SKYPILOT_USER": "me"}});
    let response = http::post(&format!("{}/status", server.url()), &anonymous)?;
    assert_eq!((response.status, response.request_id().ok()), (500, None));
    assert!(response.body.starts_with("Traceback"), "{response:?}");
    server.finish()
}

#[test]
fn only_every_kth_request_of_a_name_has_the_fault() -> anyhow::Result<()> {
    let server = FakeServer::start(&[
        ("FAKE_SKY_SERVICE_MS", "1"),
        ("FAKE_SKY_FAIL", "sky.status:3"),
        ("FAKE_SKY_CANCEL", "sky.check:2"),
        ("FAKE_SKY_WRONG_VALUE", "sky.jobs.queue:2"),
        ("FAKE_SKY_TEXT_500", "sky.jobs.queue_v2:2"),
    ])?;
    let statuses: Vec<_> = (0..6)
        .map(|_| Ok(submit_and_wait(&server, "/status")?.0))
        .collect::<anyhow::Result<_>>()?;
    assert_eq!(statuses, [200, 200, 500, 200, 200, 500]);

    submit_and_wait(&server, "/check")?;
    let (status, request) = submit_and_wait(&server, "/check")?;
    assert_eq!((status, request["status"].as_str()), (200, Some("CANCELLED")));
    submit_and_wait(&server, "/jobs/queue")?;
    assert_eq!(submit_and_wait(&server, "/jobs/queue")?.1["return_value"], "null");
    submit_and_wait(&server, "/jobs/queue/v2")?;
    assert!(
        submit_and_wait(&server, "/jobs/queue/v2")
            .is_err_and(|error| error.to_string().contains("Traceback"))
    );
    server.finish()
}

#[test]
fn a_stream_lasts_until_its_request_is_finished() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_SERVICE_MS", "600")])?;
    let begun = Instant::now();
    let id = submit(&server, "/status", &json!({}))?;
    let response = http::get(&format!("{}/api/stream?request_id={id}&follow=True", server.url()))?;
    assert!(begun.elapsed() >= Duration::from_millis(600));
    assert_eq!(response.header("x-skypilot-stream-request-id"), Some(id.as_str()));
    assert_ne!(response.request_id()?, id);
    assert_eq!(result(&server, &id)?.1["status"], "SUCCEEDED");

    let logs =
        http::post(&format!("{}/logs", server.url()), &json!({"cluster_name": "c", "job_id": 1}))?;
    assert_eq!((logs.status, logs.body.as_str()), (200, ""));
    let (status, request) = result(&server, logs.request_id()?)?;
    assert_eq!((status, request["pid"].as_u64()), (500, None), "run by a thread, without a pid");
    server.finish()
}

#[test]
fn the_list_has_active_requests_or_all() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_DAEMONS", "4"), ("FAKE_SKY_IMPORT_MS", "0")])?;
    let list = |query: &str| http::get(&format!("{}/api/status{query}", server.url()))?.json();
    assert_eq!(list("?all_status=False")?.as_array().map(Vec::len), Some(4));
    submit_and_wait(&server, "/status")?;
    assert_eq!(list("?all_status=False")?.as_array().map(Vec::len), Some(4));
    let rows = list("?all_status=True&limit=1&fields=name&fields=status")?;
    assert_eq!(
        (rows[0]["name"].as_str(), rows[0]["status"].as_str()),
        (Some("sky.status"), Some("SUCCEEDED"))
    );
    assert_eq!(rows[0]["request_id"], "");
    assert_eq!(fields_of(&rows[0]), REQUEST_FIELDS);
    // A daemon request never ends, so `/api/get` returns while it runs.
    assert_eq!(result(&server, "skypilot-status-refresh-daemon")?.1["status"], "RUNNING");
    server.finish()
}

#[test]
fn a_waiting_request_can_be_cancelled() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_SERVICE_MS", "1500")])?;
    let launch = json!({"task": "run: x", "cluster_name": "c"});
    // These two occupy both executors for long requests, until the third one is cancelled.
    let running = submit(&server, "/launch", &launch)?;
    submit(&server, "/launch", &launch)?;
    let waiting = submit(&server, "/launch", &launch)?;
    let cancel = submit(&server, "/api/cancel", &json!({"request_ids": [waiting]}))?;
    let (_, cancelled) = result(&server, &cancel)?;
    assert_eq!(cancelled["return_value"], json!([waiting]).to_string());
    assert_eq!(result(&server, &waiting)?.1["status"], "CANCELLED");
    assert_eq!(result(&server, &running)?.1["status"], "FAILED");
    server.finish()
}
