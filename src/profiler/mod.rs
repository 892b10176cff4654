//! The profiler: watches every process of a server, from outside.
//!
//! It runs as a process of its own, so that neither the load nor its own parent
//! can starve it by much: `xtask` re-executes itself, and its child calls [`run`].
//! The two talk in lines (see [`protocol`]); what was measured goes to two files,
//! [`crate::record::profile`], which the report reads.
//!
//! A tick lists the machine's processes, settles which new ones belong to the
//! server (`tree/scope.rs`), reads the memory of each member once (`tree/mod.rs`,
//! `tree/member.rs`) and sums up by class (`classify.rs`). Everything that
//! depends on the operating system lies behind `source.rs`.

mod classify;
mod cost;
mod journal;
#[cfg(target_os = "linux")]
mod kernel;
mod level;
mod machine;
mod original;
pub mod protocol;
mod session;
mod source;
mod ticker;
mod tree;

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
pub use level::{LevelRefused, check_level};

use crate::ids::ProcessIdentity;
use crate::record::RecordError;
use crate::units::ByteSize;

/// The distance between two ticks unless another is asked for. Measured: 72 % of
/// 41 ms spikes are *seen* at this rate, and the kernel's mark catches the rest.
pub const DEFAULT_INTERVAL: Duration = Duration::from_millis(50);

/// What to watch, and where to write it down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProfilerOptions {
    /// Grows by one [`crate::record::profile::ProfileLine`] a tick.
    pub samples: PathBuf,
    /// Gets one [`crate::record::profile::ProcessTable`], renewed every few seconds.
    pub processes: PathBuf,
    /// The main process of the server.
    pub root: ProcessIdentity,
    /// The distance between two ticks.
    #[serde(with = "crate::units::duration")]
    pub interval: Duration,
    /// How peaks are to be read.
    pub level: LevelChoice,
    /// What tells the server's detached processes from those of other servers.
    pub marker: Option<Marker>,
    /// Where the server answers; `None`: as its command line says.
    pub api_port: Option<u16>,
    /// Where its queue process listens; `None`: anywhere else.
    pub queue_port: Option<u16>,
    /// The parent is told when less memory than this is available.
    pub memory_floor: Option<ByteSize>,
    /// Also write down what the original tool would have seen.
    #[serde(default)]
    pub upstream_figures: bool,
}

impl ProfilerOptions {
    /// Watches the tree of `root` and nothing else, at the default interval.
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
            memory_floor: None,
            upstream_figures: false,
        }
    }
}

/// An environment variable that a server and all that it starts have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Marker {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// Why profiling could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ProfilerError {
    /// The operating system does not tell about itself.
    #[error("cannot read this machine's CPUs and memory")]
    Machine(#[source] sysinfo::Error),
    /// A file of the run could not be written.
    #[error(transparent)]
    Files(#[from] RecordError),
    /// Peaks cannot be read as was asked for.
    #[error(transparent)]
    Level(#[from] LevelRefused),
    /// The operating system does not show its processes.
    #[error("cannot list the processes of this machine")]
    List(#[source] io::Error),
    /// No thread to read commands with, or to look as the original did.
    #[error("cannot start a thread of the profiler")]
    Thread(#[source] io::Error),
    /// The commands could not be read to their end.
    #[error("cannot read the profiler's commands")]
    Commands(#[source] io::Error),
    /// The parent sent something else than a command.
    #[error("`{line}` is not a command of the profiler")]
    NotACommand {
        /// What it sent.
        line: String,
        /// The parser's reason.
        source: serde_json::Error,
    },
    /// An interval of nothing would be a busy loop.
    #[error("the profiler's interval must not be zero")]
    ZeroInterval,
}

/// Why a profile ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It was told to finish.
    Told,
    /// Nobody is there any more to tell it anything.
    ParentGone,
}

/// Profiles until told to finish, or until `commands` ends: then the parent is
/// gone and nobody wants the numbers.
///
/// Meant to have a process to itself: raises that process's limit of open files,
/// and blocks a thread on `commands` that is not joined.
///
/// # Errors
///
/// Anything in [`ProfilerError`]. What was written until then stays readable. A
/// parent that no longer takes notices is no error but the end.
pub fn run(
    options: &ProfilerOptions,
    commands: impl Read + Send + 'static,
    mut notices: impl Write,
) -> Result<Reason, ProfilerError> {
    profile(options, Box::new(commands), &mut notices)
}

/// Not generic, and so compiled with this library, as optimised as that is: what is
/// generic is compiled with the program that calls it.
fn profile(
    options: &ProfilerOptions,
    commands: Box<dyn Read + Send>,
    notices: &mut dyn Write,
) -> Result<Reason, ProfilerError> {
    if options.interval.is_zero() {
        return Err(ProfilerError::ZeroInterval);
    }
    let orders = protocol::listen(commands).map_err(ProfilerError::Thread)?;
    if options.level == LevelChoice::Sampled {
        let source = sampled::Sampled::new().map_err(ProfilerError::Machine)?;
        return session::Session::start(options, source, notices)?.run(&orders);
    }
    session::Session::start(options, native_source(options)?, notices)?.run(&orders)
}

#[cfg(target_os = "linux")]
fn native_source(options: &ProfilerOptions) -> Result<procfs::ProcFs, ProfilerError> {
    Ok(level::linux::open(options.level, options.root.pid, options.interval)?)
}

/// Processes for who only looks at them, and listens to nothing.
#[cfg(target_os = "linux")]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it may fail")]
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
