//! Validation of a submission, before it becomes a request.

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::app::App;
use super::endpoints::Endpoint;
use super::replies::{detail, missing, traceback};
use super::work::Work;

/// Name of the login's user.
const LOGIN_NAME: &str = "login";

/// Validated submission, or the error response.
pub(crate) fn accept(app: &App, endpoint: &Endpoint, body: &Bytes) -> Result<Work, Box<Response>> {
    let body = object(body)?;
    if let Some(field) = endpoint.required.iter().find(|field| !body.contains_key(**field)) {
        return Err(missing("body", field).into());
    }
    let mut body = Value::Object(body);
    if let Some(user) = &app.settings.login_user {
        record_login(&mut body, user);
    }
    if let Some(blob) = body["file_mounts_blob_id"].as_str()
        && !app.uploads.has(body["env_vars"]["SKYPILOT_USER_ID"].as_str().unwrap_or_default(), blob)
    {
        let message = format!("FileNotFoundError: Blob {blob} does not exist.");
        return Err(traceback(&message).into());
    }
    if let Some(variables) = body["env_vars"].as_object() {
        // SkyPilot's handler crashes with HTTP 500 if `env_vars` lacks one of these.
        let identity = ["SKYPILOT_USER_ID", "SKYPILOT_USER"];
        if let Some(name) = identity.into_iter().find(|name| !variables.contains_key(*name)) {
            return Err(traceback(&format!("KeyError: '{name}'")).into());
        }
    }
    // Counted only here: rejected submissions do not shift the numbers that faults are set for.
    let count = app.count(endpoint.name);
    if app.settings.text_500.hit(endpoint.name, count) {
        return Err(traceback("sqlite3.OperationalError: database is locked").into());
    }
    Ok(Work { name: endpoint.name, count, body })
}

/// Replaces the user in a body by that of the login. As in SkyPilot, the other variables of the
/// client stay.
fn record_login(body: &mut Value, user: &str) {
    if let Some(variables) = body.get_mut("env_vars").and_then(Value::as_object_mut) {
        variables.insert("SKYPILOT_USER_ID".to_owned(), user.into());
        variables.insert("SKYPILOT_USER".to_owned(), LOGIN_NAME.into());
    }
}

/// Fields of a JSON body, or FastAPI's error response if it is no object.
pub(crate) fn object(body: &Bytes) -> Result<Map<String, Value>, Box<Response>> {
    serde_json::from_slice(body).map_err(|_| {
        let text = String::from_utf8_lossy(body);
        let error = json!([{
            "type": "model_attributes_type", "loc": ["body"], "input": text,
            "msg": "Input should be a valid dictionary or object to extract fields from",
        }]);
        detail(StatusCode::UNPROCESSABLE_ENTITY, error).into()
    })
}
