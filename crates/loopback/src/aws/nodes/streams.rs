//! Standard streams of a process, handed over through a Unix socket with the address of the node
//! that they are for.

use std::io::{IoSlice, IoSliceMut, stderr, stdin, stdout};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use anyhow::{Context as _, Result, ensure};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// Maximum length of an address, in bytes.
const LONGEST: usize = 255;

/// Streams that were handed over.
#[derive(Debug)]
pub(super) struct Streams {
    pub(super) input: OwnedFd,
    pub(super) output: OwnedFd,
    pub(super) error: OwnedFd,
}

/// Hands the standard streams of this process over, for the node at `address`.
pub(super) fn send(socket: &UnixStream, address: &str) -> Result<()> {
    let (input, output, error) = (stdin(), stdout(), stderr());
    send_these(socket, address, &[input.as_fd(), output.as_fd(), error.as_fd()])
}

pub(super) fn send_these(
    socket: &UnixStream,
    address: &str,
    streams: &[BorrowedFd<'_>; 3],
) -> Result<()> {
    ensure!(
        (1..=LONGEST).contains(&address.len()),
        "expected an address of a node, got {} bytes",
        address.len()
    );
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    ensure!(control.push(SendAncillaryMessage::ScmRights(streams)), "no space for the streams");
    let message = IoSlice::new(address.as_bytes());
    let sent = sendmsg(socket, &[message], &mut control, SendFlags::NOSIGNAL)
        .context("handing the streams over to the keeper of nodes")?;
    ensure!(sent == address.len(), "sent only {sent} bytes of the address");
    Ok(())
}

/// Receives an address and the streams for it.
pub(super) fn receive(socket: &UnixStream) -> Result<(String, Streams)> {
    let mut bytes = [0; LONGEST];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    // Without CLOEXEC, programs that other threads start would keep the streams open.
    let received =
        recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC);
    let length = received.context("receiving streams")?.bytes;
    let mut streams = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            streams.extend(received);
        }
    }
    let address = String::from_utf8_lossy(&bytes[..length]).into_owned();
    let [input, output, error] = <[OwnedFd; 3]>::try_from(streams)
        .map_err(|got| anyhow::anyhow!("expected three streams, got {}", got.len()))?;
    Ok((address, Streams { input, output, error }))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read as _, Write as _};

    use super::*;

    #[test]
    fn streams_that_were_handed_over_lead_to_the_sender() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        let (input, mut typed) = std::io::pipe().unwrap();
        send_these(&ours, "10.0.0.1", &[input.as_fd(), writer.as_fd(), writer.as_fd()]).unwrap();
        drop((writer, input));
        let (address, streams) = receive(&theirs).unwrap();
        assert_eq!(address, "10.0.0.1");
        typed.write_all(b"question").unwrap();
        drop(typed);
        let mut text = String::new();
        File::from(streams.input).read_to_string(&mut text).unwrap();
        File::from(streams.output).write_all(b"answer to ").unwrap();
        File::from(streams.error).write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        // Ends, since no other copy of the streams is open.
        reader.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "answer to question");
    }

    #[test]
    fn a_connection_without_streams_is_an_error() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        ours.write_all(b"10.0.0.1").unwrap();
        let error = receive(&theirs).unwrap_err().to_string();
        assert!(error.contains("expected three streams, got 0"), "{error}");
    }
}
