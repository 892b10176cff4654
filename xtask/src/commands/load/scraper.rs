//! Reading of the server's own metrics beside the load: a thread that scrapes at intervals.
//!
//! A failed scrape is recorded and never ends a run. The last snapshot must be newer than the load,
//! and the server makes one at most every 30 s, so the end of the run waits for it.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use host::signals::Signals;
use skyload::api::{MetricsClient, Scrape};
use skyload::clock::{Timeline, Timestamp};
use skyload::credentials::Credentials;
use skyload::poll;
use skyload::record::RunDir;
use skyload::record::server_metrics::{FailedScrape, MetricsLine, MetricsLog};
use url::Url;

use super::monitor::POLL_INTERVAL;
use crate::server::runtime;

/// Interval of scrapes while a snapshot is waited for: the first one, and one after the load.
const SHORT_INTERVAL: Duration = Duration::from_millis(500);

/// Time after which the first snapshot is no longer waited for with short intervals.
const FIRST_WITHIN: Duration = Duration::from_secs(10);

/// Time limit for a snapshot from after the load. The server makes one 30 s after the last.
const LAST_WITHIN: Duration = Duration::from_secs(45);

/// Number of failed scrapes in succession after which the last snapshot is not waited for.
const MAX_FAILURES: u32 = 3;

/// Running scraper. Without [`Self::finish`], the thread ends when this is dropped.
pub(super) struct Scraper {
    orders: Sender<Order>,
    thread: JoinHandle<Result<()>>,
}

/// Order to the thread.
enum Order {
    /// Load that has ended: a snapshot from now on completes the log.
    LoadEnded,
    /// End of the run: the thread ends with such a snapshot.
    Finish,
}

impl Scraper {
    /// Starts to scrape the metrics at `url` into the run's log.
    pub(super) fn begin(
        run: &RunDir,
        url: &Url,
        credentials: &Credentials,
        interval: Duration,
    ) -> Result<Self> {
        let log = MetricsLog::begin(run)?;
        let client = MetricsClient::new(url, credentials)?;
        let (orders, received) = channel();
        let began = Instant::now();
        let mut work = Work {
            client,
            log,
            clock: Timeline::start(),
            runtime: runtime()?,
            last: None,
            failures: 0,
            awaited: None,
        };
        let thread = std::thread::Builder::new()
            .name("server-metrics".to_owned())
            .spawn(move || work.run(&received, interval, began))
            .context("starting the thread that reads the server's metrics")?;
        Ok(Self { orders, thread })
    }

    /// Marks the end of the load.
    pub(super) fn load_ended(&self) {
        // An error means that the thread has ended, which `finish` reports.
        _ = self.orders.send(Order::LoadEnded);
    }

    /// Waits for a snapshot from after the load, until Ctrl-C or a time limit. The error is one of
    /// the log, since failed scrapes are in it.
    pub(super) fn finish(self, signals: &Signals) -> Result<()> {
        let Self { orders, thread } = self;
        _ = orders.send(Order::Finish);
        _ = poll::during(LAST_WITHIN, POLL_INTERVAL, || {
            anyhow::Ok((thread.is_finished() || signals.interrupted()).then_some(()))
        })?;
        // The thread ends after its current scrape.
        drop(orders);
        match thread.join() {
            Ok(result) => result,
            Err(_) => anyhow::bail!("the thread that reads the server's metrics panicked"),
        }
    }
}

/// Work of the thread.
struct Work {
    client: MetricsClient,
    log: MetricsLog,
    clock: Timeline,
    runtime: tokio::runtime::Runtime,
    /// Last snapshot in the log.
    last: Option<Taken>,
    /// Number of scrapes that failed since the last one that did not.
    failures: u32,
    /// Snapshot after which a newer one completes the log; `None` before the end of the load.
    awaited: Option<Option<Taken>>,
}

/// Snapshot in the log, by the time at which the server made it or else that of its response.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Taken(Timestamp);

impl Work {
    fn run(&mut self, orders: &Receiver<Order>, interval: Duration, began: Instant) -> Result<()> {
        let mut is_finishing = false;
        loop {
            self.scrape()?;
            if is_finishing && self.is_complete() {
                return Ok(());
            }
            let is_first = self.last.is_none() && began.elapsed() < FIRST_WITHIN;
            let pause =
                if is_first || is_finishing { SHORT_INTERVAL.min(interval) } else { interval };
            match orders.recv_timeout(pause) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Order::LoadEnded) => {
                    // The last snapshot of the load: the server may have made one since the last
                    // scrape. Twice, since the first scrape after that only tells so.
                    self.scrape()?;
                    self.scrape()?;
                    self.awaited = Some(self.last);
                }
                Ok(Order::Finish) => is_finishing = true,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    fn is_complete(&self) -> bool {
        // A run that was stopped before its load has nothing to wait for, and neither has one whose
        // server does not answer.
        let is_unreachable = self.failures >= MAX_FAILURES;
        is_unreachable || self.awaited.is_none_or(|awaited| self.last != awaited)
    }

    fn scrape(&mut self) -> Result<()> {
        let scraped = self.runtime.block_on(self.client.scrape(&self.clock));
        self.failures = if scraped.is_err() { self.failures.saturating_add(1) } else { 0 };
        let line = match scraped {
            Ok(Scrape::Replaced) => return Ok(()),
            Ok(Scrape::Snapshot(snapshot)) => {
                let taken = Taken(snapshot.made.unwrap_or(snapshot.at));
                if self.last == Some(taken) {
                    return Ok(());
                }
                self.last = Some(taken);
                MetricsLine::Snapshot(snapshot)
            }
            Err(reason) => MetricsLine::Failed(FailedScrape { at: self.clock.now(), reason }),
        };
        Ok(self.log.write(&line)?)
    }
}
