//! Services, over HTTP.

use fake_sky::FakeServer;
use serde_json::{Value, json};

use super::{returned, wait_for, with_infra};

const YAML: &str = "service:\n  readiness_probe: /\n  replicas: 2\nrun: python -m http.server\n";

/// Rows of the services `names`, or of all if that is null.
fn rows(server: &FakeServer, names: &Value) -> anyhow::Result<Vec<Value>> {
    let rows = returned(server, "/serve/status", &json!({"service_names": names}))?;
    Ok(rows.map_err(anyhow::Error::msg)?.as_array().cloned().unwrap_or_default())
}

fn become_status(server: &FakeServer, status: &str) -> anyhow::Result<()> {
    let now = || rows(server, &Value::Null).ok()?.first()?["status"].as_str().map(str::to_owned);
    wait_for(status, || (now()? == status).then_some(()))
}

#[test]
fn a_service_becomes_ready_and_is_removed() -> anyhow::Result<()> {
    let server = with_infra(&[])?;
    let error = returned(&server, "/serve/status", &json!({"service_names": null}))?;
    assert_eq!(error, Err("ClusterNotUpError: No live services.".to_owned()));

    let up = json!({"task": YAML, "service_name": "s"});
    let value = returned(&server, "/serve/up", &up)?.expect("the service is created");
    assert_eq!(value, json!(["s", "http://127.0.0.1:30001"]));
    become_status(&server, "READY")?;
    let row = &rows(&server, &json!(["s"]))?[0];
    assert_eq!((&row["name"], &row["endpoint"]), (&json!("s"), &value[1]));
    let replicas = row["replica_info"].as_array().expect("a list");
    assert_eq!((replicas.len(), &replicas[1]["status"]), (2, &json!("READY")));
    assert_eq!(rows(&server, &json!("t"))?, [Value::Null; 0]);
    let again = returned(&server, "/serve/up", &up)?;
    assert!(again.is_err_and(|error| error.contains("'s' is already running")));

    let down = json!({"service_names": ["s"]});
    assert_eq!(returned(&server, "/serve/down", &down)?, Ok(Value::Null));
    let is_removed = || rows(&server, &Value::Null).ok()?.is_empty().then_some(());
    wait_for("the service is removed", is_removed)?;
    // Removing a missing service is no error. The controller keeps running.
    assert_eq!(returned(&server, "/serve/down", &down)?, Ok(Value::Null));
    let clusters = returned(&server, "/status", &json!({}))?.expect("a list");
    assert_eq!(clusters[0]["name"], "sky-serve-controller-fcd1e5cf");
    server.finish()
}

#[test]
fn a_task_without_a_service_section_is_rejected() -> anyhow::Result<()> {
    let server = with_infra(&[])?;
    let up = json!({"task": "run: x\n", "service_name": "s"});
    let error = returned(&server, "/serve/up", &up)?;
    assert_eq!(error, Err("RuntimeError: Service section not found.".to_owned()));
    server.finish()
}
