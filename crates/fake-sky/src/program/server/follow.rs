//! `/logs` and `/jobs/logs`: the log of a job, streamed in the response.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::sync::mpsc::Sender;
use tokio::time::Instant;
use uuid::Uuid;

use super::app::{App, LogThread};
use super::call_fault;
use super::cloud::FollowedJob;
use super::completion;
use super::endpoints::Endpoint;
use super::outcome::{Completion, Outcome};
use super::replies::{self, REQUEST_ID, TEXT};
use super::request::{Request, Status};
use super::stream;
use super::submission::accept;
use super::work::Work;

/// Interval at which a followed log is read.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Return value if the cluster disappears while its log is followed: the exit code of
/// `ssh`.
const CONNECTION_LOST: u8 = 255;

/// Responds with the log of a job, followed as it grows. For a missing cluster the stream is
/// empty, and only the result of the request has the error.
pub(crate) fn log(State(app): State<Arc<App>>, endpoint: &Endpoint, body: &Bytes) -> Response {
    let work = match accept(&app, endpoint, body) {
        Ok(work) => work,
        Err(response) => return *response,
    };
    let Some(thread) = app.log_thread() else { return call_fault::unavailable() };
    let id = Uuid::new_v4().to_string();
    let queue = endpoint.queue(&work.body, app.settings.consolidation);
    app.requests.add(Request::new(id.clone(), endpoint, &work.body, queue));
    app.requests.start(&id, None);
    let stream = follow(app, id.clone(), work, thread);
    replies::with_header((TEXT, stream).into_response(), REQUEST_ID, &id)
}

fn follow(app: Arc<App>, id: String, work: Work, thread: LogThread) -> Body {
    let (lines, body) = stream::open(&app.settings);
    tokio::spawn(async move {
        let begun = Instant::now();
        let completion = match completion::injected(&work, &app.settings) {
            Some(injected) => injected.into(),
            None => send_log(&app, &id, &work, &lines).await,
        };
        for line in &completion.log {
            // An error means that the client has disconnected; the request ends all the same.
            _ = lines.send(format!("{line}\n")).await;
        }
        tokio::time::sleep_until(begun + app.settings.stream_floor).await;
        app.requests.finish(&id, completion.outcome);
        // Dropped last: to a client, the end of the stream means that the request is finished.
        drop((lines, thread));
    });
    body
}

/// Sends the log of a job until the job ends, the client disconnects or the request is
/// cancelled. Returns the outcome with the final lines of the log.
async fn send_log(app: &App, id: &str, work: &Work, lines: &Sender<String>) -> Completion {
    let followed = match app.cloud.find_followed(work, &app.settings) {
        Ok(followed) => followed,
        Err(completion) => return completion,
    };
    let Some(mut status) = app.requests.watch(id) else { return Outcome::Cancelled.into() };
    let mut sent = skipped(app, &followed, work);
    loop {
        let Some((log, state)) = app.cloud.read(&followed) else {
            return Outcome::Value(json!(CONNECTION_LOST)).into();
        };
        for line in log.iter().skip(sent) {
            _ = lines.send(format!("{line}\n")).await;
        }
        sent = sent.max(log.len());
        if state.is_final() {
            let outcome = Outcome::Value(json!(state.exit_code()));
            return Completion { outcome, log: followed.final_lines(state) };
        }
        if !work.flag("follow", true) {
            return Outcome::Value(json!(0)).into();
        }
        tokio::select! {
            () = tokio::time::sleep(POLL_INTERVAL) => {}
            // The client has disconnected.
            () = lines.closed() => return Outcome::Cancelled.into(),
            // The request was cancelled.
            _ = status.wait_for(|status: &Status| status.is_final()) => {
                return Outcome::Cancelled.into();
            }
        }
    }
}

/// Number of lines before the last `tail` ones of the request; 0 without `tail`.
fn skipped(app: &App, followed: &FollowedJob, work: &Work) -> usize {
    let tail = work.body["tail"].as_u64().filter(|tail| *tail > 0);
    let tail = tail.and_then(|tail| usize::try_from(tail).ok());
    let lines = app.cloud.read(followed).map_or(0, |(log, _)| log.len());
    tail.map_or(0, |tail| lines.saturating_sub(tail))
}
