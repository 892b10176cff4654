//! Calls that upload files (`/upload_v2`).

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use super::app::App;
use super::log;
use super::query::Query;
use super::replies::{detail, json_text, missing};

/// Number of digits of a blob's id, a SHA-256.
const ID_DIGITS: usize = 64;

/// Handles `/upload_v2/blob`: whether the user has uploaded the blob.
pub(crate) async fn exists(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    let query = Query::new(query.as_deref());
    let (Some(user), Some(blob)) = (query.get("user_hash"), query.get("blob_id")) else {
        return missing("query", "blob_id");
    };
    if !is_id(blob) {
        return detail(StatusCode::BAD_REQUEST, format!("Invalid blob_id: {blob}"));
    }
    json_text(StatusCode::OK, &json!({"exists": app.uploads.has(app.user_or_login(user), blob)}))
}

/// Handles `/upload_v2`: receives a part of a blob, which must be a part of a zip file.
pub(crate) async fn receive(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    let query = Query::new(query.as_deref());
    let number = |name| query.get(name).and_then(|text| text.parse::<u64>().ok());
    let (Some(user), Some(blob), Some(part), Some(parts)) = (
        query.get("user_hash"),
        query.get("upload_id"),
        number("chunk_index"),
        number("total_chunks"),
    ) else {
        return missing("query", "upload_id");
    };
    if !is_id(blob) {
        return detail(StatusCode::BAD_REQUEST, format!("Invalid upload_id for v2: {blob}"));
    }
    if part == 0 && !body.starts_with(b"PK\x03\x04") {
        return detail(StatusCode::BAD_REQUEST, "Invalid zip file: File is not a zip file");
    }
    log::info("server.py:2010", &format!("Uploaded chunk: {blob}, {} bytes", body.len()));
    let missing = app.uploads.add(app.user_or_login(user), blob, part, parts);
    let status = if missing.is_empty() { "completed" } else { "uploading" };
    let missing = (!missing.is_empty()).then_some(missing);
    json_text(StatusCode::OK, &json!({"status": status, "missing_chunks": missing}))
}

fn is_id(blob: &str) -> bool {
    blob.len() == ID_DIGITS && blob.bytes().all(|byte| byte.is_ascii_hexdigit())
}
