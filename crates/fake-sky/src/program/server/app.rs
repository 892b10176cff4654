//! The state of a server, and a request's way through it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fake_sky::settings::Settings;
use serde_json::{Value, json};
use uuid::Uuid;

use super::answers;
use super::cloud::Cloud;
use super::endpoints::Endpoint;
use super::log;
use super::outcome::{Answer, Outcome};
use super::pool::Pool;
use super::request::Request;
use super::requests::Requests;
use super::server_fault::ServerFaults;
use super::work::Work;
use crate::program::protocol::{Order, Queue};

/// SkyPilot's own requests, which hold a short executor for as long as the
/// server lives.
const DAEMONS: [(&str, &str); 4] = [
    ("skypilot-status-refresh-daemon", "sky.status-refresh"),
    ("skypilot-volume-status-refresh-daemon", "sky.volume-refresh"),
    ("pool-status-refresh-daemon", "sky.pool-status-refresh"),
    ("expired-token-cleanup-daemon", "sky.expired-token-cleanup"),
];
/// The one of them that only a server has which runs managed jobs itself. It is listed by
/// every such server; an executor it holds only where [`Settings::daemons`] reaches it.
const OF_CONSOLIDATION: (&str, &str) = DAEMONS[2];
/// Executors that are kept for long requests.
pub(crate) const LONG_POOL: usize = 2;

/// As good as forever.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 86_400);

/// How often an exec asks whether its cluster is there; SkyPilot does so every
/// second.
const LAUNCH_CHECK: Duration = Duration::from_millis(50);

/// What all handlers share.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) settings: Settings,
    pub(crate) requests: Requests,
    pub(crate) server_faults: ServerFaults,
    pub(crate) cloud: Cloud,
    short: Pool,
    long: Pool,
    submitted: Mutex<HashMap<&'static str, u64>>,
    calls: Mutex<HashMap<String, u64>>,
    last_call: Mutex<Instant>,
}

impl App {
    /// A server that has not served anything yet.
    pub(crate) fn new(settings: Settings, server_faults: ServerFaults) -> Self {
        Self {
            short: Pool::new(
                Queue::Short,
                settings.short_pool + daemons(&settings),
                settings.burst,
            ),
            long: Pool::new(Queue::Long, LONG_POOL, settings.burst),
            settings,
            server_faults,
            requests: Requests::default(),
            cloud: Cloud::default(),
            submitted: Mutex::default(),
            calls: Mutex::default(),
            last_call: Mutex::new(Instant::now()),
        }
    }

    /// Starts the server's own requests.
    pub(crate) fn start_daemons(self: &Arc<Self>) {
        let held = held(&self.settings);
        let (id, name) = OF_CONSOLIDATION;
        if self.settings.consolidation && !held.is_empty() && !held.contains(&(id, name)) {
            self.requests.add(Request::daemon(id, name));
            self.requests.start(id, None);
        }
        for (id, name) in held {
            log::info("executor.py:1385", &format!("Queuing request: {id}"));
            self.requests.add(Request::daemon(id, name));
            let order = Order::Run { request: id.to_owned(), service: FOREVER };
            let work = Work { name, count: 1, body: Value::Null };
            self.dispatch(Queue::Short, order, work);
        }
    }

    /// Counts a call; returns which one of its path it is, from 1 on.
    pub(crate) fn count_call(&self, path: &str) -> u64 {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let count = calls.entry(path.to_owned()).or_default();
        *count += 1;
        *count
    }

    /// Counts a submission; returns which one of its name it is, from 1 on.
    pub(crate) fn count(&self, name: &'static str) -> u64 {
        let mut submitted = self.submitted.lock().unwrap_or_else(PoisonError::into_inner);
        let count = submitted.entry(name).or_default();
        *count += 1;
        *count
    }

    /// Takes a request of an endpoint in; returns its id at once.
    pub(crate) fn queue(self: &Arc<Self>, endpoint: &Endpoint, work: Work) -> String {
        let id = Uuid::new_v4().to_string();
        log::info("executor.py:1385", &format!("Queuing request: {id}"));
        let queue = endpoint.queue(&work.body, self.settings.consolidation);
        self.requests.add(Request::new(id.clone(), endpoint, &work.body, queue));
        let service = self.cloud.takes(&work, &self.settings);
        self.dispatch(queue, Order::Run { request: id.clone(), service }, work);
        self.server_faults.begin(&self.settings);
        id
    }

    /// Remembers that somebody uses this server.
    pub(crate) fn note_call(&self) {
        *self.last_call.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// For how long nobody has used this server.
    pub(crate) fn idle(&self) -> Duration {
        self.last_call.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// Has a request run by an executor, then finishes it.
    fn dispatch(self: &Arc<Self>, queue: Queue, order: Order, work: Work) {
        let Order::Run { request, .. } = &order else { return };
        let (app, id) = (Arc::clone(self), request.clone());
        tokio::spawn(async move {
            let injected = answers::injected(&work, &app.settings);
            app.wait_for_launch(&id, &work).await;
            let pool = match queue {
                Queue::Short => &app.short,
                Queue::Long => &app.long,
            };
            let begins = |pid| {
                let stands = app.requests.start(&id, Some(pid));
                if stands && injected.is_none() {
                    app.cloud.begin(&work, &app.settings);
                }
                stands
            };
            let ran = pool.run(&order, begins).await;
            // What was cancelled meanwhile has no effect.
            if !app.requests.is_open(&id) {
                return;
            }
            let answer = match (ran, injected) {
                (Ok(()), Some(injected)) => injected.into(),
                (Ok(()), None) => app.conclude(&work),
                (Err(error), _) => {
                    log::info("executor.py:448", &format!("Request {id}: {error:#}"));
                    Outcome::broken_pool().into()
                }
            };
            app.requests.finish(&id, answer);
        });
    }

    /// An exec waits, without an executor, while its cluster is being launched.
    async fn wait_for_launch(&self, id: &str, work: &Work) {
        let launching = || {
            work.name == "sky.exec"
                && !self.cloud.is_up(work.cluster())
                && self.requests.is_launching(work.cluster())
        };
        while launching() && self.requests.is_open(id) {
            tokio::time::sleep(LAUNCH_CHECK).await;
        }
    }

    fn conclude(&self, work: &Work) -> Answer {
        if work.name == "sky.api_cancel" {
            return self.cancel(&work.body["request_ids"]).into();
        }
        let answer = answers::conclude(work, &self.settings, &self.cloud);
        if work.name == "sky.down" && matches!(answer.outcome, Outcome::Value(_)) {
            self.requests.cancel_on(work.cluster());
        }
        answer
    }

    fn cancel(&self, meant: &Value) -> Outcome {
        // No list means everything, as with the real one.
        let ids = meant.as_array().map(|ids| {
            ids.iter().filter_map(|id| self.requests.resolve(id.as_str()?).ok()).collect::<Vec<_>>()
        });
        Outcome::Value(json!(self.requests.cancel(ids.as_deref())))
    }
}

/// How many of SkyPilot's own requests run.
pub(crate) fn daemons(settings: &Settings) -> usize {
    held(settings).len()
}

/// Those that hold an executor.
fn held(settings: &Settings) -> Vec<(&'static str, &'static str)> {
    let there = DAEMONS.into_iter().take(settings.daemons);
    there.filter(|daemon| settings.consolidation || *daemon != OF_CONSOLIDATION).collect()
}
