//! Reading of the server's own metrics beside the load: a thread that scrapes at intervals.
//!
//! A failed scrape is recorded and never ends a run. The last snapshot must be newer than the load,
//! and the server makes one at most every 30 s, so the end of the run waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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

/// Running scraper. The thread appends to the log until [`Self::finish`] or [`Self::stop`], which
/// wait for its end; as a backstop it ends some time after this is dropped.
pub(super) struct Scraper {
    orders: Sender<Order>,
    thread: JoinHandle<Result<()>>,
    is_stopped: Arc<AtomicBool>,
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
        let is_stopped = Arc::new(AtomicBool::new(false));
        let mut work = Work {
            client,
            log,
            clock: Timeline::start(),
            runtime: runtime()?,
            last: None,
            failures: 0,
            awaited: None,
            is_replaced: false,
            is_stopped: Arc::clone(&is_stopped),
        };
        let thread = std::thread::Builder::new()
            .name("server-metrics".to_owned())
            .spawn(move || work.run(&received, interval, began))
            .context("starting the thread that reads the server's metrics")?;
        Ok(Self { orders, thread, is_stopped })
    }

    /// Marks the end of the load.
    pub(super) fn load_ended(&self) {
        // An error means that the thread has ended, which `finish` reports.
        _ = self.orders.send(Order::LoadEnded);
    }

    /// Waits for a snapshot from after the load, until Ctrl-C or a time limit. The error is one of
    /// the log, since failed scrapes are in it.
    pub(super) fn finish(self, signals: &Signals) -> Result<()> {
        _ = self.orders.send(Order::Finish);
        _ = poll::during(LAST_WITHIN, POLL_INTERVAL, || {
            anyhow::Ok((self.thread.is_finished() || signals.interrupted()).then_some(()))
        })?;
        self.stop()
    }

    /// Ends the thread after its current scrape, whose time is limited. After that, nothing is
    /// added to the log.
    pub(super) fn stop(self) -> Result<()> {
        let Self { orders, thread, is_stopped } = self;
        is_stopped.store(true, Ordering::Relaxed);
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
    /// Whether the server was replacing its snapshot at the last scrape: soon there is a new one.
    is_replaced: bool,
    /// Whether no further scrape is wanted.
    is_stopped: Arc<AtomicBool>,
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
            // With a long interval, each scrape finds a snapshot that is being replaced. The new one
            // is only read if the next scrape comes before it is too old as well.
            let is_short = is_first || is_finishing || self.is_replaced;
            let pause = if is_short { SHORT_INTERVAL.min(interval) } else { interval };
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
        if self.is_stopped.load(Ordering::Relaxed) {
            return Ok(());
        }
        let scraped = self.runtime.block_on(self.client.scrape(&self.clock));
        self.failures = if scraped.is_err() { self.failures.saturating_add(1) } else { 0 };
        self.is_replaced = matches!(scraped, Ok(Scrape::Replaced));
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

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    /// URL of a server that answers each scrape with the response of `respond`.
    fn serve(mut respond: impl FnMut() -> String + Send + 'static) -> Url {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/metrics", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let answer = |mut stream: TcpStream, response: String| {
                _ = stream.read(&mut [0; 4096]);
                _ = stream.write_all(response.as_bytes());
            };
            listener.incoming().flatten().for_each(|stream| answer(stream, respond()));
        });
        url.parse().unwrap()
    }

    fn response(status: &str, body: &str) -> String {
        let length = body.len();
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
    }

    fn lines(run: &RunDir, kind: &str) -> usize {
        let log = std::fs::read_to_string(run.server_metrics()).unwrap();
        log.lines().filter(|line| line.contains(&format!("\"kind\":\"{kind}\""))).count()
    }

    fn scraper(run: &RunDir, url: &Url, interval: Duration) -> Scraper {
        Scraper::begin(run, url, &Credentials::None, interval).unwrap()
    }

    /// Waits until the log has a number of lines of a kind.
    fn wait_for(run: &RunDir, count: usize, kind: &str) {
        let every = Duration::from_millis(20);
        let found = poll::during(Duration::from_secs(20), every, || {
            anyhow::Ok((lines(run, kind) >= count).then_some(()))
        });
        assert!(found.unwrap().is_some(), "{} of {count} lines: {kind}", lines(run, kind));
    }

    #[test]
    fn a_stopped_scraper_adds_nothing_to_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::create(&folder.path().join("20261124-080000-00bb")).unwrap();
        let (asked, is_asked) = channel();
        let url = serve(move || {
            _ = asked.send(());
            // The scrape is under way when the scraper is stopped.
            std::thread::sleep(Duration::from_millis(300));
            response("500 No", "")
        });
        let scraper = scraper(&run, &url, Duration::from_millis(1));
        is_asked.recv().unwrap();
        scraper.load_ended();
        scraper.stop().unwrap();
        assert_eq!(lines(&run, "failed"), 1, "the scrape that was under way");
        assert!(is_asked.try_recv().is_err(), "no scrape after it");
    }

    #[test]
    fn snapshots_are_read_although_each_is_too_old_after_the_interval() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::create(&folder.path().join("20261124-080000-00bb")).unwrap();
        let (mut made, mut last) = (1_u32, Instant::now());
        let url = serve(move || {
            // A scrape soon after another one gets the snapshot that the other one had made.
            if last.elapsed() > Duration::from_millis(1_500) {
                made += 1;
            }
            last = Instant::now();
            let metric = "sky_apiserver_metrics_collector_last_success_timestamp_seconds";
            response("200 OK", &format!("{metric}{{collector=\"MultiProcessCollector\"}} {made}\n"))
        });
        let scraper = scraper(&run, &url, Duration::from_secs(2));
        wait_for(&run, 3, "snapshot");
        scraper.stop().unwrap();
    }
}
