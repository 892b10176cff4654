//! A turn that consists of HTTP requests, in the order in which the SDK sends them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::Stage;
use super::turn::Turn;
use super::wave::{self, Until};
use crate::api::{ApiClient, HealthPatience, Response, http_failure, wrong_value};
use crate::outcome::{Ended, Failure, WaveOutcome};
use crate::scenario::{Action, Call, Circumstances, TurnNames};

/// How long the SDK sends a request again that found no worker free.
const RETRY_FOR: Duration = Duration::from_secs(600);

/// How long it waits before it does so for the first time.
const FIRST_RETRY_AFTER: Duration = Duration::from_secs(5);

/// Takes one wave of turns.
pub(super) async fn wave(
    stage: &Stage,
    actions: &'static [Action],
    number: u32,
    until: Until<'_>,
) -> (WaveOutcome, Ended) {
    let circumstances = stage.environment.circumstances();
    let turns = wave::take(stage, number, until, |user| {
        let user = User {
            client: Arc::clone(&stage.client),
            names: stage.names(number, user),
            circumstances,
            turn: Turn::at(stage.place(user)),
        };
        user.take_turn(actions)
    })
    .await;
    let mut outcome = turns.outcome;
    for taken in turns.taken {
        taken.turn.add_to(&mut outcome, taken.whole);
    }
    (outcome, turns.ended)
}

/// One user while the turn lasts.
struct User {
    client: Arc<ApiClient>,
    names: TurnNames,
    circumstances: Circumstances,
    turn: Turn,
}

impl User {
    async fn take_turn(mut self, actions: &'static [Action]) -> Turn {
        let mut ids = HashMap::new();
        for action in actions {
            let done = match action {
                Action::Health => self.ask_for_health().await,
                Action::Inline(call) => self.send_inline(call).await,
                Action::Submit(call) => self.submit(call).await.map(|id| {
                    ids.insert(call.step, id);
                }),
                Action::Follow(call) => match ids.get(call.step) {
                    Some(id) => self.follow(call, id).await,
                    None => Ok(()),
                },
                Action::Watch(call) => self.watch(call).await,
            };
            if let Err(failure) = done {
                self.turn.fail(failure);
            }
            if self.turn.has_failed() && !action.may_be_refused() {
                // The SDK raises here, and its user sends nothing more.
                break;
            }
        }
        self.turn
    }

    async fn ask_for_health(&mut self) -> Result<(), Failure> {
        let start = Instant::now();
        let health = self.client.health(HealthPatience::SDK).await;
        self.turn.step("health", start.elapsed());
        health.map(|_| ())
    }

    async fn send_inline(&mut self, call: &Call) -> Result<(), Failure> {
        let start = Instant::now();
        let response = self.client.send(call, &self.names).await;
        self.turn.step(call.step, start.elapsed());
        let response = expect_ok(call, response?)?;
        let value: Value = serde_json::from_slice(&response.body)
            .map_err(|_| wrong_value(call.step, 200, "the body is not JSON".to_owned()))?;
        self.turn.judge(call.step, Ok(value), &call.expect, self.circumstances);
        Ok(())
    }

    /// Sends a queued request and returns its id.
    async fn submit(&mut self, call: &Call) -> Result<String, Failure> {
        let start = Instant::now();
        let mut pause = FIRST_RETRY_AFTER;
        let response = loop {
            let response = self.client.send(call, &self.names).await;
            let no_worker = response.as_ref().is_ok_and(|response| response.status == 503);
            if !no_worker || start.elapsed() + pause >= RETRY_FOR {
                break response;
            }
            self.turn.retried();
            tokio::time::sleep(pause).await;
            pause = pause.mul_f64(1.5);
        };
        self.turn.step(format!("{}/submit", call.step), start.elapsed());
        expect_ok(call, response?)?.request_id.ok_or_else(|| no_request_id(call))
    }

    /// Streams a request's log to its end and gets its result, as the SDK does.
    async fn follow(&mut self, call: &Call, request_id: &str) -> Result<(), Failure> {
        let start = Instant::now();
        let streamed = self.client.stream(call.step, request_id).await;
        self.turn.step(format!("{}/stream", call.step), start.elapsed());
        streamed?;
        self.get(call, request_id).await
    }

    /// Reads a job's output to its end and gets its exit code, as the SDK does.
    async fn watch(&mut self, call: &Call) -> Result<(), Failure> {
        let start = Instant::now();
        let watched = self.client.watch(call, &self.names).await;
        self.turn.step(format!("{}/stream", call.step), start.elapsed());
        let watched = watched?;
        let request_id = watched.request_id.ok_or_else(|| no_request_id(call))?;
        self.get(call, &request_id).await?;
        // Said only of a job that did its work: if it didn't, that has been said.
        match call.prints {
            Some(text) if !watched.printed && !self.turn.has_failed() => {
                Err(wrong_value(call.step, 200, format!("`{text}` is not in the job's output")))
            }
            _ => Ok(()),
        }
    }

    async fn get(&mut self, call: &Call, request_id: &str) -> Result<(), Failure> {
        let start = Instant::now();
        let answer = self.client.get(call.step, request_id).await;
        self.turn.step(format!("{}/get", call.step), start.elapsed());
        let answer = answer?;
        if let Some(on_server) = answer.on_server {
            self.turn.step(format!("{}/queue+run", call.step), on_server);
        }
        self.turn.judge(call.step, answer.result, &call.expect, self.circumstances);
        Ok(())
    }
}

fn no_request_id(call: &Call) -> Failure {
    wrong_value(call.step, 200, "the response has no request id".to_owned())
}

fn expect_ok(call: &Call, response: Response) -> Result<Response, Failure> {
    if response.status == 200 {
        Ok(response)
    } else {
        Err(http_failure(call.step, response.status, &response.body))
    }
}
