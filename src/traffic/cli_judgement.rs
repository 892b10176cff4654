//! Judgement of `sky` processes, by their exit codes, their output, and the states of their
//! requests on the server.

use std::process::Output;
use std::time::Duration;

use tokio::time::Instant;

use super::iteration::{FailureClock, Iteration};
use super::skypilot_users::ProcessUser;
use crate::api::{ApiClient, RequestRow, excerpt, with_retries};
use crate::clock::Timeline;
use crate::record::outcome::{ClientFault, Failure, error_type};
use crate::scenario::{Circumstances, Command, ExpectedError, IterationNames};

/// `sky` processes of an iteration.
pub(super) struct FinishedProcesses {
    pub(super) user: ProcessUser,
    pub(super) names: IterationNames,
    /// Infra, where a scenario runs on several.
    pub(super) infra: Option<String>,
    pub(super) was_async: bool,
    /// Processes in the order in which they ran. After one that failed, none was started.
    pub(super) processes: Vec<FinishedProcess>,
    /// End of the last process.
    pub(super) ended: Instant,
    /// Teardown of the iteration's cluster, if the iteration includes it.
    pub(super) down: Option<Iteration>,
}

/// `sky` process that has exited, or could not be started.
pub(super) struct FinishedProcess {
    pub(super) command: &'static Command,
    pub(super) took: Duration,
    pub(super) output: Result<Output, std::io::Error>,
}

/// Failure of a process by its exit code or its output; `None` if neither shows one.
pub(super) fn failure_of(process: &FinishedProcess, names: &IterationNames) -> Option<Failure> {
    let failure = |error_type: String, message: String| {
        Some(Failure { step: process.command.name(), status: None, error_type, message })
    };
    let output = match &process.output {
        Ok(output) => output,
        Err(error) => {
            return failure(ClientFault::of_start(error).name().to_owned(), error.to_string());
        }
    };
    if !output.status.success() {
        return failure(output.status.to_string(), output_tail(output));
    }
    let printed = String::from_utf8_lossy(&output.stdout);
    let mut expected = process.command.prints.iter().map(|text| names.fill(text));
    let missing = expected.find(|text| !printed.contains(text))?;
    let message = format!("expected `{missing}` in the output, got: {}", output_tail(output));
    failure(error_type::UNEXPECTED_OUTPUT.to_owned(), message)
}

/// Judges the processes of an iteration. `own` lists their requests on the server, `timeline` tells
/// the times of failures.
pub(super) async fn judge(
    client: &ApiClient,
    finished: &FinishedProcesses,
    own: Result<Vec<&RequestRow>, &Failure>,
    circumstances: Circumstances,
    timeline: &Timeline,
) -> Iteration {
    let clock = match finished.was_async {
        // Requests go on after the process.
        true => FailureClock::Now(*timeline),
        false => FailureClock::Ended(timeline.at(finished.ended.into_std())),
    };
    let mut iteration = Iteration::on(finished.infra.as_deref(), clock);
    for process in &finished.processes {
        iteration.step(process.command.name(), process.took);
    }
    let mut failures =
        finished.processes.iter().filter_map(|process| failure_of(process, &finished.names));
    if let Some(failure) = failures.next() {
        iteration.fail(failure);
        return iteration;
    }
    let own = match own {
        Ok(own) => own,
        Err(failure) => {
            iteration.fail(failure.clone());
            return iteration;
        }
    };
    for failure in missing_requests(&finished.processes, &own) {
        iteration.fail(failure);
    }
    let commands = || finished.processes.iter().map(|process| process.command);
    for row in own {
        let name = row.name.as_str();
        let is_wanted = commands().any(|it| it.requests.iter().any(|names| names.contains(&name)));
        match row.status.as_str() {
            "SUCCEEDED" => {}
            "FAILED" | "CANCELLED" => {
                check_request(client, commands(), row, circumstances, &mut iteration).await;
            }
            // With `--async` the process does not wait for its request; judging does.
            _ if is_wanted && finished.was_async => {
                check_request(client, commands(), row, circumstances, &mut iteration).await;
            }
            _ if is_wanted => {
                let message = format!("request `{name}` still runs after the process exited");
                let step = step_of(commands(), name);
                let error_type = error_type::REQUEST_NOT_FINISHED.to_owned();
                iteration.fail(Failure { step, status: None, error_type, message });
            }
            // The process does not wait for its other requests.
            _ => {}
        }
    }
    iteration
}

/// Failures of processes without one of their requests on the server, which `own` lists. Several
/// processes of one command need a request each.
fn missing_requests(processes: &[FinishedProcess], own: &[&RequestRow]) -> Vec<Failure> {
    let (mut unused, mut missing) = (own.to_vec(), Vec::new());
    let commands = || processes.iter().map(|process| process.command);
    for command in commands() {
        for names in command.requests {
            let is_named = |row: &&RequestRow| names.contains(&row.name.as_str());
            // One whose failure is expected of another command only is that command's.
            let is_excused = |row: &&RequestRow| {
                has_failed(row) && !may_fail(command, row) && commands().any(|it| may_fail(it, row))
            };
            let is_own = |row: &&RequestRow| is_named(row) && !is_excused(row);
            match unused.iter().position(is_own) {
                Some(at) => {
                    unused.swap_remove(at);
                }
                None => missing.push(Failure {
                    step: command.name(),
                    status: None,
                    error_type: error_type::REQUEST_NOT_FOUND.to_owned(),
                    message: format!(
                        "expected a request `{}` of the process on the server, found none",
                        names[0]
                    ),
                }),
            }
        }
    }
    missing
}

/// Whether an error of a request is expected of a command.
fn may_fail(command: &Command, row: &RequestRow) -> bool {
    command.expected_errors.iter().any(|(name, _)| *name == row.name)
}

fn has_failed(row: &RequestRow) -> bool {
    matches!(row.status.as_str(), "FAILED" | "CANCELLED")
}

/// Name of the first command that sends a request of this name.
fn step_of(mut commands: impl Iterator<Item = &'static Command>, request: &str) -> String {
    let command = commands.find(|it| it.requests.iter().any(|names| names.contains(&request)));
    command.map_or_else(|| request.to_owned(), Command::name)
}

/// Waits for a request to end. Records its failure, unless the error is expected.
async fn check_request(
    client: &ApiClient,
    commands: impl Iterator<Item = &'static Command>,
    row: &RequestRow,
    circumstances: Circumstances,
    iteration: &mut Iteration,
) {
    // A request of skyload's own, not of the `sky` process, so transport errors are retried.
    let get = async || client.get(&row.name, &row.request_id).await;
    let answer = with_retries(get).await;
    let Err(failure) = answer.and_then(|answer| answer.result) else { return };
    let expected: Vec<&ExpectedError> = commands
        .flat_map(|command| command.expected_errors)
        .filter(|(name, _)| *name == row.name)
        .map(|(_, expected)| expected)
        .collect();
    iteration.fail_unless_expected(failure, expected.into_iter(), circumstances);
}

/// Ends of a process's standard output and standard error, where errors are reported.
fn output_tail(output: &Output) -> String {
    let tails = [&output.stdout, &output.stderr].map(|text| tail(text));
    tails.join(" ").trim().to_owned()
}

/// Last 300 bytes of a text, in one line.
pub(super) fn tail(text: &[u8]) -> String {
    const LENGTH: usize = 300;
    let start = text.len().saturating_sub(LENGTH);
    // The cut may be within a character, which `excerpt` replaces.
    let tail = excerpt(&text[start..]);
    if start > 0 { format!("..{tail}") } else { tail }
}
