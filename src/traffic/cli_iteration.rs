//! Iterations of CLI scenarios: one real `sky` process each.
//!
//! A `sky` process exits with 0 even when the server failed its requests. Each process
//! therefore runs as its own SkyPilot user, and after the segment the states of this user's
//! requests are read from the server.

use std::process::Stdio;
use std::rc::Rc;
use std::time::Duration;

use tokio::process::Command as Process;
use tokio::time::Instant;

use super::ScenarioContext;
use super::api_iteration;
use super::engine::{EndCondition, FinishedIteration, IterationId, fail_unfinished};
use super::iteration::Iteration;
use crate::api::{ApiClient, RequestRow, excerpt, with_retries};
use crate::credentials::Credentials;
use crate::env;
use crate::record::environment::{ClientSettings, Inherited};
use crate::record::outcome::{ClientFault, Ended, Failure, SegmentOutcome, error_type};
use crate::scenario::{Circumstances, Command, IterationNames};

/// `sky` process that has exited, or could not be started.
pub(super) struct FinishedProcess {
    user_id: String,
    names: IterationNames,
    /// Infra, where a scenario runs on several.
    infra: Option<String>,
    was_async: bool,
    took: Duration,
    /// Teardown of the process's cluster, if the iteration includes it.
    down: Option<Iteration>,
    output: Result<std::process::Output, std::io::Error>,
}

/// Runs one iteration.
pub(super) fn run(
    context: &ScenarioContext,
    command: &'static Command,
    id: IterationId,
) -> impl Future<Output = FinishedProcess> + use<> {
    let down =
        context.takes_cluster_down(context.scenario).then(|| api_iteration::take_down(context, id));
    let IterationId { user, number } = id;
    let process = SkyProcess {
        settings: Rc::clone(&context.client_settings),
        credentials: context.credentials.clone(),
        user_id: context.next_user_id(),
        names: context.names(number, user),
        infra: context.infra_label(user).map(str::to_owned),
        runs_async: context.plan.run_async && command.can_be_async,
    };
    async move {
        let finished = process.run(command).await;
        match down {
            Some(down) => FinishedProcess { down: Some(down.await), ..finished },
            None => finished,
        }
    }
}

/// Judges the finished processes of a load, each with the number of its segment, and adds them to
/// the segments.
pub(super) async fn judge_all(
    context: &ScenarioContext,
    command: &Command,
    processes: &[(usize, FinishedIteration<FinishedProcess>)],
    mut segments: Vec<SegmentOutcome>,
    (ended, end): (Ended, EndCondition<'_>),
) -> (Vec<SegmentOutcome>, Ended) {
    let mut judged = 0;
    let judging = async {
        let rows = if command.requests.is_empty() || processes.is_empty() {
            Ok(Vec::new())
        } else {
            context.client.list_requests().await
        };
        let circumstances = context.environment.circumstances();
        for (number, finished) in processes {
            let process = &finished.iteration;
            let iteration = judge(&context.client, command, process, &rows, circumstances).await;
            let iteration = match &process.down {
                Some(down) => iteration.followed_by(down.clone()),
                None => iteration,
            };
            iteration.add_to(&mut segments[*number], finished.duration);
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
        fail_unfinished(&mut segments[*number], 1, [finished.duration].into_iter());
    }
    (segments, Ended::TimedOut)
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

/// `sky` process to run.
struct SkyProcess {
    settings: Rc<ClientSettings>,
    credentials: Credentials,
    user_id: String,
    names: IterationNames,
    infra: Option<String>,
    runs_async: bool,
}

impl SkyProcess {
    async fn run(self, command: &'static Command) -> FinishedProcess {
        let start = Instant::now();
        let settings = &self.settings;
        let mut process = Process::new(&settings.sky);
        inherit(&mut process, settings);
        let output = process
            .args(command.args.iter().map(|argument| self.names.fill(argument)))
            .args(self.runs_async.then_some("--async"))
            .envs(settings.variables.iter().map(|(name, value)| (name, value)))
            // After the variables of the settings, which these replace.
            .env(env::USER_ID, &self.user_id)
            .envs(endpoint_with_login(settings, &self.credentials))
            // With a closed input, a prompt fails instead of waiting for an answer.
            .stdin(Stdio::null())
            // At the time limit or after a stop, dropping the iterations also ends their processes.
            .kill_on_drop(true)
            .output()
            .await;
        let took = start.elapsed();
        FinishedProcess {
            user_id: self.user_id,
            names: self.names,
            infra: self.infra,
            was_async: self.runs_async,
            took,
            down: None,
            output: output.map(|output| self.credentials.hide_in_output(output)),
        }
    }
}

/// Sets the working directory of a process, and the variables that it inherits: this process
/// has those of the shell, of cargo and of nextest.
fn inherit(process: &mut Process, settings: &ClientSettings) {
    // Python imports packages from the working directory, and SkyPilot reads settings in it.
    process.current_dir("/");
    if let Inherited::Only(names) = &settings.inherits {
        process.env_clear();
        process.envs(names.iter().filter_map(|name| Some((name, env::raw(name)?))));
    }
    for name in settings.without.iter().map(String::as_str).chain(env::SCENARIO_ONLY) {
        process.env_remove(name);
    }
}

/// Variable with the server's address and the login. The address in the run's files has no
/// login. A token and cookies need no variable here: `sky` reads them as this process does, from
/// the environment and from the file that it names.
fn endpoint_with_login(
    settings: &ClientSettings,
    credentials: &Credentials,
) -> Option<(&'static str, String)> {
    let Credentials::Login(login) = credentials else { return None };
    Some((env::ENDPOINT, login.put_into(&settings.endpoint)))
}

/// Judges a process by its exit code, its output, and the states of its requests on the
/// server, which `rows` lists.
async fn judge(
    client: &ApiClient,
    command: &Command,
    process: &FinishedProcess,
    rows: &Result<Vec<RequestRow>, Failure>,
    circumstances: Circumstances,
) -> Iteration {
    let mut iteration = Iteration::on(process.infra.as_deref());
    let name = command.name();
    iteration.step(&name, process.took);
    let failure = |error_type: String, message: String| Failure {
        step: name.clone(),
        status: None,
        error_type,
        message,
    };
    let output = match &process.output {
        Ok(output) => output,
        Err(error) => {
            let fault = ClientFault::of_start(error);
            iteration.fail(failure(fault.name().to_owned(), error.to_string()));
            return iteration;
        }
    };
    if !output.status.success() {
        iteration.fail(failure(output.status.to_string(), output_tail(output)));
        return iteration;
    }
    let printed = String::from_utf8_lossy(&output.stdout);
    let mut expected = command.prints.iter().map(|text| process.names.fill(text));
    if let Some(missing) = expected.find(|text| !printed.contains(text)) {
        let message = format!("expected `{missing}` in the output, got: {}", output_tail(output));
        iteration.fail(failure(error_type::UNEXPECTED_OUTPUT.to_owned(), message));
        return iteration;
    }
    let rows = match rows {
        Ok(rows) => rows,
        Err(failure) => {
            iteration.fail(failure.clone());
            return iteration;
        }
    };
    let own: Vec<&RequestRow> = rows.iter().filter(|row| row.user_id == process.user_id).collect();
    for names in command.requests {
        if !own.iter().any(|row| names.contains(&row.name.as_str())) {
            let message = format!(
                "expected a request `{}` of the process on the server, found none",
                names[0]
            );
            iteration.fail(failure(error_type::REQUEST_NOT_FOUND.to_owned(), message));
        }
    }
    for row in own {
        let is_wanted = command.requests.iter().any(|names| names.contains(&row.name.as_str()));
        match row.status.as_str() {
            "SUCCEEDED" => {}
            "FAILED" | "CANCELLED" => {
                check_request(client, command, row, circumstances, &mut iteration).await
            }
            // With `--async` the process does not wait for its request; judging does.
            _ if is_wanted && process.was_async => {
                check_request(client, command, row, circumstances, &mut iteration).await;
            }
            _ if is_wanted => {
                let message = format!("request `{}` still runs after the process exited", row.name);
                iteration.fail(failure(error_type::REQUEST_NOT_FINISHED.to_owned(), message));
            }
            // The process does not wait for its other requests.
            _ => {}
        }
    }
    iteration
}

/// Waits for a request to end. Records its failure, unless the error is expected.
async fn check_request(
    client: &ApiClient,
    command: &Command,
    row: &RequestRow,
    circumstances: Circumstances,
    iteration: &mut Iteration,
) {
    // A request of skyload's own, not of the `sky` process, so transport errors are retried.
    let get = async || client.get(&row.name, &row.request_id).await;
    let answer = with_retries(get).await;
    let Err(failure) = answer.and_then(|answer| answer.result) else { return };
    let expected_errors = command
        .expected_errors
        .iter()
        .filter(|(name, _)| *name == row.name)
        .map(|(_, expected)| expected);
    iteration.fail_unless_expected(failure, expected_errors, circumstances);
}

/// Ends of a process's standard output and standard error, where errors are reported.
fn output_tail(output: &std::process::Output) -> String {
    let tails = [&output.stdout, &output.stderr].map(|text| tail(text));
    tails.join(" ").trim().to_owned()
}

/// Last 300 bytes of a text, in one line.
fn tail(text: &[u8]) -> String {
    const LENGTH: usize = 300;
    let start = text.len().saturating_sub(LENGTH);
    // The cut may be within a character, which `excerpt` replaces.
    let tail = excerpt(&text[start..]);
    if start > 0 { format!("..{tail}") } else { tail }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn sky_processes_do_not_inherit_variables_of_scenarios() {
        let settings = ClientSettings {
            endpoint: "http://127.0.0.1:1".parse().unwrap(),
            sky: "sky".into(),
            variables: Vec::new(),
            without: Vec::new(),
            inherits: Inherited::All,
        };
        let mut process = Process::new("sky");
        inherit(&mut process, &settings);
        let set: Vec<_> = process.as_std().get_envs().collect();
        for name in env::SCENARIO_ONLY {
            assert!(set.contains(&(OsStr::new(name), None)), "{name}: {set:?}");
        }
    }
}
