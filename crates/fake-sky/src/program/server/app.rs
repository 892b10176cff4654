//! State of the server, and the processing of a request from its submission to its end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fake_sky::settings::Settings;
use serde_json::{Value, json};
use uuid::Uuid;

use super::cloud::Cloud;
use super::completion;
use super::endpoints::Endpoint;
use super::log;
use super::metrics::Metrics;
use super::outcome::{Completion, Outcome};
use super::pool::Pool;
use super::request::Request;
use super::requests::Requests;
use super::server_fault::ServerFaults;
use super::uploads::Uploads;
use super::work::Work;
use crate::program::protocol::{Order, Queue};

/// Daemon requests of SkyPilot (id, name): each occupies a short executor for the lifetime
/// of the server.
const DAEMONS: [(&str, &str); 4] = [
    ("skypilot-status-refresh-daemon", "sky.status-refresh"),
    ("skypilot-volume-status-refresh-daemon", "sky.volume-refresh"),
    ("pool-status-refresh-daemon", "sky.pool-status-refresh"),
    ("expired-token-cleanup-daemon", "sky.expired-token-cleanup"),
];
/// Daemon request that only a server in consolidation mode has. Such a server always lists
/// it, but it occupies an executor only if [`Settings::daemons`] is large enough.
const CONSOLIDATION_DAEMON: (&str, &str) = DAEMONS[2];
/// Size of the executor pool for long requests.
pub(crate) const LONG_POOL: usize = 2;

/// Run time of a daemon request: 10 years, longer than any server runs.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 86_400);

/// Interval at which an exec checks for the launch of its cluster; 1 s in SkyPilot.
const LAUNCH_CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// State that all handlers share.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) settings: Settings,
    pub(crate) requests: Requests,
    pub(crate) server_faults: ServerFaults,
    pub(crate) cloud: Cloud,
    pub(crate) uploads: Uploads,
    pub(crate) metrics: Arc<Metrics>,
    short: Pool,
    long: Pool,
    submitted: Mutex<HashMap<&'static str, u64>>,
    calls: Mutex<HashMap<String, u64>>,
    log_threads: AtomicUsize,
    last_call: Mutex<Instant>,
}

impl App {
    /// State of a server before its first call.
    pub(crate) fn new(settings: Settings, server_faults: ServerFaults) -> Self {
        Self {
            short: Pool::new(
                Queue::Short,
                settings.short_pool + daemons(&settings),
                settings.burst,
            ),
            long: Pool::new(Queue::Long, LONG_POOL, settings.burst),
            metrics: Arc::new(Metrics::new(&settings)),
            settings,
            server_faults,
            requests: Requests::default(),
            cloud: Cloud::default(),
            uploads: Uploads::default(),
            submitted: Mutex::default(),
            calls: Mutex::default(),
            log_threads: AtomicUsize::new(0),
            last_call: Mutex::new(Instant::now()),
        }
    }

    /// Starts the daemon requests.
    pub(crate) fn start_daemons(self: &Arc<Self>) {
        let with_executor = daemons_with_executor(&self.settings);
        let (id, name) = CONSOLIDATION_DAEMON;
        if self.settings.consolidation
            && !with_executor.is_empty()
            && !with_executor.contains(&(id, name))
        {
            self.requests.add(Request::daemon(id, name));
            self.requests.start(id, None);
        }
        for (id, name) in with_executor {
            log::info("executor.py:1385", &format!("Queuing request: {id}"));
            self.requests.add(Request::daemon(id, name));
            let mib = self.settings.request_mib.of(name);
            let order = Order::Run { request: id.to_owned(), service: FOREVER, mib };
            let work = Work { name, count: 1, body: Value::Null };
            self.dispatch(Queue::Short, order, work);
        }
    }

    /// Counts a call, and returns its number among the calls of the path, from 1.
    pub(crate) fn count_call(&self, path: &str) -> u64 {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let count = calls.entry(path.to_owned()).or_default();
        *count += 1;
        *count
    }

    /// User for whom a call counts: that of the login, or else the user in the call.
    pub(crate) fn user_or_login<'a>(&'a self, user: &'a str) -> &'a str {
        self.settings.login_user.as_deref().unwrap_or(user)
    }

    /// Counts a submission, and returns its number among those of the name, from 1.
    pub(crate) fn count(&self, name: &'static str) -> u64 {
        let mut submitted = self.submitted.lock().unwrap_or_else(PoisonError::into_inner);
        let count = submitted.entry(name).or_default();
        *count += 1;
        *count
    }

    /// Queues a request of an endpoint, and returns its id without waiting for it.
    pub(crate) fn queue(self: &Arc<Self>, endpoint: &Endpoint, work: Work) -> String {
        let id = Uuid::new_v4().to_string();
        log::info("executor.py:1385", &format!("Queuing request: {id}"));
        let queue = endpoint.queue(&work.body, self.settings.consolidation);
        self.requests.add(Request::new(id.clone(), endpoint, &work.body, queue));
        let service = self.cloud.service_time(&work, &self.settings);
        let mib = self.settings.request_mib.of(work.name);
        self.dispatch(queue, Order::Run { request: id.clone(), service, mib }, work);
        self.server_faults.begin(&self.settings);
        id
    }

    /// Takes one of the threads that follow the output of a job; `None` if all are taken.
    pub(crate) fn log_thread(self: &Arc<Self>) -> Option<LogThread> {
        let taken = self.log_threads.fetch_add(1, Ordering::Relaxed);
        // Dropped at the limit, which takes the thread back.
        let thread = LogThread(Arc::clone(self));
        (taken < self.settings.log_threads).then_some(thread)
    }

    /// Records the time of a call, for [`Self::idle`].
    pub(crate) fn note_call(&self) {
        *self.last_call.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Time since the last call.
    pub(crate) fn idle(&self) -> Duration {
        self.last_call.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// Starts a task that runs a request on an executor, then finishes the request.
    fn dispatch(self: &Arc<Self>, queue: Queue, order: Order, work: Work) {
        let Order::Run { request, .. } = &order else { return };
        let (app, id, created) = (Arc::clone(self), request.clone(), Instant::now());
        tokio::spawn(async move {
            let injected = completion::injected(&work, &app.settings);
            app.wait_for_launch(&id, &work).await;
            let pool = match queue {
                Queue::Short => &app.short,
                Queue::Long => &app.long,
            };
            let mut began = None;
            let on_start = |pid| {
                began = Some(Instant::now());
                app.metrics.started(work.name, queue.name(), created.elapsed());
                let is_open = app.requests.start(&id, Some(pid));
                // A request that is made to fail must not leave a cluster behind.
                if is_open && injected.is_none() {
                    app.cloud.begin(&work, &app.settings);
                }
                is_open
            };
            let ran = pool.run(&order, on_start).await;
            if let (Ok(()), Some(began)) = (&ran, began) {
                app.metrics.ended(work.name, began.elapsed());
            }
            // A request that was cancelled while it ran has no effect.
            if !app.requests.is_open(&id) {
                return;
            }
            let completion = match (ran, injected) {
                (Ok(()), Some(injected)) => injected.into(),
                (Ok(()), None) => app.complete(&work),
                (Err(error), _) => {
                    log::info("executor.py:448", &format!("Request {id}: {error:#}"));
                    Outcome::broken_pool().into()
                }
            };
            app.requests.finish(&id, completion);
        });
    }

    /// Delays an exec while its cluster is being launched. It occupies no executor then.
    async fn wait_for_launch(&self, id: &str, work: &Work) {
        let launching = || {
            work.name == "sky.exec"
                && !self.cloud.is_up(work.cluster())
                && self.requests.is_launching(work.cluster())
        };
        while launching() && self.requests.is_open(id) {
            tokio::time::sleep(LAUNCH_CHECK_INTERVAL).await;
        }
    }

    fn complete(&self, work: &Work) -> Completion {
        if work.name == "sky.api_cancel" {
            return self.cancel(&work.body["request_ids"]).into();
        }
        let completion = completion::complete(work, &self.settings, &self.cloud);
        if work.name == "sky.down" && matches!(completion.outcome, Outcome::Value(_)) {
            self.requests.cancel_for_cluster(work.cluster());
        }
        completion
    }

    fn cancel(&self, request_ids: &Value) -> Outcome {
        // Like in SkyPilot, `null` cancels all requests.
        let ids = request_ids.as_array().map(|ids| {
            ids.iter().filter_map(|id| self.requests.resolve(id.as_str()?).ok()).collect::<Vec<_>>()
        });
        Outcome::Value(json!(self.requests.cancel(ids.as_deref())))
    }
}

/// Thread that follows the output of a job, for the lifetime of this value.
#[derive(Debug)]
pub(crate) struct LogThread(Arc<App>);

impl Drop for LogThread {
    fn drop(&mut self) {
        self.0.log_threads.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Number of executors that daemon requests occupy.
pub(crate) fn daemons(settings: &Settings) -> usize {
    daemons_with_executor(settings).len()
}

/// Daemon requests that occupy an executor.
fn daemons_with_executor(settings: &Settings) -> Vec<(&'static str, &'static str)> {
    let daemons = DAEMONS.into_iter().take(settings.daemons);
    daemons.filter(|daemon| settings.consolidation || *daemon != CONSOLIDATION_DAEMON).collect()
}
