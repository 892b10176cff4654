//! Exit records: the kernel's statistics of each task that exits, with the high-water mark
//! of its memory (`linux/taskstats.h`, taskstats.rst of the kernel's accounting docs).
//!
//! Available to root or with `CAP_NET_ADMIN`, in the initial network namespace. A record
//! is sent for each *thread*. Threads share their memory, so each has the high-water mark
//! of the process so far, and the last one has the final value.

use std::fs;
use std::io;
use std::time::Duration;

use rustix::net::netlink::GENERIC;
use rustix::time::{ClockId, clock_gettime};

use super::clock_ticks;
use super::netlink::{
    Message, Received, RequestId, Socket, attribute, attributes, messages, u16_at, u32_at, u64_at,
};
use crate::profiler::source::{ExitRecord, Name, ProcessEvents};

const NLM_F_REQUEST: u16 = 1;
/// `NLM_F_REQUEST | NLM_F_ACK`.
const REQUEST_WITH_ACK: u16 = 5;
/// Message type of an acknowledgement, which is an error with the code 0, or of an error.
const NLMSG_ERROR: u16 = 2;

/// Family of the generic netlink controller, with its command and attributes to look up
/// the number of a family (`linux/genetlink.h`).
const GENL_ID_CTRL: u16 = 16;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;

const TASKSTATS_CMD_GET: u8 = 1;
const TASKSTATS_CMD_ATTR_REGISTER_CPUMASK: u16 = 3;
const TASKSTATS_TYPE_AGGR_PID: u16 = 4;
const TASKSTATS_TYPE_PID: u16 = 1;
const TASKSTATS_TYPE_STATS: u16 = 3;

/// Flag in `ac_flag`: forked, and no exec since (`linux/acct.h`).
const AFORK: u8 = 1;

/// Version of `struct taskstats` that added `ac_tgid`, the process of a thread.
const VERSION_WITH_PROCESS: u16 = 12;

/// Subscription to exit records.
pub(super) struct ExitRecords {
    socket: Socket,
    family: u16,
}

impl ExitRecords {
    /// Subscribes to the records of all CPUs, and verifies that they arrive.
    pub(super) fn listen() -> io::Result<Self> {
        let mut socket = Socket::open(GENERIC, 0)?;
        let family = family(&mut socket)?;
        // Not only the online CPUs: others may come online later.
        let mut cpus = fs::read("/sys/devices/system/cpu/possible")?;
        // The kernel expects a string that ends with a NUL, without the newline.
        cpus.truncate(cpus.trim_ascii_end().len());
        cpus.push(0);
        let request =
            genl_payload(TASKSTATS_CMD_GET, &attribute(TASKSTATS_CMD_ATTR_REGISTER_CPUMASK, &cpus));
        let request_id = socket.send_request(family, REQUEST_WITH_ACK, &request)?;
        // Without CAP_NET_ADMIN, this returns EPERM.
        wait_for_ack(&mut socket, request_id)?;
        let mut records = Self { socket, family };
        records.verify_delivery()?;
        Ok(records)
    }

    /// Appends the records since the last call to `events`.
    pub(super) fn drain(&mut self, events: &mut ProcessEvents) -> io::Result<()> {
        let now = since_boot();
        loop {
            match self.socket.receive()? {
                Received::Datagram(datagram) => {
                    events.exits.extend(records(datagram, self.family, now));
                }
                Received::Overrun => events.dropped += 1,
                Received::Nothing => return Ok(()),
            }
        }
    }

    /// Starts a thread and looks for its exit record. Detects pids of another namespace,
    /// an unknown layout of the structure, and a kernel without high-water marks.
    fn verify_delivery(&mut self) -> io::Result<()> {
        // A thread is enough: the kernel sends a record for each, not only for each process.
        std::thread::spawn(|| ()).join().map_err(|_| io::Error::other("a thread panicked"))?;
        let (family, now) = (self.family, since_boot());
        let own =
            self.socket.wait_for(|datagram| records(datagram, family, now).find(is_own_thread))?;
        let own = own.ok_or_else(|| {
            io::Error::other(
                "expected the exit record of a thread of skyload, got none: another pid \
                 namespace, or an unknown layout of the record",
            )
        })?;
        require_peak(&own)
    }
}

/// Whether the record is of a thread of this process.
fn is_own_thread(record: &ExitRecord) -> bool {
    let me = std::process::id();
    match record.process {
        Some(process) => process == me && record.thread != me,
        // Records before version 12 have the parent only, which a sibling shares.
        None => record.parent == std::os::unix::process::parent_id(),
    }
}

/// Checks that the record of a thread of this process has a high-water mark. Without
/// `CONFIG_TASK_XACCT` the kernel leaves it 0.
fn require_peak(own: &ExitRecord) -> io::Result<()> {
    if own.high_water > 0 {
        return Ok(());
    }
    Err(io::Error::other(
        "the kernel's exit records have no high-water marks (CONFIG_TASK_XACCT is not set)",
    ))
}

/// Looks up the number of the generic netlink family `TASKSTATS`.
fn family(socket: &mut Socket) -> io::Result<u16> {
    let request =
        genl_payload(CTRL_CMD_GETFAMILY, &attribute(CTRL_ATTR_FAMILY_NAME, b"TASKSTATS\0"));
    let request_id = socket.send_request(GENL_ID_CTRL, NLM_F_REQUEST, &request)?;
    let number = socket.wait_for(|datagram| {
        let reply = messages(datagram).find(|message| message.is_reply_to(request_id))?;
        // For an unknown name, the reply is an error message, which has no attributes.
        let is_family = reply.kind == GENL_ID_CTRL;
        // The attributes follow `struct genlmsghdr`, which has 4 bytes.
        let mut parts = attributes(reply.payload.get(4..).unwrap_or_default());
        let number = parts.find(|(kind, _)| is_family && *kind == CTRL_ATTR_FAMILY_ID);
        Some(number.and_then(|(_, value)| u16_at(value, 0)))
    })?;
    number
        .flatten()
        .ok_or_else(|| io::Error::other("no taskstats in this kernel or network namespace"))
}

/// Waits for the acknowledgement of a request. Records may arrive before it.
fn wait_for_ack(socket: &mut Socket, request_id: RequestId) -> io::Result<()> {
    let code = socket.wait_for(|datagram| {
        let is_ack =
            |message: &Message<'_>| message.kind == NLMSG_ERROR && message.is_reply_to(request_id);
        let reply = messages(datagram).find(is_ack)?;
        Some(u32_at(reply.payload, 0)?.cast_signed())
    })?;
    match code {
        Some(0) => Ok(()),
        Some(code) => Err(io_error(code)),
        None => Err(io::Error::other("no reply from the kernel to the taskstats request")),
    }
}

/// I/O error of a netlink error code, which is a negative `errno`.
fn io_error(code: i32) -> io::Error {
    io::Error::from_raw_os_error(code.saturating_neg())
}

/// Payload of a generic netlink message: its header (`struct genlmsghdr`, version 1) and
/// the attributes.
fn genl_payload(command: u8, attributes: &[u8]) -> Vec<u8> {
    [&[command, 1, 0, 0], attributes].concat()
}

fn since_boot() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default()
}

/// Records in a datagram that was received at `now`, a time since boot.
fn records(datagram: &[u8], family: u16, now: Duration) -> impl Iterator<Item = ExitRecord> + '_ {
    messages(datagram)
        .filter(move |message| message.kind == family)
        .flat_map(|message| attributes(message.payload.get(4..).unwrap_or_default()))
        .filter(|(kind, _)| *kind == TASKSTATS_TYPE_AGGR_PID)
        .filter_map(move |(_, value)| record(value, now))
}

fn record(value: &[u8], now: Duration) -> Option<ExitRecord> {
    let part = |wanted| attributes(value).find(|(kind, _)| *kind == wanted).map(|(_, part)| part);
    let thread = u32_at(part(TASKSTATS_TYPE_PID)?, 0)?;
    let stats = part(TASKSTATS_TYPE_STATS)?;
    let layout = Layout::of(stats, thread)?;
    let kilobytes = u64_at(stats, layout.high_water)?;
    let lived = Duration::from_micros(u64_at(stats, layout.lived)?);
    Some(ExitRecord {
        thread,
        process: layout.process.and_then(|at| u32_at(stats, at)),
        parent: u32_at(stats, layout.parent)?,
        high_water: kilobytes.checked_mul(1024)?,
        // `ac_flag` is before all inserted fields, so its offset is fixed.
        never_executed: stats.get(8)? & AFORK != 0,
        // `ac_exitcode`, a wait status, is before all inserted fields, too.
        signal: ended_by(u32_at(stats, 4)?),
        // From the lifetime: the record's own start time (`ac_btime`) is in whole seconds.
        started: clock_ticks(now.saturating_sub(lived)),
        lived,
        name: Name::of(stats.get(layout.name..layout.name + 16)?.split(|&byte| byte == 0).next()?),
    })
}

/// Signal in a wait status; `None` if the process exited by itself.
fn ended_by(status: u32) -> Option<u8> {
    u8::try_from(status & 0x7f).ok().filter(|signal| *signal > 0)
}

/// Offsets of fields in `struct taskstats`, in bytes.
struct Layout {
    name: usize,
    parent: usize,
    lived: usize,
    high_water: usize,
    process: Option<usize>,
}

impl Layout {
    /// Finds the layout by the position of the known `pid`. The structure should only grow
    /// at its end, but kernels have inserted fields in the middle: one or two of 8 bytes
    /// after each of three sums before the pid and three after it.
    fn of(stats: &[u8], pid: u32) -> Option<Self> {
        const PID_AT: usize = 128;
        let shift =
            [0, 24, 48].into_iter().find(|shift| u32_at(stats, PID_AT + shift) == Some(pid))?;
        let names_process = u16_at(stats, 0)? >= VERSION_WITH_PROCESS;
        Some(Self {
            name: 80 + shift,
            parent: 132 + shift,
            lived: 144 + shift,
            high_water: 200 + shift,
            process: names_process.then_some(368 + 2 * shift),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use fake_sky::kernel_features::{KernelFeature, skip_test};

    use super::*;
    use crate::process;
    use crate::profiler::kernel::netlink::message;

    /// Exit records, if this user and this kernel permit them.
    fn listen() -> Option<ExitRecords> {
        let listening = ExitRecords::listen();
        listening.map_err(|reason| skip_test(KernelFeature::ExitRecords, reason)).ok()
    }

    #[test]
    fn an_exit_record_has_the_name_the_parent_and_the_high_water_mark() {
        let Some(mut records) = listen() else { return };
        let script = "head -c 40000000 /dev/zero | tail -c 1 >/dev/null; exec sleep 0";
        let mut child = Command::new("/bin/sh").args(["-c", script]).spawn().unwrap();
        let started = process::look_up(child.id()).unwrap().identity.started;
        child.wait().unwrap();
        let mut events = ProcessEvents::default();
        records.drain(&mut events).unwrap();
        let own = events.exits.iter().find(|record| record.thread == child.id()).unwrap();
        assert_eq!((own.process, own.parent), (Some(child.id()), std::process::id()));
        assert_eq!(own.name, Name::of(b"sleep"));
        assert!(!own.never_executed && own.high_water > 100 << 10, "{own:?}");
        assert!(own.lived > Duration::ZERO && own.lived < Duration::from_secs(60));
        assert!(own.started >= started && own.started <= clock_ticks(since_boot()), "{own:?}");
        let tail = events.exits.iter().find(|record| record.parent == child.id());
        assert!(tail.is_some_and(|record| record.high_water > 500 << 10), "{tail:?}");
    }

    #[test]
    fn a_layout_with_inserted_fields_is_found_by_the_pid() {
        let mut stats = vec![0; 600];
        stats[0..2].copy_from_slice(&15_u16.to_ne_bytes());
        stats[128 + 48..][..4].copy_from_slice(&77_u32.to_ne_bytes());
        stats[368 + 96..][..4].copy_from_slice(&70_u32.to_ne_bytes());
        stats[200 + 48..][..8].copy_from_slice(&5_u64.to_ne_bytes());
        let mut value = attribute(TASKSTATS_TYPE_PID, &77_u32.to_ne_bytes());
        value.extend(attribute(TASKSTATS_TYPE_STATS, &stats));
        let record = record(&value, Duration::ZERO).unwrap();
        assert_eq!((record.thread, record.process, record.high_water), (77, Some(70), 5 << 10));
    }

    #[test]
    fn malformed_records_do_not_panic() {
        let mut stats = vec![0; 600];
        stats[0..2].copy_from_slice(&15_u16.to_ne_bytes());
        stats[128..][..4].copy_from_slice(&77_u32.to_ne_bytes());
        let mut value = attribute(TASKSTATS_TYPE_PID, &77_u32.to_ne_bytes());
        value.extend(attribute(TASKSTATS_TYPE_STATS, &stats));
        let datagram = message(
            9,
            0,
            1,
            &genl_payload(TASKSTATS_CMD_GET, &attribute(TASKSTATS_TYPE_AGGR_PID, &value)),
        );
        assert_eq!(records(&datagram, 9, Duration::ZERO).count(), 1);
        crate::changes::try_changes(&datagram, |datagram| {
            _ = records(datagram, 9, Duration::from_secs(9)).count();
        });
    }

    #[test]
    fn the_smallest_error_code_does_not_overflow() {
        assert!(io_error(i32::MIN).raw_os_error().is_some());
    }

    #[test]
    fn records_without_high_water_marks_are_an_error() {
        let mut stats = vec![0; 600];
        stats[128..][..4].copy_from_slice(&77_u32.to_ne_bytes());
        let mut record_with = |kilobytes: u64| {
            stats[200..][..8].copy_from_slice(&kilobytes.to_ne_bytes());
            let mut value = attribute(TASKSTATS_TYPE_PID, &77_u32.to_ne_bytes());
            value.extend(attribute(TASKSTATS_TYPE_STATS, &stats));
            record(&value, Duration::ZERO).unwrap()
        };
        let [without, with] = [0, 5].map(&mut record_with).map(|record| require_peak(&record));
        assert!(without.unwrap_err().to_string().contains("CONFIG_TASK_XACCT"));
        assert!(with.is_ok());
    }

    #[test]
    fn an_unknown_layout_has_no_record() {
        let mut value = attribute(TASKSTATS_TYPE_PID, &77_u32.to_ne_bytes());
        value.extend(attribute(TASKSTATS_TYPE_STATS, &[0; 600]));
        assert!(record(&value, Duration::ZERO).is_none());
    }
}
