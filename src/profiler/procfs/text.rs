//! Parsers of files in `/proc`, without allocations.

use std::time::Duration;

use rustix::param::clock_ticks_per_second;

use crate::profiler::Marker;
use crate::profiler::source::{Memory, Name, PssUss};
use crate::units::total;

/// Parses `/proc/PID/status`. `None` for a process without memory: a zombie, a kernel
/// thread, or a process that is exiting.
pub(super) fn status_memory(status: &[u8]) -> Option<Memory> {
    let (mut rss, mut high_water, mut swap, mut threads) = (None, None, None, None);
    let (mut anonymous, mut shared) = (None, None);
    let mut name = Name::default();
    for line in status.split(|&byte| byte == b'\n') {
        if let Some(value) = line.strip_prefix(b"Name:") {
            name = Name::of(value.trim_ascii());
        } else if let Some(state) = line.strip_prefix(b"State:") {
            if matches!(state.trim_ascii_start().first(), Some(b'Z' | b'X')) {
                return None;
            }
        } else if let Some(value) = line.strip_prefix(b"VmHWM:") {
            high_water = kilobytes(value);
        } else if let Some(value) = line.strip_prefix(b"VmRSS:") {
            rss = kilobytes(value);
        } else if let Some(value) = line.strip_prefix(b"RssAnon:") {
            anonymous = kilobytes(value);
        } else if let Some(value) = line.strip_prefix(b"RssShmem:") {
            shared = kilobytes(value);
        } else if let Some(value) = line.strip_prefix(b"VmSwap:") {
            // Kernels without swap support have no such line: the amount stays unknown.
            swap = kilobytes(value);
        } else if let Some(value) = line.strip_prefix(b"Threads:") {
            threads = number(value);
            // No field after this one is needed.
            break;
        }
    }
    let threads = threads.and_then(|threads| u32::try_from(threads).ok())?;
    Some(Memory {
        rss: rss?,
        anonymous: anonymous
            .zip(shared)
            .map(|(anonymous, shared)| anonymous.saturating_add(shared)),
        high_water: high_water?,
        swap,
        threads,
        name,
        high_water_read: true,
        cached: false,
    })
}

/// Parses `/proc/PID/stat`, which lacks swap and the high-water mark; the latter is set to
/// the resident size. `None` as for [`status_memory`].
pub(super) fn stat_memory(stat: &[u8]) -> Option<Memory> {
    let (name, mut fields) = stat_fields(stat)?;
    if matches!(fields.next()?, b"Z" | b"X") {
        return None;
    }
    // State is field 3 of the line (proc(5)), num_threads is field 20, vsize (the size of
    // the address space) is field 23, and rss (in pages) is field 24.
    let threads = number(fields.nth(20 - 4)?)?;
    let size = number(fields.nth(23 - 21)?)?;
    let pages = number(fields.next()?)?;
    let rss = pages.checked_mul(page_size())?;
    // A kernel thread, or a process that is exiting. An rss of 0 alone is valid: all pages
    // may have been reclaimed.
    if size == 0 {
        return None;
    }
    let threads = u32::try_from(threads).ok()?;
    Some(Memory {
        rss,
        anonymous: None,
        high_water: rss,
        swap: None,
        threads,
        name,
        high_water_read: false,
        cached: false,
    })
}

/// CPU time in `/proc/PID/stat`: of the process, and of the exited children that it has waited
/// for, theirs included.
pub(super) fn cpu_time(stat: &[u8]) -> Option<Duration> {
    // utime, stime, cutime and cstime are fields 14 to 17 of the line (proc(5)), in clock ticks.
    let times = stat_fields(stat)?.1.skip(14 - 3).take(4).map(number);
    let times: Vec<u64> =
        times.collect::<Option<_>>().filter(|times: &Vec<u64>| times.len() == 4)?;
    let micros = u128::from(total(times)) * 1_000_000 / u128::from(clock_ticks_per_second());
    Some(Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)))
}

/// Name in `/proc/PID/stat`, and the fields after it, from the state on, which is field 3.
fn stat_fields(stat: &[u8]) -> Option<(Name, impl Iterator<Item = &[u8]>)> {
    // The name is in parentheses, and may have spaces and parentheses itself.
    let opened = stat.iter().position(|&byte| byte == b'(')?;
    let closed = stat.iter().rposition(|&byte| byte == b')')?;
    let name = Name::of(stat.get(opened + 1..closed)?);
    // The blank after the name makes an empty first field.
    Some((name, stat.get(closed + 1..)?.split(u8::is_ascii_whitespace).skip(1)))
}

/// Resident size in `/proc/PID/statm`, in bytes. `None` for a process without an address
/// space: a zombie, or a kernel thread.
pub(super) fn statm_rss(statm: &[u8]) -> Option<u64> {
    let mut fields = statm.split(u8::is_ascii_whitespace);
    let size = number(fields.next()?)?;
    let pages = number(fields.next()?)?;
    pages.checked_mul(page_size()).filter(|_| size > 0)
}

fn page_size() -> u64 {
    rustix::param::page_size() as u64
}

/// Parses `/proc/PID/smaps_rollup`.
pub(super) fn pss_uss(rollup: &[u8]) -> Option<PssUss> {
    let (mut pss, mut uss) = (None, None);
    for line in rollup.split(|&byte| byte == b'\n') {
        if let Some(value) = line.strip_prefix(b"Pss:") {
            pss = kilobytes(value);
        } else if let Some(value) =
            line.strip_prefix(b"Private_Clean:").or_else(|| line.strip_prefix(b"Private_Dirty:"))
        {
            uss = Some(uss.unwrap_or(0_u64).checked_add(kilobytes(value)?)?);
        }
    }
    Some(PssUss { pss: pss?, uss: uss? })
}

/// Whether `/proc/PID/environ` has the marker's variable with its value.
pub(super) fn has_variable(environment: &[u8], marker: &Marker) -> bool {
    environment.split(|&byte| byte == 0).any(|variable| {
        variable
            .strip_prefix(marker.name.as_bytes())
            .and_then(|rest| rest.strip_prefix(b"="))
            .is_some_and(|value| value == marker.value.as_bytes())
    })
}

/// Parses a value such as `  168 kB`, and returns bytes.
fn kilobytes(value: &[u8]) -> Option<u64> {
    number(value.strip_suffix(b" kB")?)?.checked_mul(1024)
}

fn number(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value.trim_ascii()).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tSkyPilot:execut\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t42\n\
        VmPeak:\t  900000 kB\nVmSize:\t  900000 kB\nVmHWM:\t  172940 kB\nVmRSS:\t  140000 kB\n\
        RssAnon:\t  100000 kB\nRssFile:\t   39900 kB\nRssShmem:\t     100 kB\nVmSwap:\t      30 kB\nThreads:\t7\nSigQ:\t0/95000\n";

    #[test]
    fn status_has_the_high_water_mark_the_resident_size_and_the_threads() {
        let expected = Memory {
            rss: 140_000 * 1024,
            anonymous: Some(100_100 * 1024),
            high_water: 172_940 * 1024,
            swap: Some(30 * 1024),
            threads: 7,
            name: Name::of(b"SkyPilot:execut"),
            high_water_read: true,
            cached: false,
        };
        assert_eq!(status_memory(STATUS.as_bytes()), Some(expected));
    }

    #[test]
    fn without_swap_support_the_size_in_swap_is_unknown() {
        let status = STATUS.replace("VmSwap:\t      30 kB\n", "");
        assert_eq!(status_memory(status.as_bytes()).map(|memory| memory.swap), Some(None));
    }

    #[test]
    fn malformed_files_do_not_panic() {
        let rollup = "Rss: 140000 kB\nPss: 133000 kB\nPrivate_Clean: 10000 kB\n\
                      Private_Dirty: 120000 kB\n";
        let stat = "42 (a) S 7 42 42 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 3 0 98765 1000 250 9 9";
        let marker = Marker { name: "A".to_owned(), value: "1".to_owned() };
        for text in [STATUS, rollup, stat, "9000 250 60 1 0 700 0\n", "B=2\0A=1\0"] {
            crate::changes::try_changes(text.as_bytes(), |text| {
                (_, _) = (status_memory(text), stat_memory(text));
                (_, _, _) = (statm_rss(text), pss_uss(text), cpu_time(text));
                _ = has_variable(text, &marker);
            });
        }
    }

    #[test]
    fn an_overflowing_sum_is_none() {
        let most = u64::MAX / 1024;
        let rollup = format!("Pss: 1 kB\nPrivate_Clean: {most} kB\nPrivate_Dirty: {most} kB\n");
        assert_eq!(pss_uss(rollup.as_bytes()), None);
    }

    #[test]
    fn a_process_without_memory_is_none_and_not_zero() {
        assert_eq!(status_memory(STATUS.replace("S (sleeping)", "Z (zombie)").as_bytes()), None);
        assert_eq!(status_memory(b"Name:\tkthreadd\nState:\tS (sleeping)\nThreads:\t1\n"), None);
        assert_eq!(status_memory(&STATUS.as_bytes()[..150]), None);
        assert_eq!(status_memory(b""), None);
    }

    #[test]
    fn stat_has_the_resident_size_and_the_threads_whatever_the_name() {
        let fields = "S 7 42 42 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 3 0 98765 1000 250 9 9";
        let stat = format!("42 (a) b (c)) {fields}");
        let read = stat_memory(stat.as_bytes()).unwrap();
        assert_eq!((read.threads, read.rss), (3, 250 * page_size()));
        assert_eq!(read.name, Name::of(b"a) b (c)"));
        assert_eq!(stat_memory(stat.replace("S 7", "Z 7").as_bytes()), None);
        assert_eq!(stat_memory(stat.replace(" 1000 250 ", " 0 0 ").as_bytes()), None);
        assert_eq!(stat_memory(&stat.as_bytes()[..30]), None);
        assert_eq!(stat_memory(b""), None);
    }

    #[test]
    fn stat_has_the_cpu_time_of_a_process_and_of_its_reaped_children() {
        let fields = "S 7 42 42 0 -1 4194304 1 9 9 9 100 20 3000 400 20 0 3 0 98765 1000 250 9 9";
        let stat = format!("42 (a) b (c)) {fields}");
        let seconds = 3520.0 / clock_ticks_per_second() as f64;
        assert_eq!(cpu_time(stat.as_bytes()), Some(Duration::from_secs_f64(seconds)));
        assert_eq!(cpu_time(&stat.as_bytes()[..40]), None);
        let endless = stat.replace(" 3000 ", &format!(" {} ", u64::MAX));
        assert!(cpu_time(endless.as_bytes()).is_some(), "any number may be in a file");
    }

    #[test]
    fn statm_has_the_resident_size() {
        assert_eq!(statm_rss(b"9000 250 60 1 0 700 0\n"), Some(250 * page_size()));
        assert_eq!(statm_rss(b"0 0 0 0 0 0 0\n"), None, "zombie");
        assert_eq!(statm_rss(b""), None);
    }

    #[test]
    fn a_process_without_resident_pages_is_alive() {
        let status = STATUS.replace("140000 kB", "0 kB");
        assert_eq!(status_memory(status.as_bytes()).map(|memory| memory.rss), Some(0));
        let fields = "S 7 42 42 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 3 0 98765 1000 0 9 9";
        let stat = format!("42 (python) {fields}");
        assert_eq!(stat_memory(stat.as_bytes()).map(|memory| memory.rss), Some(0));
        assert_eq!(statm_rss(b"9000 0 0 1 0 700 0\n"), Some(0));
    }

    #[test]
    fn uss_is_the_sum_of_private_pages() {
        let rollup = "55d0-7ffe ---p 00000000 00:00 0    [rollup]\nRss:   172880 kB\n\
            Pss:   133000 kB\nPss_Dirty:   120000 kB\nShared_Clean:   39000 kB\n\
            Private_Clean:   10000 kB\nPrivate_Dirty:   120000 kB\n";
        let expected = PssUss { pss: 133_000 * 1024, uss: 130_000 * 1024 };
        assert_eq!(pss_uss(rollup.as_bytes()), Some(expected));
        assert_eq!(pss_uss(b""), None);
    }

    #[test]
    fn only_the_exact_variable_with_the_exact_value_matches() {
        let marker = Marker { name: "RUN".to_owned(), value: "7".to_owned() };
        assert!(has_variable(b"A=1\0RUN=7\0B=2\0", &marker));
        assert!(has_variable(b"RUN=7", &marker));
        for other in [&b"RUN=77\0"[..], b"XRUN=7\0", b"RUN=\0", b"A=RUN=7\0", b"", b"\0\0\0\0"] {
            assert!(!has_variable(other, &marker), "{other:?}");
        }
    }
}
