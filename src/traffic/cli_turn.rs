//! A turn that is one real `sky` process.
//!
//! The process's exit code is 0 even when the server failed its requests. Each
//! process therefore runs as a SkyPilot user of its own, and after the wave the
//! server is asked what became of that user's requests.

use std::process::Stdio;
use std::rc::Rc;
use std::time::Duration;

use tokio::process::Command as Process;
use tokio::time::Instant;

use super::Stage;
use super::turn::Turn;
use super::wave::{self, Until};
use crate::api::{ApiClient, RequestRow, excerpt, random_user_id};
use crate::env;
use crate::environment::ClientSettings;
use crate::outcome::{Ended, Failure, WaveOutcome};
use crate::scenario::{Circumstances, Command};

/// A `sky` process that ended.
struct Ran {
    user_id: String,
    took: Duration,
    output: Result<std::process::Output, std::io::Error>,
}

/// Takes one wave of turns.
pub(super) async fn wave(
    stage: &Stage,
    command: &'static Command,
    until: Until<'_>,
) -> (WaveOutcome, Ended) {
    let settings = Rc::new(stage.environment.client.clone());
    let turns = wave::take(stage, until, || run(Rc::clone(&settings), command)).await;
    let (mut outcome, mut judged) = (turns.outcome, 0);
    let judging = async {
        let rows = if command.requests.is_empty() || turns.taken.is_empty() {
            Ok(Vec::new())
        } else {
            stage.client.list_requests().await
        };
        let circumstances = stage.environment.server.circumstances();
        for taken in &turns.taken {
            let turn = judge(&stage.client, command, &taken.turn, &rows, circumstances).await;
            turn.add_to(&mut outcome, taken.whole);
            judged += 1;
        }
    };
    tokio::select! {
        biased;
        () = judging => return (outcome, turns.ended),
        () = no_time_is_left(turns.ended, until) => {}
    }
    if until.stop.is_asked_for() {
        return (outcome, Ended::Stopped);
    }
    let unjudged = &turns.taken[judged..];
    wave::give_up(&mut outcome, unjudged.len(), unjudged.iter().map(|taken| taken.whole));
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

async fn run(settings: Rc<ClientSettings>, command: &'static Command) -> Ran {
    let user_id = random_user_id();
    let start = Instant::now();
    let mut process = Process::new(&settings.sky);
    for name in &settings.without {
        process.env_remove(name);
    }
    let output = process
        .args(command.args)
        .envs(settings.variables.iter().map(|(name, value)| (name, value)))
        .env("SKYPILOT_USER_ID", &user_id)
        .envs(endpoint_with_credentials(&settings))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await;
    Ran { user_id, took: start.elapsed(), output }
}

/// Credentials stand in no file, so they are put back into the address here.
fn endpoint_with_credentials(settings: &ClientSettings) -> Option<(&'static str, String)> {
    let credentials = env::text(env::SERVER_CREDENTIALS)?;
    let (user, password) = credentials.split_once(':')?;
    let mut endpoint = settings.endpoint.clone();
    endpoint.set_username(user).ok()?;
    endpoint.set_password(Some(password)).ok()?;
    Some(("SKYPILOT_API_SERVER_ENDPOINT", endpoint.to_string()))
}

async fn judge(
    client: &ApiClient,
    command: &Command,
    ran: &Ran,
    rows: &Result<Vec<RequestRow>, Failure>,
    circumstances: Circumstances,
) -> Turn {
    let mut turn = Turn::default();
    let name = format!("sky {}", command.args.join(" "));
    turn.step(&name, ran.took);
    let failure = |error_type: String, message: String| Failure {
        step: name.clone(),
        status: None,
        error_type,
        message,
    };
    let output = match &ran.output {
        Ok(output) => output,
        Err(error) => {
            turn.fail(failure("cannot run sky".to_owned(), error.to_string()));
            return turn;
        }
    };
    if !output.status.success() {
        turn.fail(failure(output.status.to_string(), last_words(output)));
        return turn;
    }
    let printed = String::from_utf8_lossy(&output.stdout);
    if let Some(missing) = command.prints.iter().find(|text| !printed.contains(*text)) {
        let message = format!("`{missing}` is not in its output: {}", last_words(output));
        turn.fail(failure("wrong output".to_owned(), message));
        return turn;
    }
    let rows = match rows {
        Ok(rows) => rows,
        Err(unlisted) => {
            turn.fail(unlisted.clone());
            return turn;
        }
    };
    let own: Vec<&RequestRow> = rows.iter().filter(|row| row.user_id == ran.user_id).collect();
    for names in command.requests {
        let succeeded =
            |row: &&&RequestRow| names.contains(&row.name.as_str()) && row.status == "SUCCEEDED";
        if !own.iter().any(|row| succeeded(&row)) {
            let message = format!("the server has no request `{}` that succeeded", names[0]);
            turn.fail(failure("no such request".to_owned(), message));
        }
    }
    // What is still under way was not waited for by its process, and is not here.
    for row in own.iter().filter(|row| matches!(row.status.as_str(), "FAILED" | "CANCELLED")) {
        audit(client, command, row, circumstances, &mut turn).await;
    }
    turn
}

/// Finds out why a request did not succeed, and whether that is right.
async fn audit(
    client: &ApiClient,
    command: &Command,
    row: &RequestRow,
    circumstances: Circumstances,
    turn: &mut Turn,
) {
    let answer = client.get(&row.name, &row.request_id).await;
    let Err(failure) = answer.and_then(|answer| answer.result) else { return };
    let refusals =
        command.refusals.iter().filter(|(name, _)| *name == row.name).map(|(_, refusal)| refusal);
    turn.fail_unless_right(failure, refusals, circumstances);
}

fn last_words(output: &std::process::Output) -> String {
    let mut text = output.stderr.clone();
    text.extend_from_slice(b" ");
    text.extend_from_slice(&output.stdout);
    excerpt(&text)
}
