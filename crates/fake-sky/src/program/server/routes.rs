//! The paths of the server and what each of them does.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderName, StatusCode};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use fake_sky::{API_VERSION, COMMIT, VERSION};
use serde_json::{Value, json};

use super::app::App;
use super::around;
use super::endpoints::{Endpoint, FOLLOWING, Method, QUEUED};
use super::follow;
use super::query::Query;
use super::replies::{self, TEXT, detail, json_text, missing};
use super::request::{Request, Status};
use super::requests::NotFound;
use super::stream;
use super::submission::{accept, object};

const STREAMED_ID: HeaderName = HeaderName::from_static("x-skypilot-stream-request-id");
/// How late a submission is answered that is to be. The SDK waits 5 s for `/launch` and
/// `/exec`.
const LATE_BY: Duration = Duration::from_secs(6);
/// The whole HTTP interface.
pub(crate) fn router(app: Arc<App>) -> Router {
    let mut router = Router::new()
        .route("/api/health", get(health))
        .route("/api/get", get(result))
        .route("/api/stream", get(stream_request))
        .route("/api/status", get(list))
        .route("/validate", post(validate))
        .route("/users/me/workspace", get(not_authenticated));
    for endpoint in QUEUED {
        router = router.route(endpoint.path, queued(endpoint));
    }
    for endpoint in FOLLOWING {
        let follow = move |app, body| async move { follow::log(app, &endpoint, &body) };
        router = router.route(endpoint.path, post(follow));
    }
    router
        .fallback(async || detail(StatusCode::NOT_FOUND, "Not Found"))
        .method_not_allowed_fallback(async || {
            detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
        })
        .layer(middleware::from_fn_with_state(Arc::clone(&app), around::around))
        .with_state(app)
}

async fn health() -> Response {
    let body = json!({
        "status": "healthy", "api_version": API_VERSION.to_string(), "version": VERSION,
        "version_on_disk": VERSION, "commit": COMMIT, "basic_auth_enabled": false, "user": null,
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
        Err(refused) => return *refused,
    };
    let late = app.settings.late.hit(work.name, work.count);
    let id = app.queue(endpoint, work);
    if late {
        tokio::time::sleep(LATE_BY).await;
    }
    replies::queued(&id)
}

async fn validate(body: Bytes) -> Response {
    let body = match object(&body) {
        Ok(body) => body,
        Err(refused) => return *refused,
    };
    match ["dag", "request_options"].into_iter().find(|field| !body.contains_key(*field)) {
        Some(field) => missing("body", field),
        None => json_text(StatusCode::OK, &Value::Null),
    }
}

/// `/api/get`: waits for the end of a request and tells it. A request that
/// failed is an HTTP error, one that was cancelled is not.
async fn result(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    let id = match named_request(&app, &Query::new(query.as_deref())) {
        Ok(id) => id,
        Err(refused) => return *refused,
    };
    let daemon = app.requests.look(&id, Request::is_daemon).unwrap_or_default();
    if let Some(mut status) = app.requests.watch(&id) {
        // The server's own requests never end: running is what they come to.
        let enough = |status: &Status| status.is_final() || (daemon && *status == Status::Running);
        _ = status.wait_for(enough).await;
    }
    let ended = app.requests.look(&id, |request| (request.status(), request.encoded()));
    match ended {
        Some((Status::Failed, request)) => detail(StatusCode::INTERNAL_SERVER_ERROR, request),
        Some((_, request)) => json_text(StatusCode::OK, &request),
        None => detail(StatusCode::NOT_FOUND, format!("Request '{id}' not found")),
    }
}

/// `/api/stream`: the log of a request, until it is finished.
async fn stream_request(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    let query = Query::new(query.as_deref());
    let id = match named_request(&app, &query) {
        Ok(id) => id,
        Err(refused) => return *refused,
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
    app.requests.resolve(prefix).map_err(|why| {
        let refused = match why {
            NotFound::Unknown => {
                detail(StatusCode::NOT_FOUND, format!("Request '{prefix}' not found"))
            }
            NotFound::Ambiguous => detail(
                StatusCode::BAD_REQUEST,
                format!("Multiple requests found for request ID prefix: {prefix}"),
            ),
        };
        refused.into()
    })
}

/// `/api/status`: the requests that are there, newest first.
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
    let rows = app.requests.rows(query.flag("all_status", false), limit, &query.all("fields"));
    json_text(StatusCode::OK, &Value::Array(rows))
}
