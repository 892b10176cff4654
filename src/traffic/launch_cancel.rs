//! Iterations of `api:launch_cancel`: a launch that is cancelled after a delay, or a probe launch
//! that must finish; then the teardown.
//!
//! Each request has a limit. One that exceeds it is a suspected wedge, and is left as it is, so that
//! its executor can be examined: a teardown of its cluster would cancel it.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::ScenarioContext;
use super::api_iteration::User;
use super::engine::IterationId;
use super::executors;
use super::iteration::Iteration;
use crate::api::{RequestResult, unexpected_response};
use crate::plan::Cancellations;
use crate::record::outcome::{
    ClientFault, Failure, LimitedSince, RequestExecutor, RequestRecord, SuspectedWedge, error_type,
};
use crate::scenario::{
    CANCEL, CANCEL_LAUNCH, Call, DOWN, ENDED_BEFORE_CANCEL, LAUNCH, LAUNCH_CALL, NO_CLUSTER,
    ScenarioId, VALIDATE_LAUNCH, on_server, shared_calls,
};

/// Time limit for reading the record of a request that is stuck.
const RECORD_WITHIN: Duration = Duration::from_secs(10);

/// Runs one iteration.
pub(super) fn run(
    context: &Rc<ScenarioContext>,
    id: IterationId,
) -> impl Future<Output = Iteration> + use<> {
    let (context, mut user) = (Rc::clone(context), User::new(context, id));
    async move {
        let Some(cancellations) = context.planned.cancellations.clone() else {
            user.iteration.fail(Failure {
                step: ScenarioId::ApiLaunchCancel.name().to_owned(),
                status: None,
                error_type: ClientFault::Skyload.name().to_owned(),
                message: "the plan has no cancellations".to_owned(),
            });
            return user.iteration;
        };
        let (position, infras) = (context.position_of(id), context.resources.len());
        let delay = cancellations.delay(position, infras, &mut context.random_of(id));
        Launch { context, user, number: id.user, cancellations }.run(delay).await
    }
}

/// Submitted request.
struct Submitted {
    id: String,
    call: &'static Call,
    /// Time of the submission.
    at: Instant,
}

/// End of a launch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Launched {
    /// End by itself.
    Finished,
    /// End by its cancellation.
    Cancelled,
}

/// Reason for which an iteration goes no further.
enum Stop {
    Failure(Failure),
    /// Request that exceeded its limit, with its step.
    Wedge(&'static str, Box<SuspectedWedge>),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// Iteration in progress.
struct Launch {
    context: Rc<ScenarioContext>,
    user: User,
    /// Number of the user.
    number: u32,
    cancellations: Cancellations,
}

impl Launch {
    /// Launches a cluster, cancels the launch after `delay` if there is one, and takes down what is
    /// left.
    async fn run(mut self, delay: Option<Duration>) -> Iteration {
        let ready = self.prepare().await;
        if let Err(failure) = ready {
            self.user.iteration.fail(failure);
        }
        if self.user.iteration.has_failed() {
            return self.user.iteration;
        }
        let launched = self.launch(delay).await;
        let was_cancelled = matches!(launched, Ok(Launched::Cancelled));
        let is_left = matches!(launched, Err(Stop::Wedge(..)));
        self.note(launched.err());
        if !is_left {
            let down = self.take_down(was_cancelled).await;
            self.note(down.err());
        }
        self.user.iteration
    }

    /// Adds the reason for which a part of the iteration went no further.
    fn note(&mut self, stop: Option<Stop>) {
        let iteration = &mut self.user.iteration;
        match stop {
            Some(Stop::Wedge(step, wedge)) => iteration.suspect(step, *wedge),
            // After another failure, this one is only a consequence.
            Some(Stop::Failure(failure)) if !iteration.has_failed() => iteration.fail(failure),
            Some(Stop::Failure(_)) | None => {}
        }
    }

    async fn prepare(&mut self) -> Result<(), Failure> {
        self.user.check_health().await?;
        self.user.send_inline(&VALIDATE_LAUNCH).await
    }

    async fn launch(&mut self, delay: Option<Duration>) -> Result<Launched, Stop> {
        let launch = self.submit(&LAUNCH_CALL).await?;
        match delay {
            Some(delay) => {
                sleep(delay).await;
                self.cancel(launch).await
            }
            None => {
                let answer = self.end_of(&launch, launch.at, LimitedSince::Submission).await?;
                // Only a launch that succeeds shows that executors work.
                if answer.result.is_ok() {
                    self.record(&launch, LAUNCH, &answer);
                }
                self.judge(&launch, answer);
                Ok(Launched::Finished)
            }
        }
    }

    /// Cancels a launch, and waits until its record is CANCELLED.
    async fn cancel(&mut self, launch: Submitted) -> Result<Launched, Stop> {
        self.user.names.request_id = Some(launch.id.clone());
        let cancel = self.submit(&CANCEL_LAUNCH).await?;
        let cancelled = self.end_of(&cancel, cancel.at, LimitedSince::Submission).await?;
        self.record_run(&cancel, &cancelled);
        let finished = cancelled.finished();
        cancelled.result?;
        let ended = self.end_of(&launch, cancel.at, LimitedSince::Cancellation).await?;
        if ended.is_cancelled() {
            self.user.iteration.step(CANCEL, cancel.at.elapsed());
            let (now, is_local) = (self.context.timeline.now(), !self.context.plan.is_remote());
            self.context.cancelled.add(launch.id, now, ended.pid, is_local);
            return Ok(Launched::Cancelled);
        }
        // By the clock of the server. Without its times, the launch may have ended before.
        if ended.finished().zip(finished).is_some_and(|(launch, cancel)| launch > cancel) {
            let message = "expected status CANCELLED, and the launch ended by itself after its \
                           cancellation";
            return Err(unexpected_response(launch.call.step, 200, message.to_owned()).into());
        }
        if let Some(took) = ended.on_server {
            self.user.iteration.step(ENDED_BEFORE_CANCEL, took);
        }
        self.judge(&launch, ended);
        Ok(Launched::Finished)
    }

    /// Takes down the cluster. A cancelled launch may have made none yet.
    async fn take_down(&mut self, was_cancelled: bool) -> Result<(), Stop> {
        let down = self.submit(&shared_calls::DOWN).await?;
        let answer = self.end_of(&down, down.at, LimitedSince::Submission).await?;
        match &answer.result {
            Err(failure) if was_cancelled && failure.error_type == "ClusterDoesNotExist" => {
                self.user.iteration.step(NO_CLUSTER, down.at.elapsed());
            }
            _ => {
                self.record(&down, DOWN, &answer);
                self.judge(&down, answer);
            }
        }
        Ok(())
    }

    /// Submits a request. The SDK waits for some responses without limit.
    async fn submit(&mut self, call: &'static Call) -> Result<Submitted, Stop> {
        let (at, limit) = (Instant::now(), self.cancellations.stuck_after);
        match timeout(limit, self.user.submit(call)).await {
            Ok(id) => Ok(Submitted { id: id?, call, at }),
            Err(_) => Err(Stop::Failure(Failure {
                step: call.step.to_owned(),
                status: None,
                error_type: error_type::TIMEOUT.to_owned(),
                message: format!("no response in {}", humantime::format_duration(limit)),
            })),
        }
    }

    /// Waits for the end of a request, for as long as it may take from `since` on.
    async fn end_of(
        &self,
        request: &Submitted,
        since: Instant,
        limited: LimitedSince,
    ) -> Result<RequestResult, Stop> {
        let limit = since + self.cancellations.stuck_after;
        let step = request.call.step;
        match timeout_at(limit, self.user.client.get(step, &request.id)).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(Stop::Wedge(step, Box::new(self.suspect(request, limited).await))),
        }
    }

    /// Record of a request that has exceeded its limit.
    async fn suspect(&self, request: &Submitted, since: LimitedSince) -> SuspectedWedge {
        let (at, age) = (self.context.timeline.now(), request.at.elapsed());
        // Before the list is read, which may take long on a server that is stuck.
        let executor = match self.context.plan.is_remote() {
            true => RequestExecutor::Unknown,
            false => executors::running(&request.id),
        };
        let found = timeout(RECORD_WITHIN, self.user.client.find_request(&request.id)).await;
        let (name, record) = match found {
            Ok(Ok(Some(row))) => (Some(row.name), RequestRecord::Listed { status: row.status }),
            Ok(Ok(None)) => (None, RequestRecord::NotListed),
            Ok(Err(failure)) => (None, RequestRecord::NotRead { reason: failure.to_string() }),
            Err(_) => {
                let within = humantime::format_duration(RECORD_WITHIN);
                (None, RequestRecord::NotRead { reason: format!("no response in {within}") })
            }
        };
        let suspicious = self.context.cancelled.before(executor);
        SuspectedWedge {
            at,
            user: self.number,
            request_id: request.id.clone(),
            name: name.unwrap_or_else(|| request.call.path.to_owned()),
            age,
            limit: self.cancellations.stuck_after,
            since,
            record,
            executor,
            cancelled_before: suspicious.before,
            cancelled_in_earlier_processes: suspicious.in_earlier_processes,
        }
    }

    /// Records the duration of a whole request.
    fn record(&mut self, request: &Submitted, step: &str, answer: &RequestResult) {
        self.user.iteration.step(step, request.at.elapsed());
        self.record_run(request, answer);
    }

    /// Records the server's own figure of a request.
    fn record_run(&mut self, request: &Submitted, answer: &RequestResult) {
        if let Some(took) = answer.on_server {
            self.user.iteration.step(on_server(request.call), took);
        }
    }

    /// Judges the result of a request that ended by itself. After another failure, a further one is
    /// only a consequence.
    fn judge(&mut self, request: &Submitted, answer: RequestResult) {
        if !self.user.iteration.has_failed() {
            self.user.judge(request.call, answer.result);
        }
    }
}
