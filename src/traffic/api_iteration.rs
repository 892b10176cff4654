//! Iterations of API scenarios: HTTP requests in the order in which the SDK sends them.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::engine::IterationId;
use super::iteration::Iteration;
use super::log_reader::{LogReader, Source};
use super::{ScenarioContext, archive};
use crate::api::{
    ApiClient, HealthPolicy, RequestResult, Response, no_request_id, retry_while_unavailable,
    unexpected_response,
};
use crate::record::outcome::Failure;
use crate::scenario::{
    self, Action, Call, Circumstances, IterationNames, Scenario, Shape, TAKE_DOWN, job_id,
    submitted,
};

/// Runs one iteration of a scenario, whose actions are `actions`.
pub(super) fn run(
    context: &ScenarioContext,
    scenario: &'static Scenario,
    actions: &'static [Action],
    id: IterationId,
) -> impl Future<Output = Iteration> + use<> {
    let launched = context.takes_cluster_down(scenario).then(|| User::new(context, id));
    let user = User::new(context, id);
    async move {
        let iteration = user.run_iteration(actions).await;
        match launched {
            Some(user) => iteration.followed_by(user.run_iteration(&TAKE_DOWN).await),
            None => iteration,
        }
    }
}

/// Takes down the cluster that an iteration has launched.
pub(super) fn take_down(
    context: &ScenarioContext,
    id: IterationId,
) -> impl Future<Output = Iteration> + use<> {
    User::new(context, id).run_iteration(&TAKE_DOWN)
}

/// User during one iteration.
pub(super) struct User {
    pub(super) client: Arc<ApiClient>,
    pub(super) names: IterationNames,
    circumstances: Circumstances,
    /// SkyPilot version of the SDK whose retries the user has.
    release: String,
    /// Whether the server is on another machine.
    remote: bool,
    pub(super) iteration: Iteration,
}

impl User {
    pub(super) fn new(context: &ScenarioContext, id: IterationId) -> Self {
        Self {
            client: context.client_of(id.user),
            names: context.names(id),
            circumstances: context.environment.circumstances(),
            release: context.environment.server.version.clone(),
            remote: context.plan.is_remote(),
            iteration: context.iteration_of(id),
        }
    }

    async fn run_iteration(mut self, actions: &'static [Action]) -> Iteration {
        let mut ids = HashMap::new();
        for action in actions {
            let action = match action {
                Action::OnlyOn(feature, _) if !feature.is_on(&self.names.shared.infra) => continue,
                Action::OnlyOn(_, action) => action,
                action => action,
            };
            let done = match action {
                Action::Health => self.check_health().await,
                Action::Inline(call) => self.send_inline(call).await,
                Action::Submit(call) => self.submit(call).await.map(|id| {
                    ids.insert(call.step, id);
                }),
                Action::Follow(call) => match ids.get(call.step) {
                    Some(id) => self.follow(call, id).await,
                    // Not reached: a submission that fails ends the iteration.
                    None => Ok(()),
                },
                Action::TailLogs(call) => self.tail_logs(call).await,
                Action::Upload => self.upload().await,
                // Not reached: the action within was taken above.
                Action::OnlyOn(..) => Ok(()),
                Action::WaitForStatus(call, status) => self.wait_for_status(call, status).await,
            };
            if let Err(failure) = done {
                self.iteration.fail(failure);
            }
            if self.iteration.has_failed() && !action.may_fail() {
                // The SDK raises an exception here, which ends the user's program.
                break;
            }
        }
        self.iteration
    }

    /// Requests the server's health, as each SDK process does first. For a server on this
    /// machine the SDK checks again after a transport error, before it would start a server
    /// itself.
    pub(super) async fn check_health(&mut self) -> Result<(), Failure> {
        let (start, client) = (Instant::now(), Arc::clone(&self.client));
        let (mut checks, retries) = (if self.remote { 1 } else { 2 }, Retries::default());
        let health = loop {
            let request =
                async || client.health_with_retries(HealthPolicy::SDK, || retries.add()).await;
            let health = retry_while_unavailable(request, || retries.add()).await;
            checks -= 1;
            match health {
                Err(failure) if checks > 0 && failure.is_transport_error() => retries.add(),
                health => break health,
            }
        };
        self.iteration.add_retries(retries.count());
        self.iteration.step("health", start.elapsed());
        health.map(|_| ())
    }

    /// Sends a request and judges the value in its response.
    pub(super) async fn send_inline(&mut self, call: &Call) -> Result<(), Failure> {
        let response = self.send(call, call.step.to_owned()).await?;
        let no_json = |_| unexpected_response(call.step, 200, "expected a JSON body".to_owned());
        if !call.expect.value.fits_text(&response.body).map_err(no_json)? {
            let value: Value = serde_json::from_slice(&response.body).map_err(no_json)?;
            self.judge(call, Ok(value));
        }
        Ok(())
    }

    /// Sends a queued request and returns its ID.
    pub(super) async fn submit(&mut self, call: &Call) -> Result<String, Failure> {
        let response = self.send(call, submitted(call)).await?;
        response.request_id.ok_or_else(|| no_request_id(call))
    }

    /// Sends a call, and retries it while the response is 503: no server or no free worker. A
    /// lost connection is not retried: the server may have received the request.
    async fn send(&mut self, call: &Call, step: String) -> Result<Response, Failure> {
        let (start, mut retries) = (Instant::now(), 0);
        let (client, names) = (&self.client, &self.names);
        let request = async || client.send(call, names).await?.expect_ok(call.step);
        let response = retry_while_unavailable(request, || retries += 1).await;
        self.iteration.add_retries(retries);
        self.iteration.step(step, start.elapsed());
        response
    }

    /// Streams a request's log to its end and gets its result, as the SDK does.
    async fn follow(&mut self, call: &Call, request_id: &str) -> Result<(), Failure> {
        let client = Arc::clone(&self.client);
        let mut reader = LogReader::new(&client, call, Source::Log(request_id));
        let answer = reader.read_to_end(&self.release).await;
        self.record(call, &reader, answer)
    }

    /// Reads a job's output to its end and gets its exit code, as the SDK does.
    async fn tail_logs(&mut self, call: &Call) -> Result<(), Failure> {
        let (client, names) = (Arc::clone(&self.client), self.names.clone());
        let mut reader = LogReader::new(&client, call, Source::Output(&names));
        let answer = reader.read_to_end(&self.release).await;
        self.record(call, &reader, answer)?;
        // After another failure, missing output is a consequence, not a second failure.
        match reader.missing_output() {
            Some(missing) if !self.iteration.has_failed() => Err(missing),
            _ => Ok(()),
        }
    }

    /// Uploads the working directory, unless the server has it already.
    async fn upload(&mut self) -> Result<(), Failure> {
        let start = Instant::now();
        let (archive, blob_id) = (archive::zipped(), self.names.blob_id());
        let mut retries = 0;
        let uploaded = self.client.upload("upload", &blob_id, archive, || retries += 1).await;
        self.iteration.step("upload", start.elapsed());
        self.iteration.add_retries(retries);
        uploaded
    }

    /// Asks for a cluster's status until the status is `wanted`; without limit, since a scenario has
    /// one.
    async fn wait_for_status(&mut self, call: &Call, wanted: &str) -> Result<(), Failure> {
        /// Pause between two requests, each of which takes an executor of the server.
        const POLL_INTERVAL: Duration = Duration::from_secs(10);
        let start = Instant::now();
        loop {
            let id = self.submit(call).await?;
            let client = Arc::clone(&self.client);
            let mut reader = LogReader::new(&client, call, Source::Log(&id));
            let answer = reader.read_to_end(&self.release).await;
            let rows = self.record_steps(call, &reader, answer)?.result?;
            let status = rows.get(0).and_then(|row| row.get("status")).and_then(Value::as_str);
            match status {
                Some(status) if status == wanted => break,
                Some(_) => tokio::time::sleep(POLL_INTERVAL).await,
                None => {
                    let message =
                        format!("expected a cluster, got {}", client.excerpt(&rows.to_string()));
                    return Err(unexpected_response(call.step, 200, message));
                }
            }
        }
        self.iteration.step(wanted.to_lowercase(), start.elapsed());
        Ok(())
    }

    /// Records the durations of a reader's steps, and judges the result.
    fn record(
        &mut self,
        call: &Call,
        reader: &LogReader<'_>,
        answer: Result<RequestResult, Failure>,
    ) -> Result<(), Failure> {
        let answer = self.record_steps(call, reader, answer)?;
        if let (Shape::JobId, Ok(value)) = (call.expect.value, &answer.result) {
            self.names.job_id = job_id(value).or(self.names.job_id);
        }
        self.judge(call, answer.result);
        Ok(())
    }

    /// Records the durations of a reader's steps.
    fn record_steps(
        &mut self,
        call: &Call,
        reader: &LogReader<'_>,
        answer: Result<RequestResult, Failure>,
    ) -> Result<RequestResult, Failure> {
        // Before the failure is returned: retries and times of a failed reading count as well.
        self.iteration.add_retries(reader.retries);
        self.iteration.step(format!("{}/stream", call.step), reader.streamed);
        if let Some(first_line) = reader.first_line() {
            self.iteration.step(format!("{}/first-line", call.step), first_line);
        }
        if let Some(waited) = reader.waited {
            self.iteration.step(format!("{}/get", call.step), waited);
        }
        let answer = answer?;
        if let Some(on_server) = answer.on_server {
            self.iteration.step(scenario::on_server(call), on_server);
        }
        Ok(answer)
    }

    pub(super) fn judge(&mut self, call: &Call, result: Result<Value, Failure>) {
        let Self { client, iteration, circumstances, .. } = self;
        let excerpt = |value: &Value| client.excerpt(&value.to_string());
        iteration.judge(call.step, result, &call.expect, *circumstances, excerpt);
    }
}

/// Count of retries to which several closures add.
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
