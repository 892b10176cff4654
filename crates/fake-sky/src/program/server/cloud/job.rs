//! Simulated job, on a cluster or managed. No command runs: the state of a job follows from
//! its start time, the duration of its script, and the current time.

use std::time::Duration;

use fake_sky::settings::Settings;

use super::script::Script;
use crate::program::server::task::Task;

/// Message with SkyPilot's green check mark, for the end of a step.
pub(super) fn finishing(message: &str) -> String {
    format!("\u{1b}[0m\u{1b}[32m✓ {message}\u{1b}[0m\u{1b}[0m")
}

/// Message with SkyPilot's gear, for the start of a step.
pub(super) fn starting(message: &str) -> String {
    format!("\u{1b}[0m⚙︎ {message}")
}

/// State of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobState {
    /// Waiting for its cluster.
    Pending,
    /// Running its script.
    Running,
    /// Ended with exit code 0.
    Succeeded,
    /// Ended with another exit code, or by an injected fault.
    Failed,
    /// Being cancelled.
    Cancelling,
    /// Ended by a cancellation.
    Cancelled,
}

impl JobState {
    /// SkyPilot's name of the state.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Cancelling => "CANCELLING",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// Whether the job has ended.
    pub(crate) fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }

    /// SkyPilot's `JobExitCode`: the return value of a request that follows the job's log.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Succeeded => 0,
            Self::Failed => 100,
            Self::Pending | Self::Running | Self::Cancelling => 101,
            Self::Cancelled => 103,
        }
    }
}

/// Job. Points in time are durations since 1970.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) user: String,
    pub(crate) submitted: Duration,
    /// Start of the script, when the cluster is UP.
    starts: Duration,
    script: Script,
    must_fail: bool,
    /// Time of the cancellation, and time at which it takes effect.
    cancelled: Option<(Duration, Duration)>,
}

impl Job {
    /// Job that is submitted now and starts after `delay`.
    pub(super) fn new(
        id: u64,
        task: &Task,
        user: &str,
        now: Duration,
        delay: Duration,
        settings: &Settings,
    ) -> Self {
        Self {
            id,
            name: task.name.clone().unwrap_or_else(|| "-".to_owned()),
            user: user.to_owned(),
            submitted: now,
            starts: now + delay,
            script: Script::of(task.run.as_deref().unwrap_or_default(), settings.sleep),
            must_fail: false,
            cancelled: None,
        }
    }

    /// Job that fails regardless of its script, if `must_fail`.
    pub(super) fn with_failure(mut self, must_fail: bool) -> Self {
        self.must_fail = must_fail;
        self
    }

    /// State at time `now`.
    pub(crate) fn state(&self, now: Duration) -> JobState {
        match self.cancelled {
            Some((_, end)) if now < end => JobState::Cancelling,
            Some(_) => JobState::Cancelled,
            None if now < self.starts => JobState::Pending,
            None if self.script.end().is_none_or(|end| now < self.starts + end) => {
                JobState::Running
            }
            None if self.must_fail || self.script.code != 0 => JobState::Failed,
            None => JobState::Succeeded,
        }
    }

    /// Time of the start; `None` if the job has not started, or was cancelled before.
    pub(super) fn started(&self, now: Duration) -> Option<Duration> {
        let until = self.cancelled.map_or(now, |(at, _)| at);
        (self.starts <= until).then_some(self.starts)
    }

    /// Time of the end; `None` if the job has not ended.
    pub(super) fn ended(&self, now: Duration) -> Option<Duration> {
        let by_itself = self.script.end().map(|end| self.starts + end);
        let end = self.cancelled.map(|(_, end)| end).or(by_itself);
        end.filter(|end| *end <= now)
    }

    /// Cancels the job within `duration`. Returns whether the job had not ended yet.
    pub(super) fn cancel(&mut self, now: Duration, duration: Duration) -> bool {
        let state = self.state(now);
        if state.is_final() {
            return false;
        }
        if self.cancelled.is_none() {
            // A job that has not started is cancelled immediately.
            let duration = if state == JobState::Pending { Duration::ZERO } else { duration };
            self.cancelled = Some((now, now + duration));
        }
        true
    }

    /// Lines of the log until `now`.
    pub(crate) fn log(&self, now: Duration) -> Vec<String> {
        let Some(started) = self.started(now) else { return Vec::new() };
        let until = self.cancelled.map_or(now, |(at, _)| at);
        let mut log = vec![
            "├── Waiting for task resources on 1 node.".to_owned(),
            "└── Job started. Streaming logs... (Ctrl-C to exit log streaming; job will not be \
             killed)"
                .to_owned(),
        ];
        let due = self.script.lines_until(until.saturating_sub(started));
        let name = if self.name == "-" { "task" } else { &self.name };
        log.extend(due.map(|text| format!("({name}, pid=2024) {text}")));
        log
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn job(run: &str) -> Job {
        let task = Task { run: Some(run.to_owned()), ..Task::default() };
        Job::new(1, &task, "me", 10 * SECOND, SECOND, &Settings::default())
    }

    #[test]
    fn a_job_runs_as_long_as_its_script() {
        let job = job("echo a; sleep 2; echo b");
        let states = [10, 11, 12, 13].map(|second| job.state(second * SECOND).name());
        assert_eq!(states, ["PENDING", "RUNNING", "RUNNING", "SUCCEEDED"]);
        assert_eq!([10, 12, 13].map(|second| job.log(second * SECOND).len()), [0, 3, 4]);
        assert_eq!(job.ended(12 * SECOND), None);
        assert_eq!(job.ended(20 * SECOND), Some(13 * SECOND));
    }

    #[test]
    fn a_cancelled_job_prints_nothing_more() {
        let mut job = job("echo a; sleep 9; echo b");
        assert!(job.cancel(12 * SECOND, SECOND));
        let states = [12, 13, 30].map(|second| job.state(second * SECOND).name());
        assert_eq!(states, ["CANCELLING", "CANCELLED", "CANCELLED"]);
        assert_eq!(job.log(30 * SECOND).len(), 3);
        assert!(!job.cancel(30 * SECOND, SECOND));
    }

    #[test]
    fn a_job_fails_by_its_exit_code_or_by_an_injected_fault() {
        assert_eq!(job("exit 1").state(20 * SECOND), JobState::Failed);
        assert_eq!(job("echo").with_failure(true).state(20 * SECOND), JobState::Failed);
    }
}
