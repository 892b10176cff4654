//! Reading what a request wrote and then its result, again and again where the SDK does:
//! `stream_and_get` and `tail_logs` in `sky/client/sdk.py`, under `retry_transient_errors` of
//! `sky/server/rest.py`.
//!
//! A try that got anywhere before it broke does not count: up to two in a row may get
//! nowhere. Nothing says from where on to read; the server sends everything again.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::api::{
    ApiClient, Backoff, INTERRUPTED, MAX_TRIES, Progress, RequestResult, no_request_id,
    retry_while_unavailable, unexpected_response,
};
use crate::record::outcome::{Failure, error_type};
use crate::scenario::{Call, IterationNames};

/// What counts as progress to an SDK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counting {
    /// Whatever comes: since 0.13.
    Messages,
    /// Lines of the log that are new.
    NewLines,
    /// Nothing: before 0.13, logs of managed jobs.
    Nothing,
}

impl Counting {
    /// The rule of the SDK of a release. One that is not known, such as a build of the day,
    /// is younger than those that are.
    fn of(release: &str, call: &Call) -> Self {
        let mut numbers = release.split('.').map(|part| part.parse::<u32>().ok());
        let release = numbers.next().flatten().zip(numbers.next().flatten());
        match release {
            Some(release) if release < (0, 13) && call.path == "/jobs/logs" => Self::Nothing,
            Some(release) if release < (0, 13) => Self::NewLines,
            _ => Self::Messages,
        }
    }

    fn amount(self, progress: &Progress) -> u64 {
        match self {
            Self::Messages => progress.messages,
            Self::NewLines => progress.furthest,
            Self::Nothing => 0,
        }
    }
}

/// What an error means to the SDK.
enum Trouble {
    /// The server restarts: it is asked again at once.
    Interrupted(Failure),
    /// Another try may go well.
    Transient(Failure),
    /// It is an error to the user.
    Permanent(Failure),
}

impl Trouble {
    /// Of a `GET`: what came is no answer, or it is one.
    fn of_get(failure: Failure) -> Self {
        match failure.error_type.as_str() {
            INTERRUPTED => Self::Interrupted(failure),
            error_type::PLAIN_TEXT_ERROR if failure.status == Some(200) => Self::Transient(failure),
            _ if failure.is_transport_error() => Self::Transient(failure),
            _ => Self::Permanent(failure),
        }
    }

    /// Of a `POST` whose answer is a log: the SDK tries again after errors of the server.
    /// A 503 has been waited for by then.
    fn of_post(failure: Failure) -> Self {
        match failure.status {
            Some(status) if status >= 500 && status != 503 => Self::Transient(failure),
            _ => Self::of_get(failure),
        }
    }
}

/// What is read.
#[derive(Clone, Copy)]
pub(super) enum What<'a> {
    /// The log of the request with this id.
    Log(&'a str),
    /// A job's output: the answer to the call itself, which is sent again with each try.
    Output(&'a IterationNames),
}

/// What is read, and what came of it so far.
pub(super) struct Reading<'a> {
    client: &'a ApiClient,
    call: &'a Call,
    what: What<'a>,
    progress: Progress,
    /// How long it was streamed, pauses between tries included.
    pub(super) streamed: Duration,
    /// How long the result was waited for, if it came to that.
    pub(super) waited: Option<Duration>,
    /// How often something was sent again.
    pub(super) retries: u64,
    /// Whether what the call wants printed was in the output.
    pub(super) printed: bool,
}

impl<'a> Reading<'a> {
    pub(super) fn new(client: &'a ApiClient, call: &'a Call, what: What<'a>) -> Self {
        Self {
            client,
            call,
            what,
            progress: Progress::default(),
            streamed: Duration::ZERO,
            waited: None,
            retries: 0,
            printed: true,
        }
    }

    /// Reads to the end and gets the result, as the SDK of a release does.
    pub(super) async fn read_whole(&mut self, release: &str) -> Result<RequestResult, Failure> {
        let counting = Counting::of(release, self.call);
        let (mut failed, mut before, mut backoff) = (0, 0, Backoff::transient());
        loop {
            let trouble = match self.once().await {
                Ok(answer) => return Ok(answer),
                Err(trouble) => trouble,
            };
            let now = counting.amount(&self.progress);
            if now > before {
                (failed, before, backoff) = (0, now, Backoff::transient());
            } else {
                failed += 1;
            }
            match trouble {
                Trouble::Permanent(failure) => return Err(failure),
                Trouble::Interrupted(failure) | Trouble::Transient(failure)
                    if failed >= MAX_TRIES =>
                {
                    return Err(failure);
                }
                Trouble::Transient(_) if failed > 0 => {
                    let pause = backoff.pause();
                    sleep(pause).await;
                    self.streamed += pause;
                }
                Trouble::Transient(_) | Trouble::Interrupted(_) => {}
            }
            self.retries += 1;
        }
    }

    async fn once(&mut self) -> Result<RequestResult, Trouble> {
        let start = Instant::now();
        let read = self.stream().await;
        self.streamed += start.elapsed();
        let id = read?;
        let start = Instant::now();
        let answer = self.client.get(self.call.step, &id).await;
        *self.waited.get_or_insert_default() += start.elapsed();
        match answer.map_err(Trouble::of_get)? {
            RequestResult { result: Err(failure), .. } if failure.error_type == INTERRUPTED => {
                Err(Trouble::Interrupted(failure))
            }
            RequestResult { result: Err(failure), .. } if is_connection_error(&failure) => {
                Err(Trouble::Transient(failure))
            }
            answer => Ok(answer),
        }
    }

    /// Reads the stream, and returns the id of the request whose result is to be had.
    async fn stream(&mut self) -> Result<String, Trouble> {
        let Self { client, call, progress, retries, .. } = self;
        match self.what {
            What::Log(id) => match client.stream(call.step, id, progress).await {
                Ok(()) => Ok(id.to_owned()),
                // Of these the SDK makes an error; after any other it asks for the result.
                Err(failure) if matches!(failure.status, None | Some(200 | 400 | 404 | 503)) => {
                    Err(Trouble::of_get(failure))
                }
                Err(_) => Ok(id.to_owned()),
            },
            What::Output(names) => {
                let watched = retry_while_unavailable(
                    async || client.stream_output(call, names, progress).await,
                    || *retries += 1,
                );
                let watched = watched.await.map_err(Trouble::of_post)?;
                self.printed = watched.printed;
                watched.request_id.ok_or_else(|| Trouble::Permanent(no_request_id(call)))
            }
        }
    }

    /// The failure of a job whose output lacks what it must have; `None` where it has it.
    pub(super) fn missing(&self) -> Option<Failure> {
        let text = self.call.prints.filter(|_| !self.printed)?;
        let message = format!("`{text}` is not in the job's output");
        Some(unexpected_response(self.call.step, 200, message))
    }
}

/// Whether a request failed with an error that its client, in whose process it is raised
/// again, takes for one of its own connection.
fn is_connection_error(failure: &Failure) -> bool {
    matches!(
        failure.error_type.as_str(),
        "ConnectionError"
            | "BrokenPipeError"
            | "ConnectionAbortedError"
            | "ConnectionRefusedError"
            | "ConnectionResetError"
    )
}
