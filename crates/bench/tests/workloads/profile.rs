//! Profiler in a thread of the test.

use std::io::{BufRead as _, BufReader, PipeWriter, pipe};
use std::thread::{self, JoinHandle};

use anyhow::Context;
use skyload::ids::ProcessIdentity;
use skyload::profiler::protocol::{self, Command as ProfilerCommand, Notice};
use skyload::profiler::{self, ProfilerError, ProfilerOptions};
use skyload::record::profile::{ProcessRecord, ProcessTable};
use skyload::record::read;
use tempfile::TempDir;

/// Running profiler.
pub(crate) struct Profiling {
    folder: TempDir,
    commands: PipeWriter,
    profiler: JoinHandle<Result<(), ProfilerError>>,
}

impl Profiling {
    /// Starts a profiler on the tree of `root`, and waits for its first sample.
    pub(crate) fn start(root: u32) -> anyhow::Result<Self> {
        let root = ProcessIdentity::of(root).context("the root has exited")?;
        let folder = tempfile::tempdir()?;
        let [samples, processes] =
            ["samples.jsonl", "processes.json"].map(|name| folder.path().join(name));
        let options = ProfilerOptions::new(root, samples, processes);
        let (command_reader, commands) = pipe()?;
        let (notice_reader, notice_writer) = pipe()?;
        let profiler = thread::spawn(move || {
            profiler::run(&options, command_reader, notice_writer).map(|_| ())
        });
        let mut notices = BufReader::new(notice_reader).lines();
        let first = notices.next().context("the profiler has exited")??;
        anyhow::ensure!(
            protocol::parse::<Notice>(&first)? == Notice::Ready,
            "expected the notice `ready`, got {first}"
        );
        // Read further notices, so that the profiler never blocks on a full pipe.
        thread::spawn(move || notices.for_each(drop));
        Ok(Self { folder, commands, profiler })
    }

    /// Ends the profiler, and reads its table of processes.
    pub(crate) fn finish(mut self) -> anyhow::Result<ProcessTable> {
        protocol::send(&mut self.commands, &ProfilerCommand::Finish)
            .context("ending the profiler")?;
        self.profiler.join().map_err(|_| anyhow::anyhow!("the profiler panicked"))??;
        Ok(read(&self.folder.path().join("processes.json"))?)
    }
}

/// Record of a process in a profile.
pub(crate) fn record(profile: &ProcessTable, pid: u32) -> Option<&ProcessRecord> {
    profile.processes.iter().find(|record| record.identity.pid == pid)
}
