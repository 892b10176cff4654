//! The executors of one queue: which of them runs a request, and how many
//! there may be.
//!
//! As SkyPilot's: lazy (a process is started when a request finds no idle one),
//! never shrinking, and beyond the guaranteed ones a burst of processes that
//! serve one request each. What finds no place waits.

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

/// The executors of one queue.
#[derive(Debug)]
pub(crate) struct Pool {
    queue: Queue,
    guaranteed: usize,
    places: Semaphore,
    members: Mutex<Members>,
}

#[derive(Debug, Default)]
struct Members {
    idle: Vec<Executor>,
    guaranteed: usize,
}

impl Pool {
    /// A pool without processes yet.
    pub(crate) fn new(queue: Queue, guaranteed: usize, burst: usize) -> Self {
        let places = Semaphore::new(guaranteed + burst);
        Self { queue, guaranteed, places, members: Mutex::default() }
    }

    /// Lets an executor follow `order`. `begins` hears its pid beforehand, and
    /// says whether the order still stands.
    ///
    /// # Errors
    ///
    /// When the executor dies before it is done.
    pub(crate) async fn run(
        &self,
        order: &Order,
        begins: impl FnOnce(u32) -> bool,
    ) -> anyhow::Result<()> {
        // Closed is what it never becomes; and it hands places out in order.
        let _place = self.places.acquire().await?;
        let mut executor = self.idle_or_new()?;
        let ran = executor.run(order, begins).await;
        match ran {
            Ok(()) if executor.guaranteed => self.members().idle.push(executor),
            Ok(()) => executor.dismiss().await,
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

/// The server's end of one executor.
#[derive(Debug)]
struct Executor {
    pid: u32,
    guaranteed: bool,
    ready: bool,
    stream: BufReader<UnixStream>,
}

impl Executor {
    fn start(queue: Queue, guaranteed: bool) -> anyhow::Result<Self> {
        let (ours, theirs) = StdUnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let stdin = Stdio::from(OwnedFd::from(theirs));
        let pid = children::spawn(Role::StartingExecutor(queue), &SPAWN_MAIN, stdin)?;
        let stream = BufReader::new(UnixStream::from_std(ours)?);
        Ok(Self { pid, guaranteed, ready: false, stream })
    }

    async fn run(&mut self, order: &Order, begins: impl FnOnce(u32) -> bool) -> anyhow::Result<()> {
        if !self.ready {
            self.expect(READY).await?;
            self.ready = true;
        }
        if begins(self.pid) {
            self.tell(order).await?;
            self.expect(DONE).await?;
        }
        Ok(())
    }

    async fn dismiss(mut self) {
        // One that is gone already needs no telling.
        _ = self.tell(&Order::Exit).await;
    }

    async fn tell(&mut self, order: &Order) -> anyhow::Result<()> {
        self.stream.write_all(format!("{order}\n").as_bytes()).await.context("telling an executor")
    }

    async fn expect(&mut self, word: &str) -> anyhow::Result<()> {
        let mut line = String::new();
        self.stream.read_line(&mut line).await.context("hearing from an executor")?;
        if line.trim_end() != word {
            bail!("executor {} said {line:?} instead of {word}", self.pid);
        }
        Ok(())
    }
}
