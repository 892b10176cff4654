//! A profiler as one would write it with sysinfo, as a process to be measured: by
//! keyword, and at our rate. Speaks as `psutil_loop.py` does.

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
    // Only ever dropped: the end of our input is the end of its thread.
    let (alive, ended) = channel::<()>();
    thread::spawn(move || {
        _ = copy(&mut stdin(), &mut sink());
        drop(alive);
    });
    let mut system = System::new().context("reading this machine's processes")?;
    let mut result = LoopResult { ticks: 0, cpu: Duration::ZERO, peaks: HashMap::new() };
    let mut due = Instant::now();
    loop {
        look(&mut system, &mut result.peaks);
        result.ticks += 1;
        if result.ticks == 1 {
            writeln!(stdout(), "ready").context("speaking to the benchmark")?;
        }
        due = (due + interval).max(Instant::now());
        let pause = due.saturating_duration_since(Instant::now());
        if ended.recv_timeout(pause) == Err(RecvTimeoutError::Disconnected) {
            break;
        }
    }
    result.cpu = Usage::own().cpu;
    let text = serde_json::to_string(&result).context("writing the result")?;
    writeln!(stdout(), "{text}").context("speaking to the benchmark")
}

fn look(system: &mut System, peaks: &mut HashMap<u32, ByteSize>) {
    let what = ProcessRefreshKind::nothing()
        .with_memory()
        // A worker takes its title after its start; `OnlyIfNotSet` never sees it.
        .with_cmd(UpdateKind::Always)
        // Each thread would count as a process.
        .without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, what);
    for (pid, process) in system.processes() {
        let title = process.cmd().first().map(|word| word.to_string_lossy()).unwrap_or_default();
        if KEYWORDS.iter().any(|keyword| title.contains(keyword)) {
            let peak = peaks.entry(pid.as_u32()).or_default();
            *peak = ByteSize(process.memory()).max(*peak);
        }
    }
    system.refresh_cpu_usage();
    system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
}
