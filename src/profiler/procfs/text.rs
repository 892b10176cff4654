//! The texts of `/proc`, taken apart without allocating.

use crate::profiler::Marker;
use crate::profiler::source::{Memory, Name, Shares};

/// Reads `/proc/PID/status`. `None` for a zombie, which holds no memory, and for
/// anything that has none to begin with (a kernel thread, a process half gone).
pub(super) fn memory(status: &[u8]) -> Option<Memory> {
    let (mut rss, mut high_water, mut swap, mut threads) = (None, None, None, None);
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
        } else if let Some(value) = line.strip_prefix(b"VmSwap:") {
            swap = kilobytes(value);
        } else if let Some(value) = line.strip_prefix(b"Threads:") {
            threads = number(value);
            // What follows is of no interest here.
            break;
        }
    }
    let threads = threads.and_then(|threads| u32::try_from(threads).ok())?;
    Some(Memory { rss: rss?, high_water: high_water?, swap, threads, name, repeated: false })
}

/// What of a process's memory `/proc/PID/stat` tells: everything but what is in swap and
/// the mark, in whose place stands the resident size. `None` as for [`memory`].
pub(super) fn resident(stat: &[u8]) -> Option<Memory> {
    // The name stands in parentheses and may itself hold spaces and parentheses.
    let opened = stat.iter().position(|&byte| byte == b'(')?;
    let closed = stat.iter().rposition(|&byte| byte == b')')?;
    let name = Name::of(stat.get(opened + 1..closed)?);
    let mut fields = stat.get(closed + 1..)?.split(u8::is_ascii_whitespace).skip(1);
    if matches!(fields.next()?, b"Z" | b"X") {
        return None;
    }
    // State was field 3 of the line; threads are field 20, the size of the address space is
    // field 23, and resident pages are field 24.
    let threads = number(fields.nth(20 - 4)?)?;
    let size = number(fields.nth(23 - 21)?)?;
    let pages = number(fields.next()?)?;
    let rss = pages.checked_mul(page_size())?;
    // A kernel thread, or a process half gone. One whose pages were all reclaimed lives.
    if size == 0 {
        return None;
    }
    let threads = u32::try_from(threads).ok()?;
    Some(Memory { rss, high_water: rss, swap: None, threads, name, repeated: false })
}

/// The resident size in `/proc/PID/statm`, in bytes. `None` for a process that has ended,
/// and for one without an address space.
pub(super) fn resident_alone(statm: &[u8]) -> Option<u64> {
    let mut fields = statm.split(u8::is_ascii_whitespace);
    let size = number(fields.next()?)?;
    let pages = number(fields.next()?)?;
    pages.checked_mul(page_size()).filter(|_| size > 0)
}

fn page_size() -> u64 {
    rustix::param::page_size() as u64
}

/// Reads `/proc/PID/smaps_rollup`.
pub(super) fn shares(rollup: &[u8]) -> Option<Shares> {
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
    Some(Shares { pss: pss?, uss: uss? })
}

/// Reads `/proc/PID/environ`.
pub(super) fn has_variable(environment: &[u8], marker: &Marker) -> bool {
    environment.split(|&byte| byte == 0).any(|variable| {
        variable
            .strip_prefix(marker.name.as_bytes())
            .and_then(|rest| rest.strip_prefix(b"="))
            .is_some_and(|value| value == marker.value.as_bytes())
    })
}

/// Reads a `  168 kB`, as bytes.
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
        RssAnon:\t  100000 kB\nVmSwap:\t      30 kB\nThreads:\t7\nSigQ:\t0/95000\n";

    #[test]
    fn status_gives_the_mark_the_present_size_and_the_threads() {
        let expected = Memory {
            rss: 140_000 * 1024,
            high_water: 172_940 * 1024,
            swap: Some(30 * 1024),
            threads: 7,
            name: Name::of(b"SkyPilot:execut"),
            repeated: false,
        };
        assert_eq!(memory(STATUS.as_bytes()), Some(expected));
    }

    #[test]
    fn a_kernel_without_swap_tells_of_none() {
        let status = STATUS.replace("VmSwap:\t      30 kB\n", "");
        assert_eq!(memory(status.as_bytes()).map(|memory| memory.swap), Some(None));
    }

    #[test]
    fn no_text_of_the_kernel_is_too_odd_to_be_read() {
        let rollup = "Rss: 140000 kB\nPss: 133000 kB\nPrivate_Clean: 10000 kB\n\
                      Private_Dirty: 120000 kB\n";
        let stat = "42 (a) S 7 42 42 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 3 0 98765 1000 250 9 9";
        let marker = Marker { name: "A".to_owned(), value: "1".to_owned() };
        for text in [STATUS, rollup, stat, "9000 250 60 1 0 700 0\n", "B=2\0A=1\0"] {
            crate::changes::try_changes(text.as_bytes(), |text| {
                (_, _) = (memory(text), resident(text));
                (_, _) = (resident_alone(text), shares(text));
                _ = has_variable(text, &marker);
            });
        }
    }

    #[test]
    fn shares_beyond_all_numbers_are_none() {
        let most = u64::MAX / 1024;
        let rollup = format!("Pss: 1 kB\nPrivate_Clean: {most} kB\nPrivate_Dirty: {most} kB\n");
        assert_eq!(shares(rollup.as_bytes()), None);
    }

    #[test]
    fn what_holds_no_memory_is_no_reading_of_zero() {
        assert_eq!(memory(STATUS.replace("S (sleeping)", "Z (zombie)").as_bytes()), None);
        assert_eq!(memory(b"Name:\tkthreadd\nState:\tS (sleeping)\nThreads:\t1\n"), None);
        assert_eq!(memory(&STATUS.as_bytes()[..150]), None);
        assert_eq!(memory(b""), None);
    }

    #[test]
    fn stat_gives_the_present_size_and_the_threads_whatever_the_name() {
        let fields = "S 7 42 42 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 3 0 98765 1000 250 9 9";
        let stat = format!("42 (a) b (c)) {fields}");
        let read = resident(stat.as_bytes()).unwrap();
        assert_eq!((read.threads, read.rss), (3, 250 * page_size()));
        assert_eq!(read.name, Name::of(b"a) b (c)"));
        assert_eq!(resident(stat.replace("S 7", "Z 7").as_bytes()), None);
        assert_eq!(resident(stat.replace(" 1000 250 ", " 0 0 ").as_bytes()), None);
        assert_eq!(resident(&stat.as_bytes()[..30]), None);
        assert_eq!(resident(b""), None);
    }

    #[test]
    fn statm_gives_the_present_size_alone() {
        assert_eq!(resident_alone(b"9000 250 60 1 0 700 0\n"), Some(250 * page_size()));
        assert_eq!(resident_alone(b"0 0 0 0 0 0 0\n"), None, "a zombie's");
        assert_eq!(resident_alone(b""), None);
    }

    #[test]
    fn who_has_no_page_in_memory_lives_all_the_same() {
        let status = STATUS.replace("140000 kB", "0 kB");
        assert_eq!(memory(status.as_bytes()).map(|memory| memory.rss), Some(0));
        let fields = "S 7 42 42 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 3 0 98765 1000 0 9 9";
        let stat = format!("42 (python) {fields}");
        assert_eq!(resident(stat.as_bytes()).map(|memory| memory.rss), Some(0));
        assert_eq!(resident_alone(b"9000 0 0 1 0 700 0\n"), Some(0));
    }

    #[test]
    fn unique_memory_is_what_is_private_clean_or_dirty() {
        let rollup = "55d0-7ffe ---p 00000000 00:00 0    [rollup]\nRss:   172880 kB\n\
            Pss:   133000 kB\nPss_Dirty:   120000 kB\nShared_Clean:   39000 kB\n\
            Private_Clean:   10000 kB\nPrivate_Dirty:   120000 kB\n";
        let expected = Shares { pss: 133_000 * 1024, uss: 130_000 * 1024 };
        assert_eq!(shares(rollup.as_bytes()), Some(expected));
        assert_eq!(shares(b""), None);
    }

    #[test]
    fn only_the_very_variable_with_the_very_value_marks_a_process() {
        let marker = Marker { name: "RUN".to_owned(), value: "7".to_owned() };
        assert!(has_variable(b"A=1\0RUN=7\0B=2\0", &marker));
        assert!(has_variable(b"RUN=7", &marker));
        for other in [&b"RUN=77\0"[..], b"XRUN=7\0", b"RUN=\0", b"A=RUN=7\0", b"", b"\0\0\0\0"] {
            assert!(!has_variable(other, &marker), "{other:?}");
        }
    }
}
