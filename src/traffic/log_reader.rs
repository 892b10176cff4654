//! Log of a request, or output of a job, read to its end, then the request's result. Retries
//! are the SDK's: `stream_and_get` and `tail_logs` in `sky/client/sdk.py`, under
//! `retry_transient_errors` of `sky/server/rest.py`.
//!
//! An attempt that made progress before it failed does not count; the third one in a row
//! without progress is the last. A retry cannot ask for a position: the server sends
//! everything again.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::api::{
    ApiClient, Backoff, INTERRUPTED, MAX_TRIES, Progress, RequestResult, no_request_id,
    retry_while_unavailable, unexpected_response,
};
use crate::record::outcome::{Failure, error_type};
use crate::scenario::{Call, IterationNames};

/// Rule by which an SDK decides whether an attempt made progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ProgressRule {
    /// Any message is progress: SkyPilot 0.13 and later.
    Messages,
    /// New lines of the log are progress: before 0.13.
    NewLines,
    /// Nothing is progress: before 0.13, for the output of managed jobs.
    Nothing,
}

impl ProgressRule {
    /// Rule of the SDK of a release. An unknown version, such as that of a nightly build, is
    /// taken for a recent one.
    fn of(release: &str, call: &Call) -> Self {
        let mut numbers = release.split('.').map(|part| part.parse::<u32>().ok());
        let release = numbers.next().flatten().zip(numbers.next().flatten());
        match release {
            Some(release) if release < (0, 13) && call.path == "/jobs/logs" => Self::Nothing,
            Some(release) if release < (0, 13) => Self::NewLines,
            _ => Self::Messages,
        }
    }

    /// Amount of progress so far.
    fn amount(self, progress: &Progress) -> u64 {
        match self {
            Self::Messages => progress.messages,
            Self::NewLines => progress.furthest,
            Self::Nothing => 0,
        }
    }
}

/// Error as the SDK classifies it.
enum ReadError {
    /// Restart of the server: the SDK retries without a pause.
    Interrupted(Failure),
    /// Transient error: the SDK retries, after a pause if the attempt made no progress.
    Transient(Failure),
    /// Permanent error: the SDK raises it.
    Permanent(Failure),
}

impl ReadError {
    /// Class of a failed `GET`: transient if the response is incomplete or not JSON, else
    /// permanent.
    fn of_get(failure: Failure) -> Self {
        match failure.error_type.as_str() {
            INTERRUPTED => Self::Interrupted(failure),
            error_type::PLAIN_TEXT_ERROR if failure.status == Some(200) => Self::Transient(failure),
            _ if failure.is_transport_error() => Self::Transient(failure),
            _ => Self::Permanent(failure),
        }
    }

    /// Class of a failed `POST` whose response is a log: the SDK also retries after 5xx
    /// responses. A 503 was already retried by [`retry_while_unavailable`].
    fn of_post(failure: Failure) -> Self {
        match failure.status {
            Some(status) if status >= 500 && status != 503 => Self::Transient(failure),
            _ => Self::of_get(failure),
        }
    }
}

/// Source of the text to read.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// Log of the request with this ID.
    Log(&'a str),
    /// Output of a job: the response to the call itself, which each attempt sends again.
    Output(&'a IterationNames),
}

/// Reader of a request's log or a job's output, with the SDK's retries.
pub(super) struct LogReader<'a> {
    client: &'a ApiClient,
    call: &'a Call,
    source: Source<'a>,
    progress: Progress,
    /// Time at which the first attempt began; `None` before it.
    began: Option<Instant>,
    /// Time spent on streaming, including pauses between attempts.
    pub(super) streamed: Duration,
    /// Time spent on getting the result; `None` if no attempt got as far.
    pub(super) waited: Option<Duration>,
    /// Number of retries.
    pub(super) retries: u64,
    /// Whether the output contains the text that the call expects.
    pub(super) printed: bool,
}

impl<'a> LogReader<'a> {
    pub(super) fn new(client: &'a ApiClient, call: &'a Call, source: Source<'a>) -> Self {
        Self {
            client,
            call,
            source,
            progress: Progress::default(),
            began: None,
            streamed: Duration::ZERO,
            waited: None,
            retries: 0,
            // Only the output of a job is searched; no text is missing from the log of a request.
            printed: true,
        }
    }

    /// Reads to the end and gets the result, as the SDK of a release does.
    pub(super) async fn read_to_end(&mut self, release: &str) -> Result<RequestResult, Failure> {
        let rule = ProgressRule::of(release, self.call);
        // Attempts in a row that failed without progress.
        let mut failed = 0;
        let (mut before, mut backoff) = (0, Backoff::transient());
        loop {
            let error = match self.attempt().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let now = rule.amount(&self.progress);
            if now > before {
                // As in the SDK: after progress, both the tries and the pauses start again.
                (failed, before, backoff) = (0, now, Backoff::transient());
            } else {
                failed += 1;
            }
            match error {
                ReadError::Permanent(failure) => return Err(failure),
                ReadError::Interrupted(failure) | ReadError::Transient(failure)
                    if failed >= MAX_TRIES =>
                {
                    return Err(failure);
                }
                ReadError::Transient(_) if failed > 0 => {
                    let pause = backoff.pause();
                    sleep(pause).await;
                    self.streamed += pause;
                }
                ReadError::Transient(_) | ReadError::Interrupted(_) => {}
            }
            self.retries += 1;
        }
    }

    /// Reads once to the end and gets the result.
    async fn attempt(&mut self) -> Result<RequestResult, ReadError> {
        let start = Instant::now();
        self.began.get_or_insert(start);
        let streamed = self.stream().await;
        // Before the error is returned: a failed attempt takes the user's time as well.
        self.streamed += start.elapsed();
        let id = streamed?;
        let start = Instant::now();
        let answer = self.client.get(self.call.step, &id).await;
        *self.waited.get_or_insert_default() += start.elapsed();
        match answer.map_err(ReadError::of_get)? {
            RequestResult { result: Err(failure), .. } if failure.error_type == INTERRUPTED => {
                Err(ReadError::Interrupted(failure))
            }
            RequestResult { result: Err(failure), .. } if is_connection_error(&failure) => {
                Err(ReadError::Transient(failure))
            }
            answer => Ok(answer),
        }
    }

    /// Reads the stream to its end and returns the ID of its request.
    async fn stream(&mut self) -> Result<String, ReadError> {
        let Self { client, call, progress, retries, .. } = self;
        match self.source {
            Source::Log(id) => match client.stream(call.step, id, progress).await {
                Ok(()) => Ok(id.to_owned()),
                // The SDK raises an error after these responses. After any other it ignores
                // the missing log and gets the result.
                Err(failure) if matches!(failure.status, None | Some(200 | 400 | 404 | 503)) => {
                    Err(ReadError::of_get(failure))
                }
                Err(_) => Ok(id.to_owned()),
            },
            Source::Output(names) => {
                let watched = retry_while_unavailable(
                    async || client.stream_output(call, names, progress).await,
                    || *retries += 1,
                );
                let watched = watched.await.map_err(ReadError::of_post)?;
                self.printed = watched.printed;
                watched.request_id.ok_or_else(|| ReadError::Permanent(no_request_id(call)))
            }
        }
    }

    /// Time from the first request to the first line of a job's output, failed attempts included;
    /// `None` for the log of a request, or without a line.
    pub(super) fn first_line(&self) -> Option<Duration> {
        match self.source {
            Source::Log(_) => None,
            Source::Output(_) => Some(self.progress.first_line?.duration_since(self.began?)),
        }
    }

    /// Failure of a job whose output lacks the expected text; `None` if the output has it.
    pub(super) fn missing_output(&self) -> Option<Failure> {
        let text = self.call.prints.filter(|_| !self.printed)?;
        let message = format!("expected `{text}` in the job's output, not found");
        Some(unexpected_response(self.call.step, 200, message))
    }
}

/// Whether a request failed on the server with a connection error. The SDK raises the
/// server's exception again in the client, where it looks like an error of the client's own
/// connection and is retried.
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
