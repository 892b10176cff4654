//! Routes of the server and their handlers.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, RawQuery, State};
use axum::http::{HeaderName, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use fake_sky::{API_VERSION, COMMIT, VERSION};
use serde_json::{Value, json};

use super::app::App;
use super::endpoints::{Endpoint, LOG_STREAMS, Method, QUEUED};
use super::follow;
use super::middleware;
use super::query::Query;
use super::replies::{self, TEXT, detail, json_text, missing};
use super::request::{Request, Status};
use super::requests::NotFound;
use super::stream;
use super::submission::{accept, object};
use super::upload_calls;

const STREAMED_ID: HeaderName = HeaderName::from_static("x-skypilot-stream-request-id");
/// Delay of the response to a submission, for the injected fault `FAKE_SKY_LATE`. Longer than
/// the SDK timeout of `/launch` and `/exec`, 5 s.
const LATE_BY: Duration = Duration::from_secs(6);

/// Router of the whole HTTP interface.
pub(crate) fn router(app: Arc<App>) -> Router {
    let mut router = Router::new()
        .route("/api/health", get(health))
        .route("/api/get", get(result))
        .route("/api/stream", get(stream_request))
        .route("/api/status", get(list))
        .route("/validate", post(validate))
        .route("/upload_v2/blob", get(upload_calls::exists))
        .route("/upload_v2", post(upload_calls::receive).layer(DefaultBodyLimit::disable()))
        .route("/users/me/workspace", get(not_authenticated));
    for endpoint in QUEUED {
        router = router.route(endpoint.path, queued(endpoint));
    }
    for endpoint in LOG_STREAMS {
        let follow = move |app, body| async move { follow::log(app, &endpoint, &body) };
        router = router.route(endpoint.path, post(follow));
    }
    router
        .fallback(async || detail(StatusCode::NOT_FOUND, "Not Found"))
        .method_not_allowed_fallback(async || {
            detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
        })
        .layer(from_fn_with_state(Arc::clone(&app), middleware::handle))
        .with_state(app)
}

async fn health(State(app): State<Arc<App>>) -> Response {
    let commit = app.settings.commit.as_deref().unwrap_or(COMMIT);
    let body = json!({
        "status": "healthy", "api_version": API_VERSION.to_string(), "version": VERSION,
        "version_on_disk": VERSION, "commit": commit, "basic_auth_enabled": false, "user": null,
        "service_account_token_enabled": false, "ingress_basic_auth_enabled": false,
        "latest_version": null, "external_proxy_auth_enabled": true, "telemetry_enabled": false,
        "restrict_config_to_admins": true,
    });
    json_text(StatusCode::OK, &body)
}

async fn not_authenticated() -> Response {
    detail(StatusCode::UNAUTHORIZED, "Not authenticated.")
}

fn queued(endpoint: Endpoint) -> MethodRouter<Arc<App>> {
    match endpoint.method {
        Method::Get => {
            get(move |app| async move { submit(app, &endpoint, &Bytes::from_static(b"{}")).await })
        }
        Method::Post => {
            post(move |app, body: Bytes| async move { submit(app, &endpoint, &body).await })
        }
    }
}

async fn submit(State(app): State<Arc<App>>, endpoint: &Endpoint, body: &Bytes) -> Response {
    let work = match accept(&app, endpoint, body) {
        Ok(work) => work,
        Err(response) => return *response,
    };
    let late = app.settings.late.hit(work.name, work.count);
    // Queued before the delay: the request runs even if the client gives up.
    let id = app.queue(endpoint, work);
    if late {
        tokio::time::sleep(LATE_BY).await;
    }
    replies::queued(&id)
}

async fn validate(body: Bytes) -> Response {
    let body = match object(&body) {
        Ok(body) => body,
        Err(response) => return *response,
    };
    match ["dag", "request_options"].into_iter().find(|field| !body.contains_key(*field)) {
        Some(field) => missing("body", field),
        None => json_text(StatusCode::OK, &Value::Null),
    }
}

/// Handles `/api/get`: waits for the end of a request and returns it. HTTP 500 if the
/// request failed, but not if it was cancelled.
async fn result(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    let id = match named_request(&app, &Query::new(query.as_deref())) {
        Ok(id) => id,
        Err(response) => return *response,
    };
    let daemon = app.requests.inspect(&id, Request::is_daemon).unwrap_or_default();
    if let Some(mut status) = app.requests.watch(&id) {
        // A daemon request never ends, so wait only until it runs.
        let is_done = |status: &Status| status.is_final() || (daemon && *status == Status::Running);
        _ = status.wait_for(is_done).await;
    }
    let ended = app.requests.inspect(&id, |request| (request.status(), request.encoded()));
    match ended {
        Some((Status::Failed, request)) => detail(StatusCode::INTERNAL_SERVER_ERROR, request),
        Some((_, request)) => json_text(StatusCode::OK, &request),
        None => detail(StatusCode::NOT_FOUND, format!("Request '{id}' not found")),
    }
}

/// Handles `/api/stream`: streams the log of a request until the request ends.
async fn stream_request(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    let query = Query::new(query.as_deref());
    let id = match named_request(&app, &query) {
        Ok(id) => id,
        Err(response) => return *response,
    };
    match stream::of_request(app, id.clone(), query.flag("follow", true)) {
        Some(body) => replies::with_header((TEXT, body).into_response(), STREAMED_ID, &id),
        None => detail(StatusCode::NOT_FOUND, format!("Request '{id}' not found")),
    }
}

fn named_request(app: &App, query: &Query) -> Result<String, Box<Response>> {
    let Some(prefix) = query.get("request_id") else {
        return Err(missing("query", "request_id").into());
    };
    app.requests.resolve(prefix).map_err(|reason| {
        let response = match reason {
            NotFound::Unknown => {
                detail(StatusCode::NOT_FOUND, format!("Request '{prefix}' not found"))
            }
            NotFound::Ambiguous => detail(
                StatusCode::BAD_REQUEST,
                format!("Multiple requests found for request ID prefix: {prefix}"),
            ),
        };
        response.into()
    })
}

/// Handles `/api/status`: lists the requests that the query names, or all, newest first.
async fn list(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    let query = Query::new(query.as_deref());
    let limit = match query.get("limit").map(str::parse).transpose() {
        Ok(limit) => limit,
        Err(_) => {
            let error = json!([{
                "type": "int_parsing", "loc": ["query", "limit"], "input": query.get("limit"),
                "msg": "Input should be a valid integer, unable to parse string as an integer",
            }]);
            return detail(StatusCode::UNPROCESSABLE_ENTITY, error);
        }
    };
    let rows = match query.all("request_ids") {
        named if !named.is_empty() => app.requests.rows_of(&named),
        _ => app.requests.rows(query.flag("all_status", false), limit, &query.all("fields")),
    };
    json_text(StatusCode::OK, &Value::Array(rows))
}
