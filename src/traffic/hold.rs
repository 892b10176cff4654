//! Held connections: each user follows a log from the start of the load to its end.
//!
//! An iteration is one connection, and its latency the time for which the connection was held. A
//! connection that is open at the end of the load has succeeded. A stream that ends before, or breaks,
//! is a failure, after which the user connects again. Nothing of a log is kept, so that one process
//! holds thousands.

use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::breach::BreachWatch;
use super::engine::{AddActive, EndCondition, HeldLoad, IterationId, Load, Segments};
use super::iteration::{Iteration, add_to_segment};
use super::open_connections::{OpenConnection, OpenConnections};
use super::{ScenarioContext, StopSignal, TrafficError};
use crate::api::{ApiClient, Backoff, LogData, OpenLog};
use crate::record::outcome::{Ended, Failure, SegmentOutcome, error_type};
use crate::scenario::{Call, IterationNames};
use crate::shape::Timed;

/// Interval at which the end of the other scenarios is looked for.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// Holds connections from the first iteration of the load until all other scenarios have ended;
/// without others, for the time of the plan.
pub(super) async fn run(
    context: &Rc<ScenarioContext>,
    call: &'static Call,
    stop: &StopSignal,
    limit: Instant,
) -> Result<(Vec<SegmentOutcome>, Ended), TrafficError> {
    let end = EndCondition { stop, limit };
    if !context.barrier.arrive_and_wait_for_all(context.planned.id, end).await? {
        return Ok((Vec::new(), Ended::Stopped));
    }
    let watch = BreachWatch::of(context);
    let starts = context.plan.start_offsets(context.planned.id, 0);
    let last_start = starts.iter().max().copied().unwrap_or_default();
    let (sender, is_over) = watch::channel(false);
    let pauses = Pauses::default();
    let pause = pauses.clone();
    let timed = context.planned.shape.timed();
    let open = OpenConnections::default();
    let (shown, infras) = (open.clone(), Rc::clone(context));
    let add_active: Option<AddActive> = Some(Box::new(move |segment| {
        shown.add_to(segment, |user| {
            // Each connection of a user is on the same infra.
            infras.iteration_of(IterationId { user, number: 0 })
        });
    }));
    let driver = HeldLoad { starts, is_over: is_over.clone(), pause: move |user| pause.next(user) };
    let segments = timed
        .map_or_else(|| Segments::single(0), |timed| Segments::of(timed).extended_by(last_start));
    let load = Load {
        add_active,
        measures_lag: true,
        ..Load::new(driver, segments, watch.clone(), context.activity.clone())
    };
    let users = Rc::clone(context);
    let hold = move |id: IterationId| {
        let IterationId { user, number } = id;
        let client = Arc::clone(&users.client);
        let names = users.names(id);
        let (pauses, is_over) = (pauses.clone(), is_over.clone());
        let open = open.start(user);
        let mut connection =
            Connection { iteration: users.iteration_of(id), sent: Instant::now(), open };
        connection.iteration.add_retries(u64::from(number > 0));
        // Boxed, since the tasks of a user would each reserve the space for it.
        Box::pin(async move {
            let failure = connection.hold(&client, call, names, is_over).await;
            connection.finish(failure, |failure, had_line| pauses.note(user, failure, had_line))
        })
    };
    let end_of_load = async {
        match timed.map(Timed::total) {
            Some(time) => tokio::time::sleep(last_start + time).await,
            None => {
                while !context.barrier.all_loads_have_ended() {
                    tokio::time::sleep(CHECK_INTERVAL).await;
                }
            }
        }
        sender.send_replace(true);
        // The load ends when all connections are closed.
        std::future::pending::<Infallible>().await
    };
    let run = load.run(&context.timeline, end, hold, add_to_segment);
    let ended = tokio::select! {
        ended = run => ended,
        never = end_of_load => match never {},
    };
    watch.finish()?;
    Ok(ended)
}

/// Connection of one user.
struct Connection {
    iteration: Iteration,
    sent: Instant,
    open: OpenConnection,
}

impl Connection {
    /// Follows the log until the load is over, or until the connection is lost.
    async fn hold(
        &mut self,
        client: &ApiClient,
        call: &'static Call,
        names: IterationNames,
        mut is_over: watch::Receiver<bool>,
    ) -> Option<Failure> {
        tokio::select! {
            biased;
            // An error means the same: no task would tell the end of the load.
            _ = is_over.wait_for(|is_over| *is_over) => None,
            failure = self.follow(client, call, names) => Some(failure),
        }
    }

    /// Follows the log until the connection is lost. The server may end the stream by itself, since
    /// what is followed goes on.
    async fn follow(
        &mut self,
        client: &ApiClient,
        call: &'static Call,
        names: IterationNames,
    ) -> Failure {
        // Boxed, so that what only the start of a connection takes is freed after it.
        let opened = Box::pin(async move { client.open_log(call, &names).await }).await;
        // With a failure as well: the time to a response 503 is a time to connect.
        let connect = self.sent.elapsed();
        self.open.change(|times| times.connect = Some(connect));
        let mut log = match opened {
            Ok(log) => log,
            Err(failure) => return failure,
        };
        loop {
            match self.listen(&mut log).await {
                Ok(true) => {}
                Ok(false) => return stream_ended(call),
                Err(failure) => return failure,
            }
        }
    }

    /// Waits for data; false at the end of the stream.
    async fn listen(&mut self, log: &mut OpenLog) -> Result<bool, Failure> {
        let Some(data) = log.read().await? else { return Ok(false) };
        let sent = self.sent;
        self.open.change(|times| times.listen(sent, data == LogData::Line));
        Ok(true)
    }

    /// Result of the connection, which ended by a failure or, without one, with the load. `note`
    /// gets a failure, and whether there was a line before it.
    fn finish(mut self, failure: Option<Failure>, note: impl FnOnce(&Failure, bool)) -> Iteration {
        let times = self.open.times();
        times.add_to(&mut self.iteration);
        match failure {
            Some(failure) => {
                note(&failure, times.has_line());
                self.iteration.fail(failure);
            }
            // Neither held nor lost: the load ended first.
            None if !times.has_line() => self.iteration.interrupt(),
            None => {}
        }
        self.iteration
    }
}

fn stream_ended(call: &Call) -> Failure {
    Failure {
        step: call.step.to_owned(),
        status: Some(200),
        error_type: error_type::STREAM_ENDED.to_owned(),
        message: "the server ended the stream before the load was over".to_owned(),
    }
}

/// Pauses of users before their next connections, as SkyPilot's SDK makes them between attempts.
#[derive(Clone, Default)]
struct Pauses(Rc<RefCell<HashMap<u32, Pause>>>);

/// Pause of one user.
struct Pause {
    is_unavailable: bool,
    backoff: Backoff,
}

impl Pauses {
    /// Notes the loss of a user's connection, and whether there was a line before it: pauses begin
    /// again after progress, and where the reason is another one.
    fn note(&self, user: u32, failure: &Failure, had_line: bool) {
        let is_unavailable = failure.status == Some(503);
        let mut pauses = self.0.borrow_mut();
        let goes_on = |pause: &Pause| !had_line && pause.is_unavailable == is_unavailable;
        if !pauses.get(&user).is_some_and(goes_on) {
            let backoff =
                if is_unavailable { Backoff::unavailable() } else { Backoff::transient() };
            pauses.insert(user, Pause { is_unavailable, backoff });
        }
    }

    /// Duration of a user's next pause; zero for one that has lost no connection.
    fn next(&self, user: u32) -> Duration {
        let mut pauses = self.0.borrow_mut();
        pauses.get_mut(&user).map_or(Duration::ZERO, |pause| pause.backoff.pause())
    }
}
