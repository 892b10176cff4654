//! Relays of TCP connections between the network of a node and the one outside.
//!
//! A node's network has only a loopback interface. From the node, the addresses of the cloud API
//! and of the instance metadata lead to the API, which tells the two by the `Host` of a request.
//! From outside, the node's address leads to the ports that the instance's security groups open.

use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::thread;

use anyhow::{Context as _, Result};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::accept::accept_all;

/// Running relay; ends when dropped.
pub(super) struct Relay {
    listener: Arc<TcpListener>,
}

impl Relay {
    /// Relays connections to `address` in a network namespace to `api` outside.
    pub(super) fn outward(
        network: Arc<File>,
        address: SocketAddr,
        api: SocketAddr,
    ) -> Result<Self> {
        // A socket stays in the network that it was made in.
        let listener = Network(network).run(move || TcpListener::bind(address));
        let listener = listener.with_context(|| format!("listening at {address} in the node"))?;
        Self::start(listener, move || TcpStream::connect(api))
    }

    /// Relays connections to `address` outside to its port in a network namespace.
    pub(super) fn inward(network: Arc<File>, address: SocketAddr) -> Result<Self> {
        let network = Network(network);
        let listener = TcpListener::bind(address)
            .with_context(|| format!("listening at {address} for the node"))?;
        let service = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port());
        Self::start(listener, move || network.run(move || TcpStream::connect(service)))
    }

    /// Relays each connection to `listener` to the one that `connect` makes.
    fn start(
        listener: TcpListener,
        connect: impl Fn() -> io::Result<TcpStream> + Send + 'static,
    ) -> Result<Self> {
        let listener = Arc::new(listener);
        let accepting = Arc::clone(&listener);
        let address = listener.local_addr().context("finding the address of a relay")?;
        spawn("relay", move || {
            accept_all(
                &format!("the relay at {address}"),
                || accepting.accept(),
                |(stream, _)| {
                    // After an error the connection is closed, as by a service that is gone.
                    _ = connect().and_then(|other| relay(stream, other));
                },
            );
        })?;
        Ok(Self { listener })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // Wakes the thread that accepts. Fails only if the socket is shut down already.
        _ = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
    }
}

/// Network namespace.
struct Network(Arc<File>);

impl Network {
    /// Result of `work` in a thread that is in the network.
    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let file = Arc::clone(&self.0);
        let run = move || {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
            work()
        };
        let thread = thread::Builder::new().name("network".to_owned()).spawn(run)?;
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread panicked")))
    }
}

/// Copies both ways, in threads of their own.
fn relay(one: TcpStream, other: TcpStream) -> io::Result<()> {
    let (from, to) = (one.try_clone()?, other.try_clone()?);
    spawn("relay-there", move || copy(from, to))?;
    spawn("relay-back", move || copy(other, one))
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    // Either side may reset the connection.
    _ = io::copy(&mut from, &mut to);
    _ = to.shutdown(Shutdown::Write);
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}
