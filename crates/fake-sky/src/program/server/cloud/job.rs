//! One job, on a cluster or managed. Nothing runs: where a job stands follows
//! from when it was submitted, what its script takes, and the time.

use std::time::Duration;

use fake_sky::settings::Settings;

use super::script::Script;
use crate::program::server::task::Task;

/// The green tick before everything that ends.
pub(super) fn finishing(message: &str) -> String {
    format!("\u{1b}[0m\u{1b}[32m✓ {message}\u{1b}[0m\u{1b}[0m")
}

/// The gear before everything that begins.
pub(super) fn starting(message: &str) -> String {
    format!("\u{1b}[0m⚙︎ {message}")
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobState {
    /// It waits for its machine.
    Pending,
    /// It runs.
    Running,
    /// It has ended well.
    Succeeded,
    /// It has ended badly.
    Failed,
    /// It is being cancelled.
    Cancelling,
    /// It was cancelled.
    Cancelled,
}

impl JobState {
    /// The word in answers.
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

    /// Whether nothing more happens to it.
    pub(crate) fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }

    /// SkyPilot's `JobExitCode`: what following its log returns.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Succeeded => 0,
            Self::Failed => 100,
            Self::Pending | Self::Running | Self::Cancelling => 101,
            Self::Cancelled => 103,
        }
    }
}

/// A job. All times are times since 1970.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) user: String,
    pub(crate) submitted: Duration,
    /// When its machine is there.
    starts: Duration,
    script: Script,
    doomed: bool,
    /// When somebody did not want it any more, and when it is over then.
    cancelled: Option<(Duration, Duration)>,
}

impl Job {
    /// A job that is submitted now; its machine is there `after` a while.
    pub(super) fn new(
        id: u64,
        task: &Task,
        user: &str,
        now: Duration,
        after: Duration,
        settings: &Settings,
    ) -> Self {
        Self {
            id,
            name: task.name.clone().unwrap_or_else(|| "-".to_owned()),
            user: user.to_owned(),
            submitted: now,
            starts: now + after,
            script: Script::of(task.run.as_deref().unwrap_or_default(), settings.sleep),
            doomed: false,
            cancelled: None,
        }
    }

    /// It will end badly, whatever its script says.
    pub(super) fn doom(mut self, doomed: bool) -> Self {
        self.doomed = doomed;
        self
    }

    /// Where it stands.
    pub(crate) fn state(&self, now: Duration) -> JobState {
        match self.cancelled {
            Some((_, over)) if now < over => JobState::Cancelling,
            Some(_) => JobState::Cancelled,
            None if now < self.starts => JobState::Pending,
            None if now < self.starts + self.script.length => JobState::Running,
            None if self.doomed || self.script.code != 0 => JobState::Failed,
            None => JobState::Succeeded,
        }
    }

    /// When it started, if it has.
    pub(super) fn started(&self, now: Duration) -> Option<Duration> {
        let until = self.cancelled.map_or(now, |(at, _)| at);
        (self.starts <= until).then_some(self.starts)
    }

    /// When it ended, if it has.
    pub(super) fn ended(&self, now: Duration) -> Option<Duration> {
        let over = self.cancelled.map_or(self.starts + self.script.length, |(_, over)| over);
        (over <= now).then_some(over)
    }

    /// Cancels it, which takes a while; whether there was something to cancel.
    pub(super) fn cancel(&mut self, now: Duration, takes: Duration) -> bool {
        let state = self.state(now);
        if state.is_final() {
            return false;
        }
        if self.cancelled.is_none() {
            // What has not begun needs no ending.
            let takes = if state == JobState::Pending { Duration::ZERO } else { takes };
            self.cancelled = Some((now, now + takes));
        }
        true
    }

    /// The lines of its log so far.
    pub(crate) fn log(&self, now: Duration) -> Vec<String> {
        let Some(started) = self.started(now) else { return Vec::new() };
        let until = self.cancelled.map_or(now, |(at, _)| at);
        let mut log = vec![
            "├── Waiting for task resources on 1 node.".to_owned(),
            "└── Job started. Streaming logs... (Ctrl-C to exit log streaming; job will not be \
             killed)"
                .to_owned(),
        ];
        let due = self.script.lines.iter().filter(|(after, _)| started + *after <= until);
        let name = if self.name == "-" { "task" } else { &self.name };
        log.extend(due.map(|(_, text)| format!("({name}, pid=2024) {text}")));
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
    fn a_job_lives_as_long_as_its_script() {
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
    fn a_job_fails_by_its_exit_code_or_by_fate() {
        assert_eq!(job("exit 1").state(20 * SECOND), JobState::Failed);
        assert_eq!(job("echo").doom(true).state(20 * SECOND), JobState::Failed);
    }
}
