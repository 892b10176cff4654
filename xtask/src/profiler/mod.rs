//! The profiler as `load` and `profile` use it: a process of its own, started,
//! asked, looked at while it works, and ended.

mod live;
mod process;
mod shell;

pub(crate) use live::last_ticks;
pub(crate) use process::ProfilerProcess;
pub(crate) use shell::run as run_shell;
