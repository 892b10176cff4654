//! Netlink sockets and messages (netlink(7)). Numbers are in native byte order.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::{
    Timeout, set_socket_recv_buffer_size, set_socket_recv_buffer_size_force, set_socket_timeout,
};
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, bind, getsockname,
    recv, send, socket_with,
};

/// Receive buffer for the events between two samples, in bytes. Each event takes about
/// 1 kB, whatever its length. Without privilege the kernel caps the buffer at a far
/// smaller size.
const RECEIVE_BUFFER: usize = 8 << 20;

/// Size of the buffer for one datagram, in bytes; larger than any expected here.
const MAX_DATAGRAM: usize = 16 << 10;

/// Time limit for the kernel's reply to a request, however many other messages arrive.
const REPLY_TIMEOUT: Duration = Duration::from_millis(500);

/// Size of `struct nlmsghdr`, in bytes.
const NLMSG_HDRLEN: usize = 16;
/// Alignment of messages and attributes (`NLA_ALIGNTO` has the same value), in bytes.
const NLMSG_ALIGNTO: usize = 4;

/// Netlink socket of one protocol.
pub(super) struct Socket {
    socket: OwnedFd,
    /// Port ID, unique among the sockets of this protocol.
    port: u32,
    /// Number of requests sent, which is the sequence number of the last one.
    sent: u32,
    buffer: Box<[u8]>,
}

/// Identity of a request; its reply has the same port ID and sequence number.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestId {
    port: u32,
    sequence: u32,
}

/// Result of a receive call.
pub(super) enum Received<'a> {
    /// Datagram of one or more messages.
    Datagram(&'a [u8]),
    /// Empty queue, also after the time limit.
    Nothing,
    /// Queue overrun (`ENOBUFS`): the kernel dropped messages.
    Overrun,
}

/// Message of a datagram.
pub(super) struct Message<'a> {
    pub(super) kind: u16,
    sequence: u32,
    port: u32,
    pub(super) payload: &'a [u8],
}

impl Message<'_> {
    /// Whether the message is the reply to `request`.
    pub(super) fn is_reply_to(&self, request: RequestId) -> bool {
        (self.port, self.sequence) == (request.port, request.sequence)
    }
}

impl Socket {
    /// Opens a socket that receives the multicast groups in `groups`, a bit mask.
    pub(super) fn open(protocol: Protocol, groups: u32) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC;
        let kind = SocketType::DGRAM;
        let socket = socket_with(AddressFamily::NETLINK, kind, flags, Some(protocol))?;
        // `SO_RCVBUFFORCE` exceeds `net.core.rmem_max` but needs CAP_NET_ADMIN.
        if set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER).is_err() {
            set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER)?;
        }
        // Port 0: the kernel chooses a port ID that no other socket of this protocol has.
        bind(&socket, &SocketAddrNetlink::new(0, groups))?;
        let port = SocketAddrNetlink::try_from(getsockname(&socket)?)?.pid();
        Ok(Self { socket, port, sent: 0, buffer: vec![0; MAX_DATAGRAM].into() })
    }

    pub(super) fn port(&self) -> u32 {
        self.port
    }

    /// Sends a request to the kernel.
    pub(super) fn send_request(
        &mut self,
        kind: u16,
        flags: u16,
        payload: &[u8],
    ) -> io::Result<RequestId> {
        self.sent += 1;
        let message = message(kind, flags, self.sent, payload);
        // Without a destination address, a netlink message goes to the kernel.
        send(&self.socket, &message, SendFlags::empty())?;
        Ok(RequestId { port: self.port, sequence: self.sent })
    }

    /// Receives a queued datagram without waiting.
    pub(super) fn receive(&mut self) -> io::Result<Received<'_>> {
        self.receive_with(RecvFlags::DONTWAIT)
    }

    /// Waits for a datagram in which `find` finds something. `None` after
    /// [`REPLY_TIMEOUT`], which other datagrams do not extend.
    pub(super) fn wait_for<T>(
        &mut self,
        mut find: impl FnMut(&[u8]) -> Option<T>,
    ) -> io::Result<Option<T>> {
        let deadline = Instant::now() + REPLY_TIMEOUT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // A zero `SO_RCVTIMEO` means no time limit.
            if left.is_zero() {
                return Ok(None);
            }
            set_socket_timeout(&self.socket, Timeout::Recv, Some(left))?;
            // An overrun is ignored: the reply may still be in the queue.
            if let Received::Datagram(datagram) = self.receive_with(RecvFlags::empty())?
                && let Some(found) = find(datagram)
            {
                return Ok(Some(found));
            }
        }
    }

    fn receive_with(&mut self, flags: RecvFlags) -> io::Result<Received<'_>> {
        match recv(&self.socket, &mut *self.buffer, flags) {
            Ok((_, length)) => {
                Ok(Received::Datagram(&self.buffer[..length.min(self.buffer.len())]))
            }
            // After a signal, `wait_for` goes on, and the next sample drains the rest of the queue.
            Err(Errno::AGAIN | Errno::INTR) => Ok(Received::Nothing),
            Err(Errno::NOBUFS) => Ok(Received::Overrun),
            Err(error) => Err(error.into()),
        }
    }
}

/// Encodes a message with its header.
pub(super) fn message(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(NLMSG_HDRLEN + payload.len()).unwrap_or(u32::MAX);
    let mut message = Vec::with_capacity(NLMSG_HDRLEN + payload.len());
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend(sequence.to_ne_bytes());
    // Port ID 0: the kernel knows the sender's.
    message.extend([0; 4]);
    message.extend(payload);
    message
}

/// Messages of a datagram, up to the first truncated one.
pub(super) fn messages(mut datagram: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let length = usize::try_from(u32_at(datagram, 0)?).ok()?;
        let (kind, sequence, port) =
            (u16_at(datagram, 4)?, u32_at(datagram, 8)?, u32_at(datagram, 12)?);
        // A length below the header's ends the iteration, which would never advance otherwise.
        let payload = datagram.get(NLMSG_HDRLEN..length)?;
        // The last message may lack its padding.
        datagram = datagram.get(aligned(length)..).unwrap_or_default();
        Some(Message { kind, sequence, port, payload })
    })
}

/// Encodes an attribute with its header and padding.
pub(super) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = 4 + value.len();
    let mut attribute = Vec::with_capacity(aligned(length));
    attribute.extend(u16::try_from(length).unwrap_or(u16::MAX).to_ne_bytes());
    attribute.extend(kind.to_ne_bytes());
    attribute.extend(value);
    attribute.resize(aligned(length), 0);
    attribute
}

/// Attributes of a message or of a nested attribute, with their types.
pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    /// Flag bits of an attribute's type: `NLA_F_NESTED` and `NLA_F_NET_BYTEORDER`.
    const NLA_FLAGS: u16 = 0xC000;
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        let kind = u16_at(bytes, 2)? & !NLA_FLAGS;
        // As for messages: a length of 0 would repeat one attribute forever.
        let value = bytes.get(4..length)?;
        bytes = bytes.get(aligned(length)..).unwrap_or_default();
        Some((kind, value))
    })
}

const fn aligned(length: usize) -> usize {
    length.next_multiple_of(NLMSG_ALIGNTO)
}

pub(super) fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(array_at(bytes, offset)?))
}

pub(super) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(array_at(bytes, offset)?))
}

pub(super) fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(array_at(bytes, offset)?))
}

fn array_at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..offset + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use rustix::net::netlink::USERSOCK;
    use rustix::net::sendto;

    use super::*;

    #[test]
    fn other_messages_do_not_extend_the_time_limit() {
        let mut socket = Socket::open(USERSOCK, 0).unwrap();
        let (to, other) = (socket.port(), Socket::open(USERSOCK, 0).unwrap());
        let is_over = AtomicBool::new(false);
        thread::scope(|threads| {
            let sender = threads.spawn(|| {
                // Lasts 40 times the limit, with a message every 25th of it.
                for _ in 0..1000 {
                    if is_over.load(Ordering::Relaxed) {
                        return true;
                    }
                    let unrelated = message(3, 0, 0, b"word");
                    let to = SocketAddrNetlink::new(to, 0);
                    sendto(&other.socket, &unrelated, SendFlags::empty(), &to).unwrap();
                    thread::sleep(REPLY_TIMEOUT / 25);
                }
                false
            });
            let mut received = 0;
            let found = socket.wait_for(|_| {
                received += 1;
                None::<()>
            });
            is_over.store(true, Ordering::Relaxed);
            assert!(found.unwrap().is_none() && received > 0);
            assert!(sender.join().unwrap(), "wait_for waited until the sender had finished");
        });
    }

    #[test]
    fn a_reply_has_the_port_and_sequence_number_of_its_request() {
        let request = RequestId { port: 7, sequence: 2 };
        let is_reply = |port: u32, sequence: u32| {
            let mut reply = message(2, 0, sequence, b"");
            reply[12..16].copy_from_slice(&port.to_ne_bytes());
            messages(&reply).all(|message| message.is_reply_to(request))
        };
        assert!(is_reply(7, 2));
        assert!(!is_reply(7, 1), "reply to the previous request");
        assert!(!is_reply(8, 2), "reply to another socket's request");
        assert!(!is_reply(0, 0), "not a reply");
    }

    #[test]
    fn messages_are_parsed_up_to_the_first_truncated_one() {
        let mut datagram = message(3, 0, 1, b"four");
        datagram.extend(message(5, 0, 1, b"12345678"));
        let kinds = |bytes: &[u8]| messages(bytes).map(|message| message.kind).collect::<Vec<_>>();
        assert_eq!(kinds(&datagram), [3, 5]);
        assert_eq!(kinds(&datagram[..datagram.len() - 1]), [3]);
        assert_eq!(kinds(&[]), [0; 0]);
        assert!(messages(&[0; 64]).next().is_none(), "a zero length would loop forever");
    }

    #[test]
    fn malformed_datagrams_do_not_panic() {
        let mut datagram = message(3, 0, 1, &attribute(2, b"TASKSTATS\0"));
        datagram.extend(message(5, 0, 1, &attribute(0x8001, &7_u32.to_ne_bytes())));
        crate::changes::try_changes(&datagram, |datagram| {
            let parts = messages(datagram).flat_map(|message| attributes(message.payload));
            assert!(parts.count() <= datagram.len());
        });
    }

    #[test]
    fn attributes_are_parsed_without_their_padding() {
        let mut bytes = attribute(2, b"TASKSTATS\0");
        bytes.extend(attribute(0x8001, &7_u32.to_ne_bytes()));
        let read: Vec<_> = attributes(&bytes).collect();
        assert_eq!(read, [(2, &b"TASKSTATS\0"[..]), (1, &7_u32.to_ne_bytes()[..])]);
    }
}
