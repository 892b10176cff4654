//! Proc connector: netlink events for each fork and exec on the machine
//! (`linux/cn_proc.h`, `linux/connector.h`).
//!
//! Available to all users since Linux 6.6, before that to root. In a pid or user
//! namespace other than the initial one, the kernel ignores the request without an error:
//! only its acknowledgement proves that events will come.

use std::io;
use std::time::Duration;

use rustix::net::netlink::CONNECTOR;

use super::clock_ticks;
use super::netlink::{Received, Socket, messages, u16_at, u32_at, u64_at};
use crate::profiler::source::{ForkEvent, ProcessEvents};

/// Index and value of the proc connector: `CN_IDX_PROC`, `CN_VAL_PROC`.
const PROC_CONNECTOR: (u32, u32) = (1, 1);
/// Operation that subscribes to the events (`enum proc_cn_mcast_op`).
const PROC_CN_MCAST_LISTEN: u32 = 1;
/// Size of `struct cn_msg` without its data, in bytes.
const CN_MSG_HEADER: usize = 20;
/// Size of `struct proc_event` without `event_data`, in bytes.
const EVENT_HEADER: usize = 16;

/// Message type of every connector message.
const NLMSG_DONE: u16 = 3;

/// Event types (`enum proc_cn_event`); `PROC_EVENT_NONE` is an acknowledgement.
const PROC_EVENT_NONE: u32 = 0;
const PROC_EVENT_FORK: u32 = 1;
const PROC_EVENT_EXEC: u32 = 2;

/// Subscription to fork and exec events.
pub(super) struct Connector(Socket);

impl Connector {
    /// Subscribes to the events. `None` if the kernel rejects or ignores the request.
    ///
    /// # Errors
    ///
    /// If the kernel has no proc connector, or permits it to root only (before 6.6).
    pub(super) fn listen() -> io::Result<Option<Self>> {
        let mut socket = Socket::open(CONNECTOR, PROC_CONNECTOR.0)?;
        let port = socket.port();
        let mut envelope = Vec::with_capacity(CN_MSG_HEADER + 4);
        // `seq` is not echoed, `ack` is: the port number there identifies our request.
        for part in [PROC_CONNECTOR.0, PROC_CONNECTOR.1, 0, port] {
            envelope.extend(part.to_ne_bytes());
        }
        // Length of the data, which is the operation below, and flags, of which there are none.
        envelope.extend(4_u16.to_ne_bytes());
        envelope.extend(0_u16.to_ne_bytes());
        envelope.extend(PROC_CN_MCAST_LISTEN.to_ne_bytes());
        socket.send_request(NLMSG_DONE, 0, &envelope)?;
        let accepted = socket.wait_for(|datagram| parse_ack(datagram, port))?;
        Ok((accepted == Some(true)).then_some(Self(socket)))
    }

    /// Appends the events since the last call to `events`.
    pub(super) fn drain(&mut self, events: &mut ProcessEvents) -> io::Result<()> {
        loop {
            match self.0.receive()? {
                Received::Datagram(datagram) => parse_events(datagram).for_each(|event| {
                    event.add_to(events);
                }),
                Received::Overrun => events.dropped += 1,
                Received::Nothing => return Ok(()),
            }
        }
    }
}

/// Result of the subscription request sent from `port`, if the datagram acknowledges it.
/// Acknowledgements are multicast, so those of other listeners arrive as well.
fn parse_ack(datagram: &[u8], port: u32) -> Option<bool> {
    parse_events(datagram)
        .find(|event| event.kind == PROC_EVENT_NONE && event.acknowledges == port.wrapping_add(1))
        .and_then(|event| u32_at(event.rest, 0))
        .map(|error| error == 0)
}

/// Event of the proc connector (`struct proc_event`).
struct Event<'a> {
    kind: u32,
    /// `ack` of the message: in an acknowledgement, the `ack` of its request plus one. The
    /// kernel replaces `seq` by a counter of events.
    acknowledges: u32,
    /// Nanoseconds since boot, without suspend (`CLOCK_MONOTONIC`).
    at: u64,
    rest: &'a [u8],
}

impl Event<'_> {
    fn add_to(&self, events: &mut ProcessEvents) -> Option<()> {
        match self.kind {
            PROC_EVENT_FORK => {
                // A new thread is reported as a fork with a pid other than its tgid.
                let (thread, child) = (u32_at(self.rest, 8)?, u32_at(self.rest, 12)?);
                if thread == child {
                    // The tgid, which `/proc` calls pid: any thread of the parent may have forked.
                    let parent = u32_at(self.rest, 4)?;
                    let started = clock_ticks(Duration::from_nanos(self.at));
                    events.forks.push(ForkEvent { pid: child, parent, started });
                }
            }
            PROC_EVENT_EXEC => events.execs.push(u32_at(self.rest, 4)?),
            _ => {}
        }
        Some(())
    }
}

fn parse_events(datagram: &[u8]) -> impl Iterator<Item = Event<'_>> {
    messages(datagram).filter_map(|message| {
        let envelope = message.payload;
        let is_ours = (u32_at(envelope, 0), u32_at(envelope, 4))
            == (Some(PROC_CONNECTOR.0), Some(PROC_CONNECTOR.1));
        let length = usize::from(u16_at(envelope, 16)?);
        let event = envelope.get(CN_MSG_HEADER..CN_MSG_HEADER + length).filter(|_| is_ours)?;
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

    /// Connector, if this user and this kernel permit it.
    fn listen() -> Option<Connector> {
        match Connector::listen() {
            Ok(Some(connector)) => return Some(connector),
            Ok(None) => skip_test(KernelFeature::ForkEvents, "no acknowledgement"),
            Err(refusal) => skip_test(KernelFeature::ForkEvents, refusal),
        }
        None
    }

    #[test]
    fn malformed_events_do_not_panic() {
        let fields = [PROC_CONNECTOR.0, PROC_CONNECTOR.1, 5, 1];
        let mut envelope: Vec<u8> = fields.into_iter().flat_map(u32::to_ne_bytes).collect();
        envelope.extend([32_u16, 0].into_iter().flat_map(u16::to_ne_bytes));
        envelope
            .extend([PROC_EVENT_FORK, 0, 9, 0, 1, 1, 2, 2].into_iter().flat_map(u32::to_ne_bytes));
        let datagram = message(3, 0, 7, &envelope);
        assert_eq!(parse_events(&datagram).count(), 1);
        crate::changes::try_changes(&datagram, |datagram| {
            let mut events = ProcessEvents::default();
            parse_events(datagram).for_each(|event| _ = event.add_to(&mut events));
            _ = parse_ack(datagram, 1);
        });
    }

    #[test]
    fn acknowledgement_of_another_listener_is_ignored() {
        let acknowledgement = |acknowledges: u32, error: u32| {
            let fields = [PROC_CONNECTOR.0, PROC_CONNECTOR.1, 5, acknowledges];
            let mut envelope: Vec<u8> = fields.into_iter().flat_map(u32::to_ne_bytes).collect();
            envelope.extend([20_u16, 0].into_iter().flat_map(u16::to_ne_bytes));
            envelope
                .extend([PROC_EVENT_NONE, 0, 0, 0, error].into_iter().flat_map(u32::to_ne_bytes));
            message(NLMSG_DONE, 0, 0, &envelope)
        };
        assert_eq!(parse_ack(&acknowledgement(78, 0), 77), Some(true));
        assert_eq!(parse_ack(&acknowledgement(78, 1), 77), Some(false));
        assert_eq!(parse_ack(&acknowledgement(79, 0), 77), None);
        assert_eq!(parse_ack(&acknowledgement(0, 0), 77), None);
    }

    #[test]
    fn a_second_listener_gets_its_own_acknowledgement() {
        let Some(_first) = listen() else { return };
        assert!(Connector::listen().unwrap().is_some());
    }

    #[test]
    fn forks_and_execs_of_processes_are_reported_and_threads_are_not() {
        let Some(mut connector) = listen() else { return };
        std::thread::spawn(|| ()).join().unwrap();
        let mut child = Command::new("/bin/true").spawn().unwrap();
        child.wait().unwrap();
        let mut events = ProcessEvents::default();
        connector.drain(&mut events).unwrap();
        let me = std::process::id();
        let ours: Vec<u32> =
            events.forks.iter().filter(|fork| fork.parent == me).map(|fork| fork.pid).collect();
        assert!(ours.contains(&child.id()), "{events:?}");
        assert!(!ours.contains(&me), "a thread is no process");
        assert!(events.execs.contains(&child.id()));
    }

    #[test]
    fn truncated_messages_have_no_events() {
        let mut events = ProcessEvents::default();
        for length in 0..60 {
            parse_events(&message(NLMSG_DONE, 0, 0, &[1; 60])[..length]).for_each(|event| {
                event.add_to(&mut events);
            });
        }
        assert!(events.forks.is_empty() && events.execs.is_empty());
    }
}
