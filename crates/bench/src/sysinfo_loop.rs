//! Simple profiler made with sysinfo, as a process to be measured.
//!
//! It finds processes by keyword, like `psutil_loop.py`, and has the same output. Its
//! sampling interval is that of skyload's profiler.

use std::collections::HashMap;
use std::io::{Write as _, copy, sink, stdin, stdout};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use skyload::units::ByteSize;
use skyload::usage::Usage;
use sysinfo::{MemoryRefreshKind, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

use crate::flags::SysinfoLoopFlags;
use crate::watcher::LoopResult;

const KEYWORDS: [&str; 2] = ["SkyPilot:executor:short", "SkyPilot:executor:long"];

pub(crate) fn run(flags: &SysinfoLoopFlags) -> Result<()> {
    let interval = Duration::from_millis(flags.interval);
    // Nothing is sent: the thread drops the sender at the end of the input, which
    // disconnects the channel and wakes the loop.
    let (input_open, input) = channel::<()>();
    thread::spawn(move || {
        _ = copy(&mut stdin(), &mut sink());
        drop(input_open);
    });
    let mut system = System::new().context("reading this machine's processes")?;
    let mut result = LoopResult { samples: 0, cpu: Duration::ZERO, peaks: HashMap::new() };
    let mut due = Instant::now();
    loop {
        sample(&mut system, &mut result.peaks);
        result.samples += 1;
        if result.samples == 1 {
            writeln!(stdout(), "ready").context("writing to the benchmark")?;
        }
        // After a late sample the next one follows immediately, but missed ones are skipped.
        due = (due + interval).max(Instant::now());
        let pause = due.saturating_duration_since(Instant::now());
        if input.recv_timeout(pause) == Err(RecvTimeoutError::Disconnected) {
            break;
        }
    }
    result.cpu = Usage::own().cpu;
    let text = serde_json::to_string(&result).context("serializing the result")?;
    writeln!(stdout(), "{text}").context("writing to the benchmark")
}

fn sample(system: &mut System, peaks: &mut HashMap<u32, ByteSize>) {
    let refresh = ProcessRefreshKind::nothing()
        .with_memory()
        // A worker sets its title after its start, which `OnlyIfNotSet` would miss.
        .with_cmd(UpdateKind::Always)
        // Otherwise each thread would be listed as a process.
        .without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, refresh);
    for (pid, process) in system.processes() {
        let title =
            process.cmd().first().map(|argument| argument.to_string_lossy()).unwrap_or_default();
        if KEYWORDS.iter().any(|keyword| title.contains(keyword)) {
            let peak = peaks.entry(pid.as_u32()).or_default();
            *peak = ByteSize(process.memory()).max(*peak);
        }
    }
    // Only for their cost: upstream's script reads both.
    system.refresh_cpu_usage();
    system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
}
