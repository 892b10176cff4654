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
use crate::scenario::{Action, Call, Circumstances};

/// How long the SDK sends a request again that found no worker free.
const RETRY_FOR: Duration = Duration::from_secs(600);

/// How long it waits before it does so for the first time.
const FIRST_RETRY_AFTER: Duration = Duration::from_secs(5);

/// Takes one wave of turns.
pub(super) async fn wave(
    stage: &Stage,
    actions: &'static [Action],
    until: Until<'_>,
) -> (WaveOutcome, Ended) {
    let circumstances = stage.environment.server.circumstances();
    let turns =
        wave::take(stage, until, || take_turn(Arc::clone(&stage.client), actions, circumstances))
            .await;
    let mut outcome = turns.outcome;
    for taken in turns.taken {
        taken.turn.add_to(&mut outcome, taken.whole);
    }
    (outcome, turns.ended)
}

async fn take_turn(
    client: Arc<ApiClient>,
    actions: &'static [Action],
    circumstances: Circumstances,
) -> Turn {
    let mut turn = Turn::default();
    let mut ids = HashMap::new();
    for action in actions {
        let done = match action {
            Action::Health => ask_for_health(&client, &mut turn).await,
            Action::Inline(call) => send_inline(&client, call, circumstances, &mut turn).await,
            Action::Submit(call) => match submit(&client, call, &mut turn).await {
                Ok(id) => {
                    ids.insert(call.step, id);
                    Ok(())
                }
                Err(failure) => Err(failure),
            },
            Action::Follow(call) => match ids.get(call.step) {
                Some(id) => follow(&client, call, id, circumstances, &mut turn).await,
                None => Ok(()),
            },
        };
        if let Err(failure) = done {
            // The SDK raises here, and its user sends nothing more.
            turn.fail(failure);
            break;
        }
    }
    turn
}

async fn ask_for_health(client: &ApiClient, turn: &mut Turn) -> Result<(), Failure> {
    let start = Instant::now();
    let health = client.health(HealthPatience::SDK).await;
    turn.step("health", start.elapsed());
    health.map(|_| ())
}

async fn send_inline(
    client: &ApiClient,
    call: &Call,
    circumstances: Circumstances,
    turn: &mut Turn,
) -> Result<(), Failure> {
    let start = Instant::now();
    let response = client.send(call).await;
    turn.step(call.step, start.elapsed());
    let response = expect_ok(call, response?)?;
    let value: Value = serde_json::from_slice(&response.body)
        .map_err(|_| wrong_value(call.step, 200, "the body is not JSON".to_owned()))?;
    turn.judge(call.step, Ok(value), &call.expect, circumstances);
    Ok(())
}

/// Sends a queued request and returns its id.
async fn submit(client: &ApiClient, call: &Call, turn: &mut Turn) -> Result<String, Failure> {
    let start = Instant::now();
    let mut pause = FIRST_RETRY_AFTER;
    let response = loop {
        let response = client.send(call).await;
        let no_worker = response.as_ref().is_ok_and(|response| response.status == 503);
        if !no_worker || start.elapsed() + pause >= RETRY_FOR {
            break response;
        }
        turn.retried();
        tokio::time::sleep(pause).await;
        pause = pause.mul_f64(1.5);
    };
    turn.step(format!("{}/submit", call.step), start.elapsed());
    expect_ok(call, response?)?
        .request_id
        .ok_or_else(|| wrong_value(call.step, 200, "the response has no request id".to_owned()))
}

/// Streams a request's log to its end and gets its result, as the SDK does.
async fn follow(
    client: &ApiClient,
    call: &Call,
    request_id: &str,
    circumstances: Circumstances,
    turn: &mut Turn,
) -> Result<(), Failure> {
    let start = Instant::now();
    let streamed = client.stream(call.step, request_id).await;
    turn.step(format!("{}/stream", call.step), start.elapsed());
    streamed?;
    let start = Instant::now();
    let answer = client.get(call.step, request_id).await;
    turn.step(format!("{}/get", call.step), start.elapsed());
    let answer = answer?;
    if let Some(on_server) = answer.on_server {
        turn.step(format!("{}/queue+run", call.step), on_server);
    }
    turn.judge(call.step, answer.result, &call.expect, circumstances);
    Ok(())
}

fn expect_ok(call: &Call, response: Response) -> Result<Response, Failure> {
    if response.status == 200 {
        Ok(response)
    } else {
        Err(http_failure(call.step, response.status, &response.body))
    }
}
