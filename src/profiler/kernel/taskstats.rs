//! Exit records: what the kernel says of each task that ends, its memory's high-water
//! mark among it (`linux/taskstats.h`, taskstats.rst of the kernel's accounting docs).
//!
//! Root's, or `CAP_NET_ADMIN`'s, on the network of the machine itself. A record comes
//! for each *thread*; the marks of all are of the one memory that they share, and the
//! last of them is the final one.

use std::fs;
use std::io;
use std::time::Duration;

use rustix::net::netlink::GENERIC;
use rustix::time::{ClockId, clock_gettime};

use super::clock_ticks;
use super::netlink::{
    Message, Question, Received, Socket, attribute, attributes, messages, u16_at, u32_at, u64_at,
};
use crate::profiler::source::{ExitRecord, Name, News};

const REQUEST: u16 = 1;
const REQUEST_WITH_ANSWER: u16 = 5;
/// `NLMSG_ERROR`: the kind of an answer, good or bad.
const ANSWER: u16 = 2;

/// The directory of generic netlink, and the question for a group's number.
const DIRECTORY: u16 = 16;
const GET_FAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;

const GET: u8 = 1;
const REGISTER_CPUS: u16 = 3;
const OF_THREAD: u16 = 4;
const PID: u16 = 1;
const STATS: u16 = 3;

/// The process never executed a program (`AFORK`).
const ONLY_FORKED: u8 = 1;

/// From this version on a record says whose thread it is.
const VERSION_WITH_PROCESS: u16 = 12;

pub(super) struct ExitRecords {
    socket: Socket,
    family: u16,
}

impl ExitRecords {
    /// Asks for the records of all CPUs, and makes sure that they come.
    pub(super) fn listen() -> io::Result<Self> {
        let mut socket = Socket::open(GENERIC, 0)?;
        let family = family(&mut socket)?;
        let mut cpus = fs::read("/sys/devices/system/cpu/possible")?;
        cpus.truncate(cpus.trim_ascii_end().len());
        cpus.push(0);
        let request = generic(GET, &attribute(REGISTER_CPUS, &cpus));
        let question = socket.ask(family, REQUEST_WITH_ANSWER, &request)?;
        accepted(&mut socket, question)?;
        let mut records = Self { socket, family };
        records.prove()?;
        Ok(records)
    }

    /// Adds what has ended since it was last asked.
    pub(super) fn take(&mut self, news: &mut News) -> io::Result<()> {
        let now = since_boot();
        loop {
            match self.socket.receive()? {
                Received::Datagram(datagram) => {
                    news.exits.extend(records(datagram, self.family, now));
                }
                Received::Overrun => news.lost += 1,
                Received::Nothing => return Ok(()),
            }
        }
    }

    /// Lets a thread of our own end and looks for its record: pids might be those of
    /// another namespace, the kernel's structure one that is not known here, and the mark
    /// one that is not kept.
    fn prove(&mut self) -> io::Result<()> {
        std::thread::spawn(|| ()).join().map_err(|_| io::Error::other("a thread panicked"))?;
        let (family, now) = (self.family, since_boot());
        let own = self.socket.wait_for(|datagram| records(datagram, family, now).find(is_ours))?;
        let own = own.ok_or_else(|| {
            io::Error::other(
                "the kernel's records are not of this namespace's processes, or of a kind that \
                 is not known here",
            )
        })?;
        require_mark(&own)
    }
}

/// Whether a record is of a thread of this process.
fn is_ours(record: &ExitRecord) -> bool {
    let me = std::process::id();
    match record.process {
        Some(process) => process == me && record.thread != me,
        None => record.parent == std::os::unix::process::parent_id(),
    }
}

/// Whoever runs has memory: a record without a mark is of a kernel that keeps none.
fn require_mark(own: &ExitRecord) -> io::Result<()> {
    if own.high_water > 0 {
        return Ok(());
    }
    Err(io::Error::other("this kernel's records have no marks (CONFIG_TASK_XACCT)"))
}

/// The number of the family `TASKSTATS`.
fn family(socket: &mut Socket) -> io::Result<u16> {
    let request = generic(GET_FAMILY, &attribute(FAMILY_NAME, b"TASKSTATS\0"));
    let question = socket.ask(DIRECTORY, REQUEST, &request)?;
    let number = socket.wait_for(|datagram| {
        let answer = messages(datagram).find(|message| message.answers(question))?;
        let is_named = answer.kind == DIRECTORY;
        let mut parts = attributes(answer.payload.get(4..).unwrap_or_default());
        let number = parts.find(|(kind, _)| is_named && *kind == FAMILY_ID);
        Some(number.and_then(|(_, value)| u16_at(value, 0)))
    })?;
    number
        .flatten()
        .ok_or_else(|| io::Error::other("this kernel, or this network namespace, has no taskstats"))
}

/// Waits for the answer to a question. Records may come before it.
fn accepted(socket: &mut Socket, question: Question) -> io::Result<()> {
    let code = socket.wait_for(|datagram| {
        let is_answer = |message: &Message<'_>| message.kind == ANSWER && message.answers(question);
        let answer = messages(datagram).find(is_answer)?;
        Some(u32_at(answer.payload, 0)?.cast_signed())
    })?;
    match code {
        Some(0) => Ok(()),
        Some(code) => Err(error_of(code)),
        None => Err(io::Error::other("the kernel does not answer")),
    }
}

/// Errors are told as negative numbers.
fn error_of(code: i32) -> io::Error {
    io::Error::from_raw_os_error(code.saturating_neg())
}

/// The payload of a generic netlink message.
fn generic(command: u8, attributes: &[u8]) -> Vec<u8> {
    [&[command, 1, 0, 0], attributes].concat()
}

fn since_boot() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default()
}

/// The records in a datagram that was heard at `now`.
fn records(datagram: &[u8], family: u16, now: Duration) -> impl Iterator<Item = ExitRecord> + '_ {
    messages(datagram)
        .filter(move |message| message.kind == family)
        .flat_map(|message| attributes(message.payload.get(4..).unwrap_or_default()))
        .filter(|(kind, _)| *kind == OF_THREAD)
        .filter_map(move |(_, value)| record(value, now))
}

fn record(value: &[u8], now: Duration) -> Option<ExitRecord> {
    let part = |wanted| attributes(value).find(|(kind, _)| *kind == wanted).map(|(_, part)| part);
    let thread = u32_at(part(PID)?, 0)?;
    let stats = part(STATS)?;
    let layout = Layout::of(stats, thread)?;
    let kilobytes = u64_at(stats, layout.high_water)?;
    let lived = Duration::from_micros(u64_at(stats, layout.lived)?);
    Some(ExitRecord {
        thread,
        process: layout.process.and_then(|at| u32_at(stats, at)),
        parent: u32_at(stats, layout.parent)?,
        high_water: kilobytes.checked_mul(1024)?,
        never_executed: stats.get(8)? & ONLY_FORKED != 0,
        started: clock_ticks(now.saturating_sub(lived)),
        lived,
        name: Name::of(stats.get(layout.name..layout.name + 16)?.split(|&byte| byte == 0).next()?),
    })
}

/// Where in `struct taskstats` things are.
struct Layout {
    name: usize,
    parent: usize,
    lived: usize,
    high_water: usize,
    process: Option<usize>,
}

impl Layout {
    /// Fields have been put into the middle of the structure for a while (one or two of
    /// 8 bytes after each of three sums before the pid and three after it), though it
    /// should only grow at its end. The pid, which is known, tells.
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

    /// Granted or not, depending on who runs the tests.
    fn listen() -> Option<ExitRecords> {
        let listening = ExitRecords::listen();
        listening.map_err(|reason| skip_test(KernelFeature::ExitRecords, reason)).ok()
    }

    #[test]
    fn a_childs_record_names_it_its_parent_and_its_mark() {
        let Some(mut records) = listen() else { return };
        let script = "head -c 40000000 /dev/zero | tail -c 1 >/dev/null; exec sleep 0";
        let mut child = Command::new("/bin/sh").args(["-c", script]).spawn().unwrap();
        let started = process::look_up(child.id()).unwrap().identity.started;
        child.wait().unwrap();
        let mut news = News::default();
        records.take(&mut news).unwrap();
        let own = news.exits.iter().find(|record| record.thread == child.id()).unwrap();
        assert_eq!((own.process, own.parent), (Some(child.id()), std::process::id()));
        assert_eq!(own.name, Name::of(b"sleep"));
        assert!(!own.never_executed && own.high_water > 100 << 10, "{own:?}");
        assert!(own.lived > Duration::ZERO && own.lived < Duration::from_secs(60));
        assert!(own.started >= started && own.started <= clock_ticks(since_boot()), "{own:?}");
        let tail = news.exits.iter().find(|record| record.parent == child.id());
        assert!(tail.is_some_and(|record| record.high_water > 500 << 10), "{tail:?}");
    }

    #[test]
    fn a_layout_with_fields_in_its_middle_is_told_by_its_pid() {
        let mut stats = vec![0; 600];
        stats[0..2].copy_from_slice(&15_u16.to_ne_bytes());
        stats[128 + 48..][..4].copy_from_slice(&77_u32.to_ne_bytes());
        stats[368 + 96..][..4].copy_from_slice(&70_u32.to_ne_bytes());
        stats[200 + 48..][..8].copy_from_slice(&5_u64.to_ne_bytes());
        let mut value = attribute(PID, &77_u32.to_ne_bytes());
        value.extend(attribute(STATS, &stats));
        let record = record(&value, Duration::ZERO).unwrap();
        assert_eq!((record.thread, record.process, record.high_water), (77, Some(70), 5 << 10));
    }

    #[test]
    fn no_record_is_too_odd_to_be_read() {
        let mut stats = vec![0; 600];
        stats[0..2].copy_from_slice(&15_u16.to_ne_bytes());
        stats[128..][..4].copy_from_slice(&77_u32.to_ne_bytes());
        let mut value = attribute(PID, &77_u32.to_ne_bytes());
        value.extend(attribute(STATS, &stats));
        let datagram = message(9, 0, 1, &generic(GET, &attribute(OF_THREAD, &value)));
        assert_eq!(records(&datagram, 9, Duration::ZERO).count(), 1);
        crate::changes::try_changes(&datagram, |datagram| {
            _ = records(datagram, 9, Duration::from_secs(9)).count();
        });
    }

    #[test]
    fn an_error_of_the_kernel_may_be_any_number() {
        assert!(error_of(i32::MIN).raw_os_error().is_some());
    }

    #[test]
    fn records_without_marks_are_of_no_use() {
        let mut stats = vec![0; 600];
        stats[128..][..4].copy_from_slice(&77_u32.to_ne_bytes());
        let mut record_with = |mark: u64| {
            stats[200..][..8].copy_from_slice(&mark.to_ne_bytes());
            let mut value = attribute(PID, &77_u32.to_ne_bytes());
            value.extend(attribute(STATS, &stats));
            record(&value, Duration::ZERO).unwrap()
        };
        let [without, with] = [0, 5].map(&mut record_with).map(|record| require_mark(&record));
        assert!(without.unwrap_err().to_string().contains("CONFIG_TASK_XACCT"));
        assert!(with.is_ok());
    }

    #[test]
    fn a_layout_that_nobody_knows_is_no_record() {
        let mut value = attribute(PID, &77_u32.to_ne_bytes());
        value.extend(attribute(STATS, &[0; 600]));
        assert!(record(&value, Duration::ZERO).is_none());
    }
}
