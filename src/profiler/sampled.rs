//! Process source based on sysinfo: for operating systems other than Linux, and for
//! comparison.
//!
//! sysinfo has no high-water marks, so a peak is the largest sample and short spikes are
//! missed ([`ProfilerLevel::SampledRss`]). PSS and USS are not available. Threads and sockets are
//! read where there is a `/proc`; elsewhere the header of the profile says that they are not.

use std::io;
use std::time::Duration;

use sysinfo::{
    Pid, Process, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind,
};

use super::Marker;
use super::source::{Listed, Memory, Name, ProcessEvents, ProcessSource, PssUss, Reading};
use crate::ids::ProcessIdentity;
use crate::listeners::Listeners;
use crate::process::{self, ProcessStat};
use crate::record::profile::{Output, ProfilerLevel, UnreadOutput};

/// Processes of this machine, as of the last list.
pub(super) struct Sampled {
    system: System,
    listeners: Listeners,
}

impl Sampled {
    pub(super) fn new() -> Result<Self, sysinfo::Error> {
        Ok(Self { system: System::new()?, listeners: Listeners::default() })
    }

    fn process(&self, pid: u32) -> Option<&Process> {
        self.system.process(Pid::from_u32(pid))
    }
}

impl ProcessSource for Sampled {
    type Handle = ProcessIdentity;

    fn level(&self) -> ProfilerLevel {
        ProfilerLevel::SampledRss
    }

    fn has_fork_events(&self) -> bool {
        false
    }

    fn drain_events(&mut self, _events: &mut ProcessEvents) {}

    fn list(&mut self, found: &mut Vec<Listed>) -> io::Result<()> {
        // Without `without_tasks` each thread would count as a process.
        let what = ProcessRefreshKind::nothing()
            .with_memory()
            // SkyPilot's processes set their titles late, which `OnlyIfNotSet` would never show.
            .with_cmd(UpdateKind::Always)
            .with_environ(UpdateKind::OnlyIfNotSet)
            .without_tasks();
        self.system.refresh_processes_specifics(ProcessesToUpdate::All, true, what);
        found.clear();
        // Start times are the best that sysinfo has: in seconds, so a pid that is reused within one
        // is not noticed.
        found.extend(
            self.system.processes().iter().map(|(pid, process)| Listed {
                pid: pid.as_u32(),
                generation: process.start_time(),
            }),
        );
        Ok(())
    }

    fn look_up(&mut self, pid: u32) -> Option<ProcessStat> {
        // sysinfo counts start times in another unit than the identity of the root.
        process::look_up(pid)
    }

    fn command_line(&mut self, pid: u32, text: &mut Vec<u8>) -> bool {
        text.clear();
        let Some(process) = self.process(pid) else { return false };
        for word in process.cmd() {
            text.extend_from_slice(word.as_encoded_bytes());
            // As in `/proc/PID/cmdline`, which the classification parses.
            text.push(0);
        }
        true
    }

    fn has_marker(&mut self, pid: u32, marker: &Marker) -> bool {
        let wanted = format!("{}={}", marker.name, marker.value);
        self.process(pid)
            .is_some_and(|process| process.environ().iter().any(|have| *have == *wanted))
    }

    fn listening_ports(&mut self, pid: u32) -> Vec<u16> {
        self.listeners.ports_of(pid)
    }

    fn open(&mut self, pid: u32) -> ProcessIdentity {
        let started = self.process(pid).map_or(0, Process::start_time);
        ProcessIdentity { pid, started }
    }

    fn read(&mut self, handle: &mut ProcessIdentity) -> Reading {
        match self.process(handle.pid) {
            Some(process)
                if process.start_time() == handle.started
                    && process.status() != ProcessStatus::Zombie =>
            {
                // sysinfo's name does not change when a process sets its title.
                let first = process.cmd().first().map_or(&b""[..], |word| word.as_encoded_bytes());
                let (rss, name) = (process.memory(), Name::of(first));
                Reading::Memory(Memory {
                    rss,
                    anonymous: None,
                    high_water: rss,
                    swap: None,
                    // sysinfo has no thread count without listing all threads.
                    threads: process::threads(handle.pid).unwrap_or(1),
                    name,
                    high_water_read: true,
                    cached: false,
                })
            }
            _ => Reading::Ended,
        }
    }

    fn invalidate(&mut self, _handle: &mut ProcessIdentity) {}

    fn reset_peak(&mut self, _pid: u32) -> bool {
        false
    }

    fn output(&mut self, _handle: &mut ProcessIdentity) -> Option<Output> {
        Some(Output::Unread(UnreadOutput::NotAvailable))
    }

    fn pss_uss(&mut self, _pid: u32) -> Option<PssUss> {
        None
    }

    fn open_files(&mut self, _pid: u32) -> Option<u32> {
        None
    }

    fn cpu_time(&mut self, _pid: u32) -> Option<Duration> {
        None
    }

    fn cpu_time_by(&mut self, _handle: &mut ProcessIdentity) -> Option<Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    use std::{net::TcpListener, sync::Barrier, thread};

    use super::*;

    #[test]
    fn this_process_is_listed_and_sampled() {
        let mut source = Sampled::new().unwrap();
        let (mut all, me) = (Vec::new(), std::process::id());
        source.list(&mut all).unwrap();
        assert!(all.iter().any(|listed| listed.pid == me));
        let mut handle = source.open(me);
        assert!(matches!(source.read(&mut handle), Reading::Memory(memory) if memory.rss > 0));
        let mut text = Vec::new();
        assert!(source.command_line(me, &mut text) && text.contains(&0));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn threads_and_ports_are_read() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut source = Sampled::new().unwrap();
        let (me, mut all, done) = (std::process::id(), Vec::new(), Barrier::new(9));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| done.wait());
            }
            source.list(&mut all).unwrap();
            let mut handle = source.open(me);
            let reading = source.read(&mut handle);
            done.wait();
            assert!(
                matches!(reading, Reading::Memory(memory) if memory.threads > 8),
                "{reading:?}"
            );
        });
        assert!(source.listening_ports(me).contains(&listener.local_addr().unwrap().port()));
    }
}
