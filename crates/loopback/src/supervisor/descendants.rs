//! Descendants of this process, with their CPU time and memory.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};
use host::process::scan::add_descendants;
use skyload::ids::ProcessIdentity;
use skyload::process::{parse_stat, stat_fields};
use skyload::units::{ByteSize, total};

/// Process that descends from this one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Descendant {
    pub(super) identity: ProcessIdentity,
    parent: u32,
    pub(super) session: u32,
    /// Whether the process has exited and was not reaped yet.
    pub(super) zombie: bool,
    /// CPU time of the process and of its reaped children.
    pub(super) cpu: Duration,
    /// Resident memory (RSS).
    pub(super) memory: ByteSize,
}

/// Descendants of this process, zombies included.
pub(super) fn descendants() -> Result<Vec<Descendant>> {
    let (ticks, page) = (rustix::param::clock_ticks_per_second(), rustix::param::page_size());
    let page = u64::try_from(page).context("reading the size of a page")?;
    let mut all = HashMap::new();
    for entry in fs::read_dir("/proc").context("listing processes")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // Fails for a process that has exited since the listing.
        let Ok(stat) = fs::read(entry.path().join("stat")) else { continue };
        if let Some(process) = parse(pid, &stat, ticks, page) {
            all.insert(pid, process);
        }
    }
    let parents =
        all.iter().map(|(pid, process): (&u32, &Descendant)| (*pid, process.parent)).collect();
    let mut ours = HashSet::from([std::process::id()]);
    add_descendants(&mut ours, &parents);
    ours.remove(&std::process::id());
    Ok(ours.into_iter().filter_map(|pid| all.remove(&pid)).collect())
}

impl Descendant {
    pub(super) const fn pid(&self) -> u32 {
        self.identity.pid
    }
}

/// Pids of `processes`, and of those among `all` that descend from them.
pub(super) fn with_descendants(
    processes: impl Iterator<Item = u32>,
    all: &[Descendant],
) -> HashSet<u32> {
    let parents = all.iter().map(|process| (process.pid(), process.parent)).collect();
    let mut pids = processes.collect();
    add_descendants(&mut pids, &parents);
    pids
}

/// Process of a `/proc/PID/stat`. `ticks` is the number of clock ticks per second, `page` the
/// page size in bytes.
fn parse(pid: u32, stat: &[u8], ticks: u64, page: u64) -> Option<Descendant> {
    let parsed = parse_stat(pid, stat)?;
    let fields: Vec<&str> = stat_fields(stat)?.collect();
    // Numbered as in proc(5), where the field after the name is the third.
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    // utime, stime, cutime, cstime.
    let cpu = total([field(14)?, field(15)?, field(16)?, field(17)?]);
    Some(Descendant {
        identity: parsed.identity,
        parent: parsed.parent,
        session: u32::try_from(field(6)?).ok()?,
        zombie: parsed.zombie,
        cpu: Duration::from_millis(cpu.saturating_mul(1000) / ticks.max(1)),
        // rss, in pages.
        memory: ByteSize(field(24)?.saturating_mul(page)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_includes_reaped_children() {
        let stat = b"42 (a b) S 7 42 42 0 -1 0 1 0 0 0 100 50 30 20 20 0 1 0 98765 4096 10 0";
        let process = parse(42, stat, 100, 4096).unwrap();
        assert_eq!(process.cpu, Duration::from_secs(2));
        assert_eq!(process.memory, ByteSize(40960));
        assert_eq!((process.parent, process.session), (7, 42));
    }

    #[test]
    fn a_name_that_ends_inside_a_character_hides_no_descendant() {
        let named = fake_sky::non_utf8::NonUtf8Process::start().unwrap();
        let found = descendants().unwrap();
        assert!(found.iter().any(|process| process.identity.pid == named.pid()));
    }

    #[test]
    fn no_line_is_too_odd_to_be_parsed() {
        let stat = "42 (a b) S 7 42 42 0 -1 0 1 0 0 0 100 50 30 20 20 0 1 0 98765 4096 10 0";
        crate::changes::try_changes(stat.as_bytes(), |stat| {
            _ = parse(42, stat, 100, 4096);
        });
        let most = format!("100 {} 30", u64::MAX);
        assert!(parse(42, stat.replace("100 50 30", &most).as_bytes(), 100, 4096).is_some());
    }

    #[test]
    fn only_descendants_are_found() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let found = descendants().unwrap();
        let pids: Vec<u32> = found.iter().map(|process| process.identity.pid).collect();
        assert!(pids.contains(&child.id()));
        assert!(!pids.contains(&std::process::id()) && !pids.contains(&1));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
