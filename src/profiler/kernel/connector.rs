//! The proc connector: the kernel tells of each fork and exec of the machine
//! (`linux/cn_proc.h`, `linux/connector.h`).
//!
//! Recent kernels grant it to everybody, older ones to root; in a container with pids
//! or users of its own nobody has it, and nothing says so: the kernel's
//! acknowledgement is what proves it.

use std::io;
use std::time::Duration;

use rustix::net::netlink::CONNECTOR;

use super::clock_ticks;
use super::netlink::{Received, Socket, messages, u16_at, u32_at, u64_at};
use crate::profiler::source::{Birth, News};

/// `CN_IDX_PROC` and `CN_VAL_PROC`: which connector it is.
const PROCESSES: (u32, u32) = (1, 1);
/// `PROC_CN_MCAST_LISTEN`.
const LISTEN: u32 = 1;
/// `struct cn_msg` without its data.
const ENVELOPE: usize = 20;
/// `struct proc_event` without what is particular to one kind.
const EVENT_HEADER: usize = 16;

/// `NLMSG_DONE`: the kind that every connector message has.
const DONE: u16 = 3;

/// Kinds of event.
const ACKNOWLEDGED: u32 = 0;
const FORKED: u32 = 1;
const EXECUTED: u32 = 2;

pub(super) struct Connector(Socket);

impl Connector {
    /// Asks to be told. `None` when the kernel does not grant that.
    ///
    /// # Errors
    ///
    /// When the kernel has no such connector, or lets only root open it, as before 6.6.
    pub(super) fn listen() -> io::Result<Option<Self>> {
        let mut socket = Socket::open(CONNECTOR, PROCESSES.0)?;
        let number = socket.port();
        let mut envelope = Vec::with_capacity(ENVELOPE + 4);
        for part in [PROCESSES.0, PROCESSES.1, 0, number] {
            envelope.extend(part.to_ne_bytes());
        }
        envelope.extend(4_u16.to_ne_bytes());
        envelope.extend(0_u16.to_ne_bytes());
        envelope.extend(LISTEN.to_ne_bytes());
        socket.ask(DONE, 0, &envelope)?;
        let granted = socket.wait_for(|datagram| acknowledged(datagram, number))?;
        Ok((granted == Some(true)).then_some(Self(socket)))
    }

    /// Adds what has happened since it was last asked.
    pub(super) fn take(&mut self, news: &mut News) -> io::Result<()> {
        loop {
            match self.0.receive()? {
                Received::Datagram(datagram) => events(datagram).for_each(|event| {
                    event.tell(news);
                }),
                Received::Overrun => news.lost += 1,
                Received::Nothing => return Ok(()),
            }
        }
    }
}

/// Whether the question of this number was granted, where that is what the datagram says.
/// Everybody who listens is told of it, whoever asked.
fn acknowledged(datagram: &[u8], number: u32) -> Option<bool> {
    events(datagram)
        .find(|event| event.kind == ACKNOWLEDGED && event.acknowledges == number.wrapping_add(1))
        .and_then(|event| u32_at(event.rest, 0))
        .map(|error| error == 0)
}

struct Event<'a> {
    kind: u32,
    /// Of an acknowledgement: one more than its question's number. The sequence number of a
    /// question is lost: that of each event counts events.
    acknowledges: u32,
    /// Nanoseconds since the machine was started, without those that it slept.
    at: u64,
    rest: &'a [u8],
}

impl Event<'_> {
    fn tell(&self, news: &mut News) -> Option<()> {
        match self.kind {
            FORKED => {
                // A thread's process is there already.
                let (thread, child) = (u32_at(self.rest, 8)?, u32_at(self.rest, 12)?);
                if thread == child {
                    let parent = u32_at(self.rest, 4)?;
                    let started = clock_ticks(Duration::from_nanos(self.at));
                    news.births.push(Birth { pid: child, parent, started });
                }
            }
            EXECUTED => news.execs.push(u32_at(self.rest, 4)?),
            _ => {}
        }
        Some(())
    }
}

fn events(datagram: &[u8]) -> impl Iterator<Item = Event<'_>> {
    messages(datagram).filter_map(|message| {
        let envelope = message.payload;
        let is_ours =
            (u32_at(envelope, 0), u32_at(envelope, 4)) == (Some(PROCESSES.0), Some(PROCESSES.1));
        let length = usize::from(u16_at(envelope, 16)?);
        let event = envelope.get(ENVELOPE..ENVELOPE + length).filter(|_| is_ours)?;
        Some(Event {
            kind: u32_at(event, 0)?,
            acknowledges: u32_at(envelope, 12)?,
            at: u64_at(event, 8)?,
            rest: event.get(EVENT_HEADER..)?,
        })
    })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use fake_sky::kernel_features::{KernelFeature, skip_test};

    use super::*;
    use crate::profiler::kernel::netlink::message;

    /// Granted or not, depending on who runs the tests and on which kernel.
    fn listen() -> Option<Connector> {
        match Connector::listen() {
            Ok(Some(connector)) => return Some(connector),
            Ok(None) => skip_test(KernelFeature::ForkEvents, "no acknowledgement"),
            Err(refusal) => skip_test(KernelFeature::ForkEvents, refusal),
        }
        None
    }

    #[test]
    fn no_event_is_too_odd_to_be_read() {
        let words = [PROCESSES.0, PROCESSES.1, 5, 1];
        let mut envelope: Vec<u8> = words.into_iter().flat_map(u32::to_ne_bytes).collect();
        envelope.extend([32_u16, 0].into_iter().flat_map(u16::to_ne_bytes));
        envelope.extend([FORKED, 0, 9, 0, 1, 1, 2, 2].into_iter().flat_map(u32::to_ne_bytes));
        let datagram = message(3, 0, 7, &envelope);
        assert_eq!(events(&datagram).count(), 1);
        crate::changes::try_changes(&datagram, |datagram| {
            let mut news = News::default();
            events(datagram).for_each(|event| _ = event.tell(&mut news));
            _ = acknowledged(datagram, 1);
        });
    }

    #[test]
    fn an_acknowledgement_of_another_listener_is_not_ours() {
        let acknowledgement = |acknowledges: u32, error: u32| {
            let words = [PROCESSES.0, PROCESSES.1, 5, acknowledges];
            let mut envelope: Vec<u8> = words.into_iter().flat_map(u32::to_ne_bytes).collect();
            envelope.extend([20_u16, 0].into_iter().flat_map(u16::to_ne_bytes));
            envelope.extend([ACKNOWLEDGED, 0, 0, 0, error].into_iter().flat_map(u32::to_ne_bytes));
            message(DONE, 0, 0, &envelope)
        };
        assert_eq!(acknowledged(&acknowledgement(78, 0), 77), Some(true));
        assert_eq!(acknowledged(&acknowledgement(78, 1), 77), Some(false));
        assert_eq!(acknowledged(&acknowledgement(79, 0), 77), None);
        assert_eq!(acknowledged(&acknowledgement(0, 0), 77), None);
    }

    #[test]
    fn whoever_listens_beside_us_is_no_answer_to_us() {
        let Some(_first) = listen() else { return };
        assert!(Connector::listen().unwrap().is_some());
    }

    #[test]
    fn a_child_is_told_with_its_parent_and_its_exec_and_threads_are_not() {
        let Some(mut connector) = listen() else { return };
        std::thread::spawn(|| ()).join().unwrap();
        let mut child = Command::new("/bin/true").spawn().unwrap();
        child.wait().unwrap();
        let mut news = News::default();
        connector.take(&mut news).unwrap();
        let me = std::process::id();
        let ours: Vec<u32> =
            news.births.iter().filter(|birth| birth.parent == me).map(|birth| birth.pid).collect();
        assert!(ours.contains(&child.id()), "{news:?}");
        assert!(!ours.contains(&me), "a thread is no process");
        assert!(news.execs.contains(&child.id()));
    }

    #[test]
    fn what_is_cut_off_tells_nothing() {
        let mut news = News::default();
        for length in 0..60 {
            events(&message(DONE, 0, 0, &[1; 60])[..length]).for_each(|event| {
                event.tell(&mut news);
            });
        }
        assert!(news.births.is_empty() && news.execs.is_empty());
    }
}
