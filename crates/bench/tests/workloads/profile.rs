//! Profiles a workload in a thread of the test.

use std::io::{BufRead as _, BufReader, PipeWriter, pipe};
use std::thread::{self, JoinHandle};

use anyhow::Context;
use skyload::ids::ProcessIdentity;
use skyload::profiler::protocol::{self, Command as Order, Notice};
use skyload::profiler::{self, ProfilerError, ProfilerOptions};
use skyload::record::profile::{ProcessRecord, ProcessTable};
use skyload::record::read;
use tempfile::TempDir;

/// A profiler at work.
pub(crate) struct Profiling {
    folder: TempDir,
    orders: PipeWriter,
    profiler: JoinHandle<Result<(), ProfilerError>>,
}

impl Profiling {
    /// Profiles the tree of `root`, and waits for the first tick.
    pub(crate) fn start(root: u32) -> anyhow::Result<Self> {
        let root = ProcessIdentity::of(root).context("the root lives")?;
        let folder = tempfile::tempdir()?;
        let [samples, processes] =
            ["samples.jsonl", "processes.json"].map(|name| folder.path().join(name));
        let options = ProfilerOptions::new(root, samples, processes);
        let (order_out, orders) = pipe()?;
        let (notice_out, notice_in) = pipe()?;
        let profiler =
            thread::spawn(move || profiler::run(&options, order_out, notice_in).map(|_| ()));
        let mut notices = BufReader::new(notice_out).lines();
        let first = notices.next().context("the profiler has ended")??;
        anyhow::ensure!(protocol::parse::<Notice>(&first)? == Notice::Ready, "it said {first}");
        // It must not wait for somebody to hear its notices.
        thread::spawn(move || notices.for_each(drop));
        Ok(Self { folder, orders, profiler })
    }

    /// Ends the profiler, and reads its table of processes.
    pub(crate) fn finish(mut self) -> anyhow::Result<ProcessTable> {
        protocol::send(&mut self.orders, &Order::Finish).context("ending the profiler")?;
        self.profiler.join().map_err(|_| anyhow::anyhow!("the profiler panicked"))??;
        Ok(read(&self.folder.path().join("processes.json"))?)
    }
}

/// What a profile says of a process.
pub(crate) fn record(profile: &ProcessTable, pid: u32) -> Option<&ProcessRecord> {
    profile.processes.iter().find(|record| record.identity.pid == pid)
}
