//! An iteration that consists of HTTP requests, in the order in which the SDK sends them.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use tokio::time::Instant;

use super::Stage;
use super::iteration::Iteration;
use super::reading::{Reading, What};
use super::segment::{self, Until};
use crate::api::{
    ApiClient, HealthPolicy, RequestResult, Response, no_request_id, retry_while_unavailable,
    unexpected_response,
};
use crate::record::outcome::{Ended, Failure, SegmentOutcome};
use crate::scenario::{Action, Call, Circumstances, IterationNames};

/// Runs one segment of iterations.
pub(super) async fn segment(
    stage: &Stage,
    actions: &'static [Action],
    number: u32,
    until: Until<'_>,
) -> (SegmentOutcome, Ended) {
    let circumstances = stage.environment.circumstances();
    let iterations = segment::take(stage, number, until, |user| {
        let user = User {
            client: Arc::clone(&stage.client),
            names: stage.names(number, user),
            circumstances,
            release: stage.environment.server.version.clone(),
            remote: stage.plan.is_remote(),
            iteration: Iteration::at(stage.place(user)),
        };
        user.run_iteration(actions)
    })
    .await;
    let mut outcome = iterations.outcome;
    for taken in iterations.taken {
        taken.iteration.add_to(&mut outcome, taken.whole);
    }
    (outcome, iterations.ended)
}

/// One user while the iteration lasts.
struct User {
    client: Arc<ApiClient>,
    names: IterationNames,
    circumstances: Circumstances,
    /// The release that the SDK is of.
    release: String,
    /// Whether the server is on another machine.
    remote: bool,
    iteration: Iteration,
}

impl User {
    async fn run_iteration(mut self, actions: &'static [Action]) -> Iteration {
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
                self.iteration.fail(failure);
            }
            if self.iteration.has_failed() && !action.may_be_refused() {
                // The SDK raises here, and its user sends nothing more.
                break;
            }
        }
        self.iteration
    }

    /// Asks for the server's health, as each SDK process does first. On this machine the SDK
    /// looks a second time before it would start a server of its own.
    async fn ask_for_health(&mut self) -> Result<(), Failure> {
        let (start, client) = (Instant::now(), Arc::clone(&self.client));
        let (mut looks, retries) = (if self.remote { 1 } else { 2 }, Retries::default());
        let health = loop {
            let asked =
                async || client.health_with_retries(HealthPolicy::SDK, || retries.add()).await;
            let health = retry_while_unavailable(asked, || retries.add()).await;
            looks -= 1;
            match health {
                Err(failure) if looks > 0 && failure.is_transport_error() => retries.add(),
                health => break health,
            }
        };
        self.iteration.retried(retries.count());
        self.iteration.step("health", start.elapsed());
        health.map(|_| ())
    }

    async fn send_inline(&mut self, call: &Call) -> Result<(), Failure> {
        let response = self.send(call, call.step.to_owned()).await?;
        let value: Value = serde_json::from_slice(&response.body)
            .map_err(|_| unexpected_response(call.step, 200, "the body is not JSON".to_owned()))?;
        self.judge(call, Ok(value));
        Ok(())
    }

    /// Sends a queued request and returns its id.
    async fn submit(&mut self, call: &Call) -> Result<String, Failure> {
        let response = self.send(call, format!("{}/submit", call.step)).await?;
        response.request_id.ok_or_else(|| no_request_id(call))
    }

    /// Sends a call, and sends it again while no server or no worker is free. A connection
    /// that breaks is the end of it: the request may have arrived.
    async fn send(&mut self, call: &Call, step: String) -> Result<Response, Failure> {
        let (start, mut retries) = (Instant::now(), 0);
        let (client, names) = (&self.client, &self.names);
        let sent = async || client.send(call, names).await?.expect_ok(call.step);
        let response = retry_while_unavailable(sent, || retries += 1).await;
        self.iteration.retried(retries);
        self.iteration.step(step, start.elapsed());
        response
    }

    /// Streams a request's log to its end and gets its result, as the SDK does.
    async fn follow(&mut self, call: &Call, request_id: &str) -> Result<(), Failure> {
        let client = Arc::clone(&self.client);
        let mut reading = Reading::new(&client, call, What::Log(request_id));
        let answer = reading.read_whole(&self.release).await;
        self.note(call, &reading, answer)
    }

    /// Reads a job's output to its end and gets its exit code, as the SDK does.
    async fn watch(&mut self, call: &Call) -> Result<(), Failure> {
        let (client, names) = (Arc::clone(&self.client), self.names.clone());
        let mut reading = Reading::new(&client, call, What::Output(&names));
        let answer = reading.read_whole(&self.release).await;
        self.note(call, &reading, answer)?;
        // Said only of a job that did its work: if it didn't, that has been said.
        match reading.missing() {
            Some(missing) if !self.iteration.has_failed() => Err(missing),
            _ => Ok(()),
        }
    }

    /// Notes what a reading took and how it ended.
    fn note(
        &mut self,
        call: &Call,
        reading: &Reading<'_>,
        answer: Result<RequestResult, Failure>,
    ) -> Result<(), Failure> {
        self.iteration.retried(reading.retries);
        self.iteration.step(format!("{}/stream", call.step), reading.streamed);
        if let Some(waited) = reading.waited {
            self.iteration.step(format!("{}/get", call.step), waited);
        }
        let answer = answer?;
        if let Some(on_server) = answer.on_server {
            self.iteration.step(format!("{}/queue+run", call.step), on_server);
        }
        self.judge(call, answer.result);
        Ok(())
    }

    fn judge(&mut self, call: &Call, result: Result<Value, Failure>) {
        let Self { client, iteration, circumstances, .. } = self;
        let excerpt = |value: &Value| client.excerpt(&value.to_string());
        iteration.judge(call.step, result, &call.expect, *circumstances, excerpt);
    }
}

/// A count that several may add to.
#[derive(Default)]
struct Retries(Cell<u64>);

impl Retries {
    fn add(&self) {
        self.0.set(self.0.get() + 1);
    }

    const fn count(&self) -> u64 {
        self.0.get()
    }
}
