//! Middleware of every call: injected faults, authentication, the version check.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use fake_sky::{API_VERSION, VERSION};
use serde_json::json;
use uuid::Uuid;

use super::app::App;
use super::call_fault::{self, CallFault};
use super::log;
use super::replies::{REQUEST_ID, detail, json_text, traceback, with_header};

const CLIENT_API_VERSION: HeaderName = HeaderName::from_static("x-skypilot-api-version");
const CLIENT_VERSION: HeaderName = HeaderName::from_static("x-skypilot-version");
/// Oldest API version that SkyPilot 0.14.1 supports.
const MIN_API_VERSION: u32 = 24;

/// Handles a call: injects faults, checks credentials and versions, adds a request id to the
/// response, and logs the call.
pub(crate) async fn handle(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    app.note_call();
    let call = format!("{} {}", request.method(), request.uri());
    let (method, path, began) =
        (request.method().to_string(), request.uri().path().to_owned(), Instant::now());
    let fault = CallFault::of(&app, &path);
    let versions = Versions::of(request.headers());
    let mut response = match versions {
        _ if fault == Some(CallFault::Reset) => call_fault::reset(),
        _ if fault == Some(CallFault::Unavailable) => {
            // Read first: a client that still sends a body would get no response.
            _ = axum::body::to_bytes(request.into_body(), usize::MAX).await;
            call_fault::unavailable()
        }
        _ if !is_authorized(&app, &path, request.headers()) => unauthorized(),
        Versions::TooOld => too_old(),
        Versions::Unreadable => traceback("ValueError: invalid literal for int() with base 10"),
        Versions::Missing | Versions::Supported => next.run(request).await,
    };
    if matches!(versions, Versions::TooOld | Versions::Supported) {
        response = with_header(response, CLIENT_API_VERSION, &API_VERSION.to_string());
        response = with_header(response, CLIENT_VERSION, VERSION);
    }
    // Like in SkyPilot, every response has a request id, although only that of a queued call
    // names a request. A traceback has none: it does not pass the middleware that adds the id.
    let crashed =
        response.status() == StatusCode::INTERNAL_SERVER_ERROR && !is_json(response.headers());
    if !crashed && !response.headers().contains_key(&REQUEST_ID) {
        response = with_header(response, REQUEST_ID, &Uuid::new_v4().to_string());
    }
    app.metrics.call(&method, &path, response.status().as_u16(), began.elapsed());
    let line = format!("127.0.0.1:0 - \"{call} HTTP/1.1\" {}", response.status().as_u16());
    log::info("httptools_impl.py:476", &line);
    if fault == Some(CallFault::Cut) { call_fault::cut(response) } else { response }
}

/// Whether the credentials of a call are accepted.
fn is_authorized(app: &App, path: &str, headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map_or("", |given| given.to_str().unwrap_or_default());
    let given = text(header::AUTHORIZATION);
    let settings = &app.settings;
    if let Some(cookie) = &settings.cookie {
        return text(header::COOKIE).split("; ").any(|given| given == cookie);
    }
    match (&settings.basic_auth, &settings.token) {
        // Like in SkyPilot, a health request needs no login.
        (Some(_), _) if path.starts_with("/api/health") => true,
        (Some(login), _) => given == format!("Basic {}", BASE64_STANDARD.encode(login)),
        (None, Some(token)) => given == format!("Bearer {token}"),
        // Like in SkyPilot without service accounts: their tokens are rejected, even on
        // calls that need no authentication.
        (None, None) => !given.starts_with("Bearer sky_"),
    }
}

fn unauthorized() -> Response {
    let response = detail(StatusCode::UNAUTHORIZED, "Authentication required");
    with_header(response, header::WWW_AUTHENTICATE, "Basic realm=\"SkyPilot\"")
}

/// Result of the check of a client's version headers.
#[derive(Clone, Copy)]
enum Versions {
    /// Missing header: without both, nothing is checked.
    Missing,
    Supported,
    TooOld,
    Unreadable,
}

impl Versions {
    fn of(headers: &HeaderMap) -> Self {
        let (Some(api), Some(_)) = (headers.get(CLIENT_API_VERSION), headers.get(CLIENT_VERSION))
        else {
            return Self::Missing;
        };
        match api.to_str().ok().and_then(|api| api.parse::<u32>().ok()) {
            Some(api) if api < MIN_API_VERSION => Self::TooOld,
            Some(_) => Self::Supported,
            None => Self::Unreadable,
        }
    }
}

fn too_old() -> Response {
    let message = format!(
        "Your SkyPilot client version is too old.\nThe server is running on {VERSION} and the \
         minimum compatible version is 0.11.0."
    );
    let body = json!({"error": "version_mismatch", "message": message});
    json_text(StatusCode::BAD_REQUEST, &body)
}

fn is_json(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json")
}
