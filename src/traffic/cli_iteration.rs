//! Iterations of CLI scenarios: real `sky` processes, one after the other.
//!
//! A `sky` process exits with 0 even when the server failed its requests. The processes of an
//! iteration therefore run as a SkyPilot user of their own, and after the segment the states of
//! this user's requests are read from the server. A server that authenticates its clients records
//! another user, so there the user is read in the requests' bodies.

use std::collections::HashMap;
use std::process::Stdio;
use std::rc::Rc;
use std::time::Duration;

use tokio::process::Command as Process;
use tokio::time::Instant;

use super::ScenarioContext;
use super::api_iteration;
use super::cli_judgement::{FinishedProcess, FinishedProcesses, failure_of, judge};
use super::client_process::prepare;
use super::engine::{EndCondition, FinishedIteration, IterationId, fail_unfinished};
use super::own_requests::OwnRequests;
use super::skypilot_users::{ProcessUser, repeat_ids};
use crate::api::RequestRow;
use crate::credentials::Credentials;
use crate::record::environment::ClientSettings;
use crate::record::outcome::{Ended, Failure, SegmentOutcome};
use crate::scenario::{Command, IterationNames};

/// Runs one iteration.
pub(super) fn run(
    context: &ScenarioContext,
    commands: &'static [Command],
    id: IterationId,
) -> impl Future<Output = FinishedProcesses> + use<> {
    let down =
        context.takes_cluster_down(context.scenario).then(|| api_iteration::take_down(context, id));
    let user = User {
        settings: Rc::clone(&context.client_settings),
        credentials: context.credentials.clone(),
        user: context.next_user(),
        names: context.names(id),
        infra: context.infra_label(id).map(str::to_owned),
        runs_async: context.plan.run_async && context.scenario.can_be_async(),
    };
    async move {
        let finished = user.run(commands).await;
        match down {
            Some(down) => FinishedProcesses { down: Some(down.await), ..finished },
            None => finished,
        }
    }
}

/// Judges the finished processes of a load, each with the number of its segment, and adds them to
/// the segments.
pub(super) async fn judge_all(
    context: &ScenarioContext,
    commands: &[Command],
    processes: &[(usize, FinishedIteration<FinishedProcesses>)],
    mut segments: Vec<SegmentOutcome>,
    (ended, end): (Ended, EndCondition<'_>),
) -> (Vec<SegmentOutcome>, Ended) {
    let mut judged = 0;
    let judging = async {
        let rows = if commands.iter().all(|it| it.requests.is_empty()) || processes.is_empty() {
            Ok(Vec::new())
        } else {
            requests_of(context, commands, processes).await
        };
        let own = match &rows {
            Ok(rows) => Ok(own_requests(context, rows, processes).await),
            Err(failure) => Err(failure),
        };
        let circumstances = context.environment.circumstances();
        for (number, finished) in processes {
            let process = &finished.iteration;
            let client = &context.client;
            let own = own.as_ref().map(|own| own.of(&process.user)).map_err(|failure| *failure);
            let iteration = judge(client, process, own, circumstances, &context.timeline).await;
            let iteration = match &process.down {
                Some(down) => iteration.followed_by(down.clone()),
                None => iteration,
            };
            let (at, duration) =
                (context.timeline.at(finished.ended.into_std()), finished.duration);
            context.activity.add(at, duration, &mut segments[*number], |segment| {
                iteration.add_to(segment, duration);
            });
            // Counts in the order of `processes`, so that all from this index on are not judged yet.
            judged += 1;
        }
    };
    tokio::select! {
        biased;
        // Judging that is complete at the deadline still counts.
        () = judging => return (segments, ended),
        () = judging_deadline(ended, end) => {}
    }
    // Iterations that were judged before the deadline are in the segments.
    if end.stop.is_requested() {
        return (segments, Ended::Stopped);
    }
    for (number, finished) in &processes[judged..] {
        let (at, duration) = (context.timeline.at(finished.ended.into_std()), finished.duration);
        context.activity.add(at, duration, &mut segments[*number], |segment| {
            fail_unfinished(segment, at, 1, [duration].into_iter());
        });
    }
    (segments, Ended::TimedOut)
}

/// Requests on the server, those of the processes with their users.
async fn requests_of(
    context: &ScenarioContext,
    commands: &[Command],
    processes: &[(usize, FinishedIteration<FinishedProcesses>)],
) -> Result<Vec<RequestRow>, Failure> {
    let mut rows = context.client.list_requests().await?;
    let has_requests = |(_, finished): &(usize, FinishedIteration<FinishedProcesses>)| {
        rows.iter().any(|row| row.user_id == finished.iteration.user.id)
    };
    if processes.iter().all(has_requests) {
        return Ok(rows);
    }
    // Of any other request, judging needs only one that did not succeed.
    let is_judged = |row: &&RequestRow| {
        let is_named =
            |it: &Command| it.requests.iter().flat_map(|it| *it).any(|it| *it == row.name);
        row.status != "SUCCEEDED" || commands.iter().any(is_named)
    };
    let run = context.run.id();
    let candidates = rows.iter().filter(|row| row.may_be_sent_by(&run));
    let ids: Vec<&str> = candidates.filter(is_judged).map(|row| row.request_id.as_str()).collect();
    let sent = context.client.sent_requests(&ids).await?;
    let mut users: HashMap<String, String> =
        sent.into_iter().map(|sent| (sent.request_id, sent.user_id)).collect();
    for row in &mut rows {
        if let Some(user_id) = users.remove(&row.request_id) {
            row.user_id = user_id;
        }
    }
    Ok(rows)
}

/// Requests on the server by the iterations that sent them.
async fn own_requests<'a>(
    context: &'a ScenarioContext,
    rows: &'a [RequestRow],
    processes: &[(usize, FinishedIteration<FinishedProcesses>)],
) -> OwnRequests<'a> {
    for (_, FinishedIteration { iteration, .. }) in processes {
        context.note_end(&iteration.user, iteration.ended);
    }
    let spans = context.user_spans.borrow().clone();
    let needs_times = !rows.is_empty() && repeat_ids(&spans);
    let offset = match needs_times && context.plan.is_remote() {
        // Without the offset, clocks may still differ by some time.
        true => context.client.compare_clocks().await.ok(),
        false => None,
    };
    OwnRequests::new(rows, spans, &context.timeline, offset)
}

/// Waits until judging must end. Without a deadline, judging would wait forever for a request
/// that outlives its process and never ends.
async fn judging_deadline(ended: Ended, end: EndCondition<'_>) {
    // Judging still gets some time when the iterations have used up the scenario's limit.
    const MIN_TIME: Duration = Duration::from_secs(10);
    // A stopped scenario that does not exit soon is killed, and then leaves no outcome.
    const TIME_AFTER_STOP: Duration = Duration::from_secs(2);
    if ended == Ended::Stopped {
        tokio::time::sleep(TIME_AFTER_STOP).await;
    } else {
        let limit = end.limit.max(Instant::now() + MIN_TIME);
        EndCondition { limit, ..end }.reached().await;
    }
}

/// User of `sky` during one iteration.
struct User {
    settings: Rc<ClientSettings>,
    credentials: Credentials,
    user: ProcessUser,
    names: IterationNames,
    infra: Option<String>,
    runs_async: bool,
}

impl User {
    /// Runs the commands that the user's infra supports, up to one that fails.
    async fn run(self, commands: &'static [Command]) -> FinishedProcesses {
        let infra = &self.names.shared.infra;
        let mut processes = Vec::new();
        for command in commands.iter().filter(|command| command.requires.is_on(infra)) {
            let process = self.run_process(command).await;
            let has_failed = failure_of(&process, &self.names).is_some();
            processes.push(process);
            if has_failed {
                break;
            }
        }
        let Self { user, names, infra, runs_async: was_async, .. } = self;
        let ended = Instant::now();
        FinishedProcesses { user, names, infra, was_async, processes, ended, down: None }
    }

    async fn run_process(&self, command: &'static Command) -> FinishedProcess {
        let start = Instant::now();
        let mut process = Process::new(&self.settings.sky);
        prepare(&mut process, &self.settings, &self.credentials, &self.user.id);
        let output = process
            .args(command.args.iter().map(|argument| self.names.fill(argument)))
            .args((self.runs_async && command.can_be_async).then_some("--async"))
            // With a closed input, a prompt fails instead of waiting for an answer.
            .stdin(Stdio::null())
            // At the time limit or after a stop, dropping the iterations also ends their processes.
            .kill_on_drop(true)
            .output()
            .await;
        let took = start.elapsed();
        let output = output.map(|output| self.credentials.hide_in_output(output));
        FinishedProcess { command, took, output }
    }
}
