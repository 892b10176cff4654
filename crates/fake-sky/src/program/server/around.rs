//! What stands around every call: injected faults, the login, the check of versions.

use std::sync::Arc;

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
/// The oldest protocol that SkyPilot 0.14.1 still serves.
const MIN_API_VERSION: u32 = 24;

/// Around every call: faults, the login, the check of versions, a request id, a line in the
/// log.
pub(crate) async fn around(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    app.note_call();
    let call = format!("{} {}", request.method(), request.uri());
    let fault = CallFault::of(&app, request.uri().path());
    let versions = Versions::of(request.headers());
    let mut response = match versions {
        _ if fault == Some(CallFault::Reset) => call_fault::reset(),
        _ if fault == Some(CallFault::Unavailable) => call_fault::unavailable(),
        _ if !is_known(&app, request.headers()) => unauthorized(),
        Versions::TooOld => too_old(),
        Versions::Unreadable => traceback("ValueError: invalid literal for int() with base 10"),
        Versions::Unsaid | Versions::Served => next.run(request).await,
    };
    if matches!(versions, Versions::TooOld | Versions::Served) {
        response = with_header(response, CLIENT_API_VERSION, &API_VERSION.to_string());
        response = with_header(response, CLIENT_VERSION, VERSION);
    }
    // Trap: every response carries an id, and only a queued call's can be
    // waited for. A traceback comes from outside of what adds it.
    let crashed =
        response.status() == StatusCode::INTERNAL_SERVER_ERROR && !is_json(response.headers());
    if !crashed && !response.headers().contains_key(&REQUEST_ID) {
        response = with_header(response, REQUEST_ID, &Uuid::new_v4().to_string());
    }
    let line = format!("127.0.0.1:0 - \"{call} HTTP/1.1\" {}", response.status().as_u16());
    log::info("httptools_impl.py:476", &line);
    if fault == Some(CallFault::Cut) { call_fault::cut(response) } else { response }
}

/// Whether whoever calls may do so.
fn is_known(app: &App, headers: &HeaderMap) -> bool {
    let given = headers.get(header::AUTHORIZATION).map_or(&b""[..], |given| given.as_bytes());
    match &app.settings.basic_auth {
        Some(login) => given == format!("Basic {}", BASE64_STANDARD.encode(login)).as_bytes(),
        // Trap: where service accounts are not enabled, their tokens are refused, and with
        // them requests that need none.
        None => !given.starts_with(b"Bearer sky_"),
    }
}

fn unauthorized() -> Response {
    let response = detail(StatusCode::UNAUTHORIZED, "Authentication required");
    with_header(response, header::WWW_AUTHENTICATE, "Basic realm=\"SkyPilot\"")
}

/// What a client says of its version.
#[derive(Clone, Copy)]
enum Versions {
    /// Not both headers: nothing is checked.
    Unsaid,
    Served,
    TooOld,
    Unreadable,
}

impl Versions {
    fn of(headers: &HeaderMap) -> Self {
        let (Some(api), Some(_)) = (headers.get(CLIENT_API_VERSION), headers.get(CLIENT_VERSION))
        else {
            return Self::Unsaid;
        };
        match api.to_str().ok().and_then(|api| api.parse::<u32>().ok()) {
            Some(api) if api < MIN_API_VERSION => Self::TooOld,
            Some(_) => Self::Served,
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
