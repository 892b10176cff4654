//! Netlink (netlink(7)): the sockets on which the kernel tells of processes, and the
//! shape of what it says. Numbers are in the machine's own byte order.

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

/// What the kernel may keep for us between two ticks: an event takes about 1 kB of it,
/// whatever its length. Without privilege it is far less.
const KEEPS: usize = 8 << 20;

/// Longer than any message that is expected here.
const LONGEST: usize = 16 << 10;

/// How long the kernel may take to answer a question, whatever else it tells meanwhile.
const ANSWERS_WITHIN: Duration = Duration::from_millis(500);

const HEADER: usize = 16;
const ALIGNED_TO: usize = 4;

/// A socket to one part of the kernel.
pub(super) struct Socket {
    socket: OwnedFd,
    /// The number that no other socket to this part of the kernel has.
    port: u32,
    /// Questions asked so far.
    asked: u32,
    buffer: Box<[u8]>,
}

/// A question that was asked. What answers it bears both numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    port: u32,
    sequence: u32,
}

/// What there was to receive.
pub(super) enum Received<'a> {
    /// One or more messages.
    Datagram(&'a [u8]),
    /// Nothing any more, for now.
    Nothing,
    /// The kernel had more to tell than it could keep: something is lost.
    Overrun,
}

/// One message of a datagram.
pub(super) struct Message<'a> {
    pub(super) kind: u16,
    sequence: u32,
    port: u32,
    pub(super) payload: &'a [u8],
}

impl Message<'_> {
    /// Whether it is the answer to this very question.
    pub(super) fn answers(&self, question: Question) -> bool {
        (self.port, self.sequence) == (question.port, question.sequence)
    }
}

impl Socket {
    /// Opens a socket that hears what is said to `groups`, a set of bits.
    pub(super) fn open(protocol: Protocol, groups: u32) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC;
        let kind = SocketType::DGRAM;
        let socket = socket_with(AddressFamily::NETLINK, kind, flags, Some(protocol))?;
        // With privilege beyond the system's limit, without it up to that.
        if set_socket_recv_buffer_size_force(&socket, KEEPS).is_err() {
            set_socket_recv_buffer_size(&socket, KEEPS)?;
        }
        bind(&socket, &SocketAddrNetlink::new(0, groups))?;
        let port = SocketAddrNetlink::try_from(getsockname(&socket)?)?.pid();
        Ok(Self { socket, port, asked: 0, buffer: vec![0; LONGEST].into() })
    }

    pub(super) fn port(&self) -> u32 {
        self.port
    }

    /// Asks the kernel something.
    pub(super) fn ask(&mut self, kind: u16, flags: u16, payload: &[u8]) -> io::Result<Question> {
        self.asked += 1;
        let message = message(kind, flags, self.asked, payload);
        send(&self.socket, &message, SendFlags::empty())?;
        Ok(Question { port: self.port, sequence: self.asked })
    }

    /// What has already come.
    pub(super) fn receive(&mut self) -> io::Result<Received<'_>> {
        self.receive_with(RecvFlags::DONTWAIT)
    }

    /// Waits for a datagram in which `find` finds something. `None` when there was none in
    /// the time that an answer may take: all others together do not extend it.
    pub(super) fn wait_for<T>(
        &mut self,
        mut find: impl FnMut(&[u8]) -> Option<T>,
    ) -> io::Result<Option<T>> {
        let deadline = Instant::now() + ANSWERS_WITHIN;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // A limit of nothing would be none.
            if left.is_zero() {
                return Ok(None);
            }
            set_socket_timeout(&self.socket, Timeout::Recv, Some(left))?;
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
            Err(Errno::AGAIN | Errno::INTR) => Ok(Received::Nothing),
            Err(Errno::NOBUFS) => Ok(Received::Overrun),
            Err(error) => Err(error.into()),
        }
    }
}

/// A message with its header.
pub(super) fn message(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER + payload.len()).unwrap_or(u32::MAX);
    let mut message = Vec::with_capacity(HEADER + payload.len());
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend(sequence.to_ne_bytes());
    // The kernel knows who sends.
    message.extend([0; 4]);
    message.extend(payload);
    message
}

/// The messages of a datagram, up to the first that is cut off.
pub(super) fn messages(mut datagram: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let length = usize::try_from(u32_at(datagram, 0)?).ok()?;
        let (kind, sequence, port) =
            (u16_at(datagram, 4)?, u32_at(datagram, 8)?, u32_at(datagram, 12)?);
        let payload = datagram.get(HEADER..length)?;
        datagram = datagram.get(aligned(length)..).unwrap_or_default();
        Some(Message { kind, sequence, port, payload })
    })
}

/// An attribute with its header, padded.
pub(super) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = 4 + value.len();
    let mut attribute = Vec::with_capacity(aligned(length));
    attribute.extend(u16::try_from(length).unwrap_or(u16::MAX).to_ne_bytes());
    attribute.extend(kind.to_ne_bytes());
    attribute.extend(value);
    attribute.resize(aligned(length), 0);
    attribute
}

/// The attributes of a message or of an attribute, with their kinds.
pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    /// These bits say how the value is built.
    const MARKS: u16 = 0xC000;
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        let kind = u16_at(bytes, 2)? & !MARKS;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(aligned(length)..).unwrap_or_default();
        Some((kind, value))
    })
}

const fn aligned(length: usize) -> usize {
    length.next_multiple_of(ALIGNED_TO)
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
    fn who_is_told_other_things_all_the_time_does_not_wait_for_ever() {
        let mut socket = Socket::open(USERSOCK, 0).unwrap();
        let (to, other) = (socket.port(), Socket::open(USERSOCK, 0).unwrap());
        let is_over = AtomicBool::new(false);
        thread::scope(|threads| {
            let chatter = threads.spawn(|| {
                // Far longer than an answer may take, and never so long without a word.
                for _ in 0..1000 {
                    if is_over.load(Ordering::Relaxed) {
                        return true;
                    }
                    let word = message(3, 0, 0, b"word");
                    let to = SocketAddrNetlink::new(to, 0);
                    sendto(&other.socket, &word, SendFlags::empty(), &to).unwrap();
                    thread::sleep(ANSWERS_WITHIN / 25);
                }
                false
            });
            let mut heard = 0;
            let found = socket.wait_for(|_| {
                heard += 1;
                None::<()>
            });
            is_over.store(true, Ordering::Relaxed);
            assert!(found.unwrap().is_none() && heard > 0);
            assert!(chatter.join().unwrap(), "it waited until the chatter was over");
        });
    }

    #[test]
    fn an_answer_is_told_by_the_numbers_of_its_question() {
        let question = Question { port: 7, sequence: 2 };
        let answers = |port: u32, sequence: u32| {
            let mut answer = message(2, 0, sequence, b"");
            answer[12..16].copy_from_slice(&port.to_ne_bytes());
            messages(&answer).all(|message| message.answers(question))
        };
        assert!(answers(7, 2));
        assert!(!answers(7, 1), "to the question before");
        assert!(!answers(8, 2), "to somebody else's");
        assert!(!answers(0, 0), "to none");
    }

    #[test]
    fn messages_are_read_back_up_to_the_one_that_is_cut_off() {
        let mut datagram = message(3, 0, 1, b"four");
        datagram.extend(message(5, 0, 1, b"12345678"));
        let kinds = |bytes: &[u8]| messages(bytes).map(|message| message.kind).collect::<Vec<_>>();
        assert_eq!(kinds(&datagram), [3, 5]);
        assert_eq!(kinds(&datagram[..datagram.len() - 1]), [3]);
        assert_eq!(kinds(&[]), [0; 0]);
        assert!(messages(&[0; 64]).next().is_none(), "a length of nothing would never end");
    }

    #[test]
    fn no_datagram_is_too_odd_to_be_read() {
        let mut datagram = message(3, 0, 1, &attribute(2, b"TASKSTATS\0"));
        datagram.extend(message(5, 0, 1, &attribute(0x8001, &7_u32.to_ne_bytes())));
        crate::changes::try_changes(&datagram, |datagram| {
            let parts = messages(datagram).flat_map(|message| attributes(message.payload));
            assert!(parts.count() <= datagram.len());
        });
    }

    #[test]
    fn attributes_are_read_back_without_their_padding() {
        let mut bytes = attribute(2, b"TASKSTATS\0");
        bytes.extend(attribute(0x8001, &7_u32.to_ne_bytes()));
        let read: Vec<_> = attributes(&bytes).collect();
        assert_eq!(read, [(2, &b"TASKSTATS\0"[..]), (1, &7_u32.to_ne_bytes()[..])]);
    }
}
