//! Prometheus metrics of the server, on a port and a thread of their own.
//!
//! Like SkyPilot's, a response is the last snapshot, and a scrape that finds the snapshot too old
//! has the next one made: the response has the old figures, but already the new snapshot's time.

mod histogram;
mod text;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use fake_sky::procfs;
use fake_sky::settings::Settings;

use self::histogram::Histogram;
use super::log;

/// Path of the metrics, also the name of their faults.
const PATH: &str = "/metrics";

/// Variable that enables the metrics.
const ENABLED: &str = "SKY_API_SERVER_METRICS_ENABLED";

/// Variable without which SkyPilot has the metrics of one process only.
const DIRECTORY: &str = "PROMETHEUS_MULTIPROC_DIR";

/// Interval of the timer whose delay is the lag of the event loop.
const LAG_INTERVAL: Duration = Duration::from_millis(100);

/// Counts of the server, and the snapshot for scrapes.
#[derive(Debug)]
pub(crate) struct Metrics {
    settings: Settings,
    scrapes: AtomicU64,
    counts: Mutex<Counts>,
    snapshot: Mutex<Option<Snapshot>>,
}

/// Histograms by the labels of their series.
#[derive(Debug, Default)]
struct Counts {
    lag: Histogram,
    lag_max: Duration,
    by_family: BTreeMap<(&'static str, String), Histogram>,
}

#[derive(Clone, Debug)]
struct Snapshot {
    text: String,
    made: Instant,
    made_at: f64,
}

impl Metrics {
    /// Metrics of a server before its first call.
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            settings: settings.clone(),
            scrapes: AtomicU64::new(0),
            counts: Mutex::default(),
            snapshot: Mutex::default(),
        }
    }

    /// Counts a call of the API.
    pub(crate) fn call(&self, method: &str, path: &str, status: u16, took: Duration) {
        // Like SkyPilot, which leaves out streams.
        if path.ends_with("/logs") || path.ends_with("/api/stream") {
            return;
        }
        let status = status / 100;
        let labels = format!("method=\"{method}\",path=\"{path}\",status=\"{status}xx\"");
        self.observe("sky_apiserver_request_duration_seconds", labels, took);
    }

    /// Counts the start of a request on an executor.
    pub(crate) fn started(&self, name: &str, queue: &str, waited: Duration) {
        let labels = format!("name=\"{name}\",schedule_type=\"{queue}\"");
        self.observe("sky_apiserver_request_pending_seconds", labels, waited);
        let labels = format!("schedule_type=\"{queue}\"");
        self.observe("sky_apiserver_queue_wait_seconds", labels, waited);
    }

    /// Counts the end of a request on an executor.
    pub(crate) fn ended(&self, name: &str, ran: Duration) {
        let labels = format!("group=\"request_execution\",name=\"{name}\"");
        self.observe("sky_apiserver_code_duration_seconds", labels, ran);
    }

    fn observe(&self, family: &'static str, labels: String, duration: Duration) {
        self.counts().by_family.entry((family, labels)).or_default().observe(duration);
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Body of a response to a scrape.
    fn body(&self) -> String {
        let mut current = self.snapshot.lock().unwrap_or_else(PoisonError::into_inner);
        let before = current.as_ref().map(|snapshot| snapshot.text.clone()).unwrap_or_default();
        let is_old = |snapshot: &Snapshot| snapshot.made.elapsed() >= self.settings.metrics_ttl;
        if current.as_ref().is_none_or(is_old) {
            *current = Some(Snapshot {
                text: self.text(&self.settings.metrics_omit),
                made: Instant::now(),
                made_at: since_epoch(),
            });
        }
        let made_at = current.as_ref().map_or(0.0, |snapshot| snapshot.made_at);
        before + &text::made(made_at)
    }

    fn text(&self, omitted: &[String]) -> String {
        let counts = self.counts();
        let mut text = String::new();
        let is_shown = |family: &str| omitted.iter().all(|omitted| omitted != family);
        if is_shown(text::LAG) && counts.lag.count > 0 {
            text += &text::histogram(text::LAG, "", &counts.lag);
            text += &text::lag_max(counts.lag_max);
        }
        for ((family, labels), histogram) in &counts.by_family {
            if is_shown(family) {
                text += &text::histogram(family, labels, histogram);
            }
        }
        if is_shown(text::RSS) {
            let own = procfs::Process::look_up(std::process::id());
            let all = own.into_iter().chain(procfs::descendants_of(std::process::id()));
            all.for_each(|process| text += &text::rss(&process));
        }
        text
    }
}

/// Serves the metrics on `port`, if the environment enables them.
pub(crate) fn serve(metrics: &Arc<Metrics>, host: IpAddr, port: u16) {
    let is_set = |name: &str, value: Option<&str>| {
        let found = crate::program::role::read(name);
        found.is_some_and(|found| value.is_none_or(|value| found == value))
    };
    if !is_set(ENABLED, Some("true")) || !is_set(DIRECTORY, None) {
        return;
    }
    tokio::spawn(measure_lag(Arc::clone(metrics)));
    let metrics = Arc::clone(metrics);
    thread::spawn(move || {
        let served = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .and_then(|runtime| runtime.block_on(listen(metrics, host, port)));
        if let Err(error) = served {
            log::info("metrics.py:1534", &format!("Metrics server failed to start: {error}"));
        }
    });
}

async fn listen(metrics: Arc<Metrics>, host: IpAddr, port: u16) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind((host, port)).await?;
    let router = Router::new().route(PATH, get(scrape)).with_state(metrics);
    axum::serve(listener, router).await
}

async fn scrape(State(metrics): State<Arc<Metrics>>) -> (StatusCode, String) {
    let count = metrics.scrapes.fetch_add(1, Ordering::Relaxed) + 1;
    match metrics.settings.metrics_fail.hit(PATH, count) {
        true => (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error".to_owned()),
        false => (StatusCode::OK, metrics.body()),
    }
}

/// Measures how late a timer of the server's event loop fires.
async fn measure_lag(metrics: Arc<Metrics>) {
    loop {
        let due = Instant::now() + LAG_INTERVAL;
        tokio::time::sleep_until(due.into()).await;
        let lag = due.elapsed();
        let mut counts = metrics.counts();
        counts.lag.observe(lag);
        counts.lag_max = counts.lag_max.max(lag);
    }
}

fn since_epoch() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
