//! `/logs` and `/jobs/logs`: the log of a job in the response itself. A thread of
//! the server runs their requests, and no executor.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::sync::mpsc::Sender;
use tokio::time::Instant;
use uuid::Uuid;

use super::answers;
use super::app::App;
use super::cloud::Followed;
use super::endpoints::Endpoint;
use super::outcome::{Answer, Outcome};
use super::replies::{self, REQUEST_ID, TEXT};
use super::request::{Request, Status};
use super::stream;
use super::submission::accept;
use super::work::Work;

/// How often a log is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// What following a log returns whose cluster vanishes: `ssh` says so.
const CONNECTION_LOST: u8 = 255;

/// Answers with the log of a job, as it grows. For a job that is not there that
/// is an empty stream, and the reason stands only in the request's result.
pub(crate) fn log(State(app): State<Arc<App>>, endpoint: &Endpoint, body: &Bytes) -> Response {
    let work = match accept(&app, endpoint, body) {
        Ok(work) => work,
        Err(refused) => return *refused,
    };
    let id = Uuid::new_v4().to_string();
    let queue = endpoint.queue(&work.body, app.settings.consolidation);
    app.requests.add(Request::new(id.clone(), endpoint, &work.body, queue));
    app.requests.start(&id, None);
    let stream = follow(app, id.clone(), work);
    replies::with_header((TEXT, stream).into_response(), REQUEST_ID, &id)
}

fn follow(app: Arc<App>, id: String, work: Work) -> Body {
    let (lines, body) = stream::open();
    tokio::spawn(async move {
        let begun = Instant::now();
        let answer = match answers::injected(&work, &app.settings) {
            Some(injected) => injected.into(),
            None => tell(&app, &id, &work, &lines).await,
        };
        for line in &answer.log {
            _ = lines.send(format!("{line}\n")).await;
        }
        tokio::time::sleep_until(begun + app.settings.stream_floor).await;
        app.requests.finish(&id, answer.outcome);
        drop(lines);
    });
    body
}

/// Sends the log of a job until the job, the client or the request ends; what
/// is left to say is in the answer.
async fn tell(app: &App, id: &str, work: &Work, lines: &Sender<String>) -> Answer {
    let followed = match app.cloud.to_follow(work, &app.settings) {
        Ok(followed) => followed,
        Err(answer) => return answer,
    };
    let Some(mut status) = app.requests.watch(id) else { return Outcome::Cancelled.into() };
    let mut told = skipped(app, &followed, work);
    loop {
        let Some((log, state)) = app.cloud.read(&followed) else {
            return Outcome::Value(json!(CONNECTION_LOST)).into();
        };
        for line in log.iter().skip(told) {
            _ = lines.send(format!("{line}\n")).await;
        }
        told = told.max(log.len());
        if state.is_final() {
            let outcome = Outcome::Value(json!(state.exit_code()));
            return Answer { outcome, log: followed.last_words(state) };
        }
        if !work.flag("follow", true) {
            return Outcome::Value(json!(0)).into();
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            // Nobody listens any more, or somebody has cancelled it.
            () = lines.closed() => return Outcome::Cancelled.into(),
            _ = status.wait_for(|status: &Status| status.is_final()) => {
                return Outcome::Cancelled.into();
            }
        }
    }
}

/// How many lines stand before the last ones that were asked for.
fn skipped(app: &App, followed: &Followed, work: &Work) -> usize {
    let tail = work.body["tail"].as_u64().filter(|tail| *tail > 0);
    let tail = tail.and_then(|tail| usize::try_from(tail).ok());
    let there = app.cloud.read(followed).map_or(0, |(log, _)| log.len());
    tail.map_or(0, |tail| there.saturating_sub(tail))
}
