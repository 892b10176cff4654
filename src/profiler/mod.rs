//! Profiler: samples every process of a server, from outside.
//!
//! The profiler is a process of its own, so that the load and its parent delay it as
//! little as possible: `xtask` re-executes itself, and the child calls [`run`].
//! Parent and child exchange lines of JSON (see [`protocol`]). Measurements go to the two
//! files of [`crate::record::profile`], which the report reads.
//!
//! A sample lists the machine's processes, decides which new ones belong to the server
//! (`tree/scope.rs`), reads the memory of each member once (`tree/mod.rs`,
//! `tree/member.rs`) and sums it by class (`classify.rs`). Everything that depends on the
//! operating system is behind the trait in `source.rs`.

mod classify;
mod databases;
mod host;
mod journal;
#[cfg(target_os = "linux")]
mod kernel;
mod level;
mod overhead;
pub mod protocol;
mod schedule;
mod session;
mod source;
mod thinning;
mod tree;
mod upstream;

#[cfg(test)]
mod fake;
#[cfg(target_os = "linux")]
mod procfs;
mod sampled;

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use crate::record::profile::LevelChoice;
pub use level::{LevelUnavailable, check_level};

use self::thinning::LineThinner;
use crate::clock::Timestamp;
use crate::ids::ProcessIdentity;
use crate::record::RecordError;
use crate::record::profile::ProfileLine;
use crate::units::ByteSize;

/// Default sampling interval. Measured: 72 % of 41 ms spikes are *sampled* at this rate;
/// the kernel's high-water mark (`VmHWM`) catches the rest.
pub const DEFAULT_INTERVAL: Duration = Duration::from_millis(50);

/// Lines that the profiler writes of these: all of them for half an hour, and of a longer profile
/// those that the report needs. For profiles that are simulated.
pub fn thinned(lines: impl IntoIterator<Item = ProfileLine>, end: Timestamp) -> Vec<ProfileLine> {
    let mut thinner = LineThinner::default();
    let mut written: Vec<ProfileLine> =
        lines.into_iter().flat_map(|line| thinner.add(line)).collect();
    written.extend(thinner.finish(end));
    written
}

/// Options of the profiler: the server to sample, and the files to write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProfilerOptions {
    /// Path of `samples.jsonl`, with one [`crate::record::profile::ProfileLine`] per sample.
    pub samples: PathBuf,
    /// Path of `processes.json`, a [`crate::record::profile::ProcessTable`] that is rewritten
    /// every few seconds.
    pub processes: PathBuf,
    /// Root of the process tree: the server's main process, or a wrapper that starts it.
    pub root: ProcessIdentity,
    /// Sampling interval.
    #[serde(with = "crate::units::duration")]
    pub interval: Duration,
    /// Requested level of peaks.
    pub level: LevelChoice,
    /// Environment variable that identifies the server's detached processes.
    pub marker: Option<Marker>,
    /// TCP port of the API; `None`: the port in the server's command line.
    pub api_port: Option<u16>,
    /// TCP port of the queue process; `None`: any port but the API port.
    pub queue_port: Option<u16>,
    /// Directory of the server's state, with its databases; `None` if it is not on this machine.
    #[serde(default)]
    pub state: Option<PathBuf>,
    /// Limit of available memory, in bytes; below it the profiler sends
    /// [`protocol::Notice::MemoryFloor`] once.
    pub memory_floor: Option<ByteSize>,
    /// Whether a control group of the server's own holds it to a stated size. What is available
    /// inside of the group is then no reason to stop: the server may use all of it.
    #[serde(default)]
    pub is_held_to_size: bool,
    /// Whether to write samples by the rule of upstream's tool as well.
    #[serde(default)]
    pub upstream_figures: bool,
    /// Whether to read which requests executors run. Without it, no peak has a cause: for
    /// measurements of what it costs.
    #[serde(default = "is_on")]
    pub attribution: bool,
}

const fn is_on() -> bool {
    true
}

impl ProfilerOptions {
    /// Options for the tree of `root` alone, at the default interval.
    pub fn new(root: ProcessIdentity, samples: PathBuf, processes: PathBuf) -> Self {
        Self {
            samples,
            processes,
            root,
            interval: DEFAULT_INTERVAL,
            level: LevelChoice::Best,
            marker: None,
            api_port: None,
            queue_port: None,
            state: None,
            memory_floor: None,
            is_held_to_size: false,
            upstream_figures: false,
            attribution: true,
        }
    }
}

/// Environment variable that a server and all processes it starts have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Marker {
    /// Name of the variable.
    pub name: String,
    /// Value of the variable.
    pub value: String,
}

/// Error that ends a profile.
#[derive(Debug, thiserror::Error)]
pub enum ProfilerError {
    /// CPUs and memory of the machine cannot be read.
    #[error("cannot read this machine's CPUs and memory")]
    Machine(#[source] sysinfo::Error),
    /// File of the profile that cannot be written.
    #[error(transparent)]
    Files(#[from] RecordError),
    /// Level of peaks that is not available.
    #[error(transparent)]
    Level(#[from] LevelUnavailable),
    /// List of the machine's processes that cannot be read.
    #[error("cannot list the processes of this machine")]
    List(#[source] io::Error),
    /// Thread that cannot be started, for commands or for upstream's samples.
    #[error("cannot start a thread of the profiler")]
    Thread(#[source] io::Error),
    /// I/O error on the commands.
    #[error("cannot read the profiler's commands")]
    Commands(#[source] io::Error),
    /// Line from the parent that is not a command.
    #[error("expected a command of the profiler, got `{line}`")]
    NotACommand {
        /// Line as received.
        line: String,
        /// Error of the parser.
        source: serde_json::Error,
    },
    /// Interval of zero, which would be a busy loop.
    #[error("expected a sampling interval above zero, got zero")]
    ZeroInterval,
}

/// Reason why a profile ended without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Command from the parent to finish.
    Requested,
    /// End of the commands, or a failed notice: the parent has exited.
    ParentGone,
}

/// Profiles until [`protocol::Command::Finish`], or until `commands` ends because the parent
/// has exited.
///
/// Expects a process of its own: raises the process's limit of open files, and leaves a
/// thread that blocks on `commands` and is not joined.
///
/// # Errors
///
/// Any [`ProfilerError`]. Lines written before it stay readable. A parent that no longer
/// reads notices is not an error: the profile ends.
pub fn run(
    options: &ProfilerOptions,
    commands: impl Read + Send + 'static,
    mut notices: impl Write,
) -> Result<Reason, ProfilerError> {
    profile(options, Box::new(commands), &mut notices)
}

/// Profiles as [`run`] does. Not generic, so that the code is compiled in this library, at
/// the library's optimisation level; generic code is compiled in the calling crate.
fn profile(
    options: &ProfilerOptions,
    commands: Box<dyn Read + Send>,
    notices: &mut dyn Write,
) -> Result<Reason, ProfilerError> {
    if options.interval.is_zero() {
        return Err(ProfilerError::ZeroInterval);
    }
    let commands = protocol::listen(commands).map_err(ProfilerError::Thread)?;
    if options.level == LevelChoice::Sampled {
        let source = sampled::Sampled::new().map_err(ProfilerError::Machine)?;
        return session::Session::start(options, source, notices)?.run(&commands);
    }
    session::Session::start(options, native_source(options)?, notices)?.run(&commands)
}

#[cfg(target_os = "linux")]
fn native_source(options: &ProfilerOptions) -> Result<procfs::ProcFs, ProfilerError> {
    Ok(level::linux::open(options.level, options.root.pid, options.interval)?)
}

/// Source of processes without kernel events.
#[cfg(target_os = "linux")]
#[expect(clippy::unnecessary_wraps, reason = "it may fail on other operating systems")]
fn plain_source() -> Result<procfs::ProcFs, ProfilerError> {
    Ok(level::linux::plain())
}

#[cfg(not(target_os = "linux"))]
fn plain_source() -> Result<sampled::Sampled, ProfilerError> {
    sampled::Sampled::new().map_err(ProfilerError::Machine)
}

#[cfg(not(target_os = "linux"))]
fn native_source(options: &ProfilerOptions) -> Result<sampled::Sampled, ProfilerError> {
    check_level(options.level)?;
    sampled::Sampled::new().map_err(ProfilerError::Machine)
}
