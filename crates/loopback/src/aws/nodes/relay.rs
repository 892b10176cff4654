//! Way from a node to the cloud API: a listener in the node's network, whose connections are
//! relayed to the API outside.
//!
//! A node has no other way out: its network has only a loopback interface. The address of the
//! instance metadata leads to the API too, which answers by the `Host` of a request.

use std::fs::File;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::thread;

use anyhow::{Context as _, Result};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Running relay; ends when dropped.
pub(super) struct Relay {
    listener: Arc<TcpListener>,
}

impl Relay {
    /// Relays connections to `address` in the network of the process `pid` to `api` outside.
    pub(super) fn start(pid: u32, address: SocketAddr, api: SocketAddr) -> Result<Self> {
        let network = File::open(format!("/proc/{pid}/ns/net")).context("finding the network")?;
        // A socket stays in the network that it was made in, so the thread is needed no longer.
        let listen = move || -> io::Result<TcpListener> {
            move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))?;
            TcpListener::bind(address)
        };
        let listener = thread::Builder::new()
            .name("listen".to_owned())
            .spawn(listen)
            .context("starting a thread")?
            .join()
            .map_err(|_| anyhow::anyhow!("the thread that listens panicked"))?
            .with_context(|| format!("listening at {address} in the node"))?;
        let listener = Arc::new(listener);
        let accepting = Arc::clone(&listener);
        spawn("relay", move || accept(&accepting, api))?;
        Ok(Self { listener })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // Wakes the thread that accepts. Fails only if the socket is shut down already.
        _ = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
    }
}

/// Relays connections until the listener is shut down.
fn accept(listener: &TcpListener, api: SocketAddr) {
    for inside in listener.incoming() {
        let Ok(inside) = inside else { return };
        // After an error the connection is closed, which is what the node sees of a dead API.
        _ = TcpStream::connect(api).and_then(|outside| relay(inside, outside));
    }
}

/// Copies both ways, in threads of their own.
fn relay(inside: TcpStream, outside: TcpStream) -> io::Result<()> {
    let (from, to) = (inside.try_clone()?, outside.try_clone()?);
    spawn("relay-out", move || copy(from, to))?;
    spawn("relay-in", move || copy(outside, inside))
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    // Either side may reset the connection.
    _ = io::copy(&mut from, &mut to);
    _ = to.shutdown(Shutdown::Write);
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}
