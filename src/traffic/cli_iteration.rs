//! An iteration that is one real `sky` process.
//!
//! The process's exit code is 0 even when the server failed its requests. Each
//! process therefore runs as a SkyPilot user of its own, and after the segment the
//! server is asked what became of that user's requests.

use std::process::Stdio;
use std::rc::Rc;
use std::time::Duration;

use tokio::process::Command as Process;
use tokio::time::Instant;

use super::Stage;
use super::iteration::Iteration;
use super::segment::{self, Until};
use crate::api::{ApiClient, RequestRow, excerpt, with_retries};
use crate::credentials::Credentials;
use crate::env;
use crate::record::environment::{ClientSettings, Inherited};
use crate::record::outcome::{ClientFault, Ended, Failure, SegmentOutcome, error_type};
use crate::scenario::{Circumstances, Command, IterationNames};

/// A `sky` process that ended.
struct Ran {
    user_id: String,
    names: IterationNames,
    place: Option<String>,
    was_async: bool,
    took: Duration,
    output: Result<std::process::Output, std::io::Error>,
}

/// Runs one segment of iterations.
pub(super) async fn segment(
    stage: &Stage,
    command: &'static Command,
    number: u32,
    until: Until<'_>,
) -> (SegmentOutcome, Ended) {
    let settings = Rc::new(stage.environment.client.clone());
    let iterations = segment::take(stage, number, until, |user| {
        let process = SkyProcess {
            settings: Rc::clone(&settings),
            credentials: stage.credentials.clone(),
            user_id: stage.run.id().new_user(),
            names: stage.names(number, user),
            place: stage.place(user).map(str::to_owned),
            runs_async: stage.plan.run_async && command.can_be_async,
        };
        process.run(command)
    })
    .await;
    let (mut outcome, mut judged) = (iterations.outcome, 0);
    let judging = async {
        let rows = if command.requests.is_empty() || iterations.taken.is_empty() {
            Ok(Vec::new())
        } else {
            stage.client.list_requests().await
        };
        let circumstances = stage.environment.circumstances();
        for taken in &iterations.taken {
            let iteration =
                judge(&stage.client, command, &taken.iteration, &rows, circumstances).await;
            iteration.add_to(&mut outcome, taken.whole);
            judged += 1;
        }
    };
    tokio::select! {
        biased;
        () = judging => return (outcome, iterations.ended),
        () = no_time_is_left(iterations.ended, until) => {}
    }
    if until.stop.is_asked_for() {
        return (outcome, Ended::Stopped);
    }
    let unjudged = &iterations.taken[judged..];
    segment::give_up(&mut outcome, unjudged.len(), unjudged.iter().map(|taken| taken.whole));
    (outcome, Ended::TimedOut)
}

/// Returns when the server can't be asked any longer. A request may outlive its
/// process, and never end; and a scenario that was stopped is soon killed.
async fn no_time_is_left(ended: Ended, until: Until<'_>) {
    const AT_LEAST: Duration = Duration::from_secs(10);
    const WHEN_STOPPED: Duration = Duration::from_secs(2);
    if ended == Ended::Stopped {
        tokio::time::sleep(WHEN_STOPPED).await;
    } else {
        let limit = until.limit.max(Instant::now() + AT_LEAST);
        Until { limit, ..until }.over().await;
    }
}

/// A `sky` process that is to run.
struct SkyProcess {
    settings: Rc<ClientSettings>,
    credentials: Credentials,
    user_id: String,
    names: IterationNames,
    place: Option<String>,
    runs_async: bool,
}

impl SkyProcess {
    async fn run(self, command: &'static Command) -> Ran {
        let start = Instant::now();
        let settings = &self.settings;
        let mut process = Process::new(&settings.sky);
        inherit(&mut process, settings);
        let output = process
            .args(command.args.iter().map(|argument| self.names.fill(argument)))
            .args(self.runs_async.then_some("--async"))
            .envs(settings.variables.iter().map(|(name, value)| (name, value)))
            .env(env::USER_ID, &self.user_id)
            .envs(endpoint_with_login(settings, &self.credentials))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await;
        let took = start.elapsed();
        Ran {
            user_id: self.user_id,
            names: self.names,
            place: self.place,
            was_async: self.runs_async,
            took,
            output: output.map(|output| self.credentials.hide_in_output(output)),
        }
    }
}

/// Leaves a process what it is to find of our own environment, which is the shell's and
/// what cargo and nextest have put beside it.
fn inherit(process: &mut Process, settings: &ClientSettings) {
    // Python looks for packages in the working directory, and SkyPilot for settings.
    process.current_dir("/");
    if let Inherited::Only(names) = &settings.inherits {
        process.env_clear();
        process.envs(names.iter().filter_map(|name| Some((name, env::raw(name)?))));
    }
    for name in settings.without.iter().map(String::as_str).chain(env::SCENARIO_ONLY) {
        process.env_remove(name);
    }
}

/// A login stands in no file, so it is put back into the address here. A token `sky` finds
/// in the environment by itself.
fn endpoint_with_login(
    settings: &ClientSettings,
    credentials: &Credentials,
) -> Option<(&'static str, String)> {
    let Credentials::Login(login) = credentials else { return None };
    Some((env::ENDPOINT, login.put_into(&settings.endpoint)))
}

async fn judge(
    client: &ApiClient,
    command: &Command,
    ran: &Ran,
    rows: &Result<Vec<RequestRow>, Failure>,
    circumstances: Circumstances,
) -> Iteration {
    let mut iteration = Iteration::at(ran.place.as_deref());
    let name = command_name(command);
    iteration.step(&name, ran.took);
    let failure = |error_type: String, message: String| Failure {
        step: name.clone(),
        status: None,
        error_type,
        message,
    };
    let output = match &ran.output {
        Ok(output) => output,
        Err(error) => {
            let fault = ClientFault::of_start(error);
            iteration.fail(failure(fault.name().to_owned(), error.to_string()));
            return iteration;
        }
    };
    if !output.status.success() {
        iteration.fail(failure(output.status.to_string(), last_words(output)));
        return iteration;
    }
    let printed = String::from_utf8_lossy(&output.stdout);
    let mut wanted = command.prints.iter().map(|text| ran.names.fill(text));
    if let Some(missing) = wanted.find(|text| !printed.contains(text)) {
        let message = format!("`{missing}` is not in its output: {}", last_words(output));
        iteration.fail(failure(error_type::UNEXPECTED_OUTPUT.to_owned(), message));
        return iteration;
    }
    let rows = match rows {
        Ok(rows) => rows,
        Err(unlisted) => {
            iteration.fail(unlisted.clone());
            return iteration;
        }
    };
    let own: Vec<&RequestRow> = rows.iter().filter(|row| row.user_id == ran.user_id).collect();
    for names in command.requests {
        if !own.iter().any(|row| names.contains(&row.name.as_str())) {
            let message = format!("the server has no request `{}` of this process", names[0]);
            iteration.fail(failure(error_type::REQUEST_NOT_FOUND.to_owned(), message));
        }
    }
    for row in own {
        let is_wanted = command.requests.iter().any(|names| names.contains(&row.name.as_str()));
        match row.status.as_str() {
            "SUCCEEDED" => {}
            "FAILED" | "CANCELLED" => {
                audit(client, command, row, circumstances, &mut iteration).await
            }
            // With `--async` the process didn't wait for the end, but we do.
            _ if is_wanted && ran.was_async => {
                audit(client, command, row, circumstances, &mut iteration).await;
            }
            _ if is_wanted => {
                let message = format!("request `{}` outlived the process", row.name);
                iteration.fail(failure(error_type::REQUEST_NOT_FINISHED.to_owned(), message));
            }
            // For the end of other requests no process waits.
            _ => {}
        }
    }
    iteration
}

/// The words that say what it does: `sky jobs launch`.
fn command_name(command: &Command) -> String {
    let words = command.args.iter().take_while(|word| !word.starts_with(['-', '{']));
    words.fold("sky".to_owned(), |name, word| format!("{name} {word}"))
}

/// Waits for a request to end, and finds out why it did not succeed, and whether
/// that is right.
async fn audit(
    client: &ApiClient,
    command: &Command,
    row: &RequestRow,
    circumstances: Circumstances,
    iteration: &mut Iteration,
) {
    let ask = async || client.get(&row.name, &row.request_id).await;
    let answer = with_retries(ask).await;
    let Err(failure) = answer.and_then(|answer| answer.result) else { return };
    let refusals =
        command.refusals.iter().filter(|(name, _)| *name == row.name).map(|(_, refusal)| refusal);
    iteration.fail_unless_right(failure, refusals, circumstances);
}

/// The ends of what a process wrote to both of its outputs: what went wrong stands
/// there, after whatever it had said before.
fn last_words(output: &std::process::Output) -> String {
    let ends = [&output.stdout, &output.stderr].map(|text| end_of(text));
    ends.join(" ").trim().to_owned()
}

fn end_of(text: &[u8]) -> String {
    const LENGTH: usize = 300;
    let start = text.len().saturating_sub(LENGTH);
    let words = excerpt(&text[start..]);
    if start > 0 { format!("..{words}") } else { words }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn no_client_finds_what_scenarios_alone_are_told() {
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
