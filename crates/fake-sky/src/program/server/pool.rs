//! Pool of the executors of one queue.
//!
//! Like SkyPilot's pools, it starts an executor when no idle one is left, and keeps up to
//! the guaranteed number forever. Up to `burst` more run one request each and exit. Further
//! requests wait.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::Stdio;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::Semaphore;

use crate::program::children::{self, SPAWN_MAIN};
use crate::program::protocol::{DONE, Order, Queue, READY};
use crate::program::role::Role;

/// Executors of one queue.
#[derive(Debug)]
pub(crate) struct Pool {
    queue: Queue,
    guaranteed: usize,
    slots: Semaphore,
    members: Mutex<Members>,
}

#[derive(Debug, Default)]
struct Members {
    idle: Vec<Executor>,
    guaranteed: usize,
}

impl Pool {
    /// Pool without processes.
    pub(crate) fn new(queue: Queue, guaranteed: usize, burst: usize) -> Self {
        let slots = Semaphore::new(guaranteed + burst);
        Self { queue, guaranteed, slots, members: Mutex::default() }
    }

    /// Runs `order` on an executor. Before, calls `on_start` with the executor's pid; the
    /// order is skipped if that returns `false`.
    ///
    /// # Errors
    ///
    /// When the executor dies before it has run the order.
    pub(crate) async fn run(
        &self,
        order: &Order,
        on_start: impl FnOnce(u32) -> bool,
    ) -> anyhow::Result<()> {
        // A semaphore is fair, so orders start first in, first out. It is never closed.
        let _slot = self.slots.acquire().await?;
        let mut executor = self.idle_or_new()?;
        let ran = executor.run(order, on_start).await;
        match ran {
            Ok(()) if executor.guaranteed => self.members().idle.push(executor),
            Ok(()) => executor.dismiss().await,
            // No underflow: this executor was counted at its start.
            Err(_) if executor.guaranteed => self.members().guaranteed -= 1,
            Err(_) => {}
        }
        ran
    }

    fn idle_or_new(&self) -> anyhow::Result<Executor> {
        let mut members = self.members();
        if let Some(executor) = members.idle.pop() {
            return Ok(executor);
        }
        let guaranteed = members.guaranteed < self.guaranteed;
        let executor = Executor::start(self.queue, guaranteed)?;
        members.guaranteed += usize::from(guaranteed);
        Ok(executor)
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Executor process, with the server's end of its socket pair.
#[derive(Debug)]
struct Executor {
    pid: u32,
    guaranteed: bool,
    ready: bool,
    stream: BufReader<UnixStream>,
}

impl Executor {
    fn start(queue: Queue, guaranteed: bool) -> anyhow::Result<Self> {
        let (own_end, child_end) = StdUnixStream::pair()?;
        // tokio's `from_std` expects a non-blocking socket.
        own_end.set_nonblocking(true)?;
        let stdin = Stdio::from(OwnedFd::from(child_end));
        let pid = children::spawn(Role::StartingExecutor(queue), &SPAWN_MAIN, stdin)?;
        let stream = BufReader::new(UnixStream::from_std(own_end)?);
        Ok(Self { pid, guaranteed, ready: false, stream })
    }

    async fn run(
        &mut self,
        order: &Order,
        on_start: impl FnOnce(u32) -> bool,
    ) -> anyhow::Result<()> {
        if !self.ready {
            self.expect(READY).await?;
            self.ready = true;
        }
        if on_start(self.pid) {
            self.send(order).await?;
            self.expect(DONE).await?;
        }
        Ok(())
    }

    async fn dismiss(mut self) {
        // An error means that the executor has already exited.
        _ = self.send(&Order::Exit).await;
    }

    async fn send(&mut self, order: &Order) -> anyhow::Result<()> {
        let line = format!("{order}\n");
        self.stream.write_all(line.as_bytes()).await.context("sending an order to an executor")
    }

    async fn expect(&mut self, message: &str) -> anyhow::Result<()> {
        let mut line = String::new();
        self.stream.read_line(&mut line).await.context("reading a message of an executor")?;
        if line.trim_end() != message {
            bail!("executor {}: expected `{message}`, got {line:?}", self.pid);
        }
        Ok(())
    }
}
