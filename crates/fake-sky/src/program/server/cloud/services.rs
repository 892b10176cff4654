//! Simulated services (SkyServe).

use std::time::Duration;

use serde_json::{Value, json};

use super::clusters::matches;
use super::job::finishing;
use crate::program::server::outcome::{Outcome, RequestResult, Success};
use crate::program::server::work::Work;

/// Load balancer port of the first service; later services get the next ports.
const FIRST_PORT: u64 = 30_001;

/// Time until a service is READY.
const READY_AFTER: Duration = Duration::from_millis(300);

/// Duration of the state SHUTTING_DOWN.
const SHUTDOWN_DURATION: Duration = Duration::from_millis(100);

/// Services, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Services {
    services: Vec<Service>,
    /// Number of services created so far, removed ones included.
    created: u64,
}

#[derive(Debug)]
struct Service {
    name: String,
    user: String,
    port: u64,
    replicas: u64,
    submitted: Duration,
    /// Time at which the service is READY.
    ready: Duration,
    /// Time at which the service is removed, after a `sky.serve.down`.
    removed: Option<Duration>,
}

impl Services {
    /// Handles `sky.serve.up`: adds a service, and returns its name and endpoint.
    pub(super) fn up(&mut self, work: &Work, now: Duration) -> RequestResult {
        self.discard_removed(now);
        let name = work.body["service_name"].as_str().unwrap_or_default();
        let Some(replicas) = work.task().replicas else {
            return Err(Outcome::error("RuntimeError", "Service section not found."));
        };
        if self.services.iter().any(|service| service.name == name) {
            return Err(Outcome::error(
                "ValueError",
                format!(
                    "The service '{name}' is already running. Please specify a different name for \
                     your service. To update an existing service, run: sky serve update {name} \
                     <new-service-yaml>"
                ),
            ));
        }
        let service = Service {
            name: name.to_owned(),
            user: work.user().to_owned(),
            port: FIRST_PORT + self.created,
            replicas,
            submitted: now,
            ready: now + READY_AFTER,
            removed: None,
        };
        self.created += 1;
        let endpoint = service.endpoint();
        let log = vec![
            format!("\u{1b}[36mService name: \u{1b}[1m{name}\u{1b}[0m"),
            format!("\u{1b}[36mEndpoint URL: \u{1b}[1m{endpoint}\u{1b}[0m"),
            finishing("Service is spinning up and replicas will be ready shortly."),
        ];
        self.services.push(service);
        Ok(Success { value: json!([name, endpoint]), log })
    }

    /// Handles `sky.serve.status`: lists services.
    pub(super) fn status(&mut self, work: &Work, now: Duration) -> RequestResult {
        self.discard_removed(now);
        let patterns = names(&work.body["service_names"]);
        let all = work.body["service_names"].is_null();
        let shown = self.services.iter().filter(|service| {
            all || patterns.iter().any(|pattern| matches(pattern, &service.name))
        });
        Ok(Success::value(shown.map(|service| service.row(now)).collect()))
    }

    /// Handles `sky.serve.down`: services are SHUTTING_DOWN, then removed, unless they
    /// `survive` by an injected fault.
    pub(super) fn down(&mut self, work: &Work, now: Duration, survive: bool) -> RequestResult {
        self.discard_removed(now);
        let patterns = names(&work.body["service_names"]);
        let all = work.flag("all", false);
        if patterns.is_empty() != all {
            let message = "Can only specify one of service_names or all.";
            return Err(Outcome::error("ValueError", message));
        }
        let selected = self.services.iter_mut().filter(|service| {
            let named = patterns.iter().any(|pattern| matches(pattern, &service.name));
            (all || named) && service.removed.is_none()
        });
        let mut down = Vec::new();
        for service in selected {
            down.push(format!("'{}'", service.name));
            if !survive {
                service.removed = Some(now + SHUTDOWN_DURATION);
            }
        }
        Ok(Success::line(match down.as_slice() {
            [] => "No service to terminate.".to_owned(),
            [one] => format!("Service {one} is scheduled to be terminated."),
            more => format!("Services {} are scheduled to be terminated.", more.join(", ")),
        }))
    }

    fn discard_removed(&mut self, now: Duration) {
        // The clock decides: no task removes a service when its time has come.
        self.services.retain(|service| service.removed.is_none_or(|removed| now < removed));
    }
}

/// Names in a JSON value that is a string, a list of strings, or null.
fn names(value: &Value) -> Vec<&str> {
    match value {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

impl Service {
    fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn row(&self, now: Duration) -> Value {
        let ready = self.ready <= now;
        let (status, replica) = match (self.removed, ready) {
            (Some(_), _) => ("SHUTTING_DOWN", "SHUTTING_DOWN"),
            (None, true) => ("READY", "READY"),
            (None, false) => ("REPLICA_INIT", "PROVISIONING"),
        };
        let replicas: Vec<_> = (1..=self.replicas)
            .map(|id| {
                json!({
                    "replica_id": id, "name": format!("{}-{id}", self.name), "status": replica,
                    "version": 1, "replica_info_version": 2,
                    "endpoint": ready.then(|| format!("http://127.0.0.1:{}", 8079 + id)),
                    "is_spot": false, "launched_at": self.submitted.as_secs(), "cloud": null,
                    "region": null, "resources_str": "1x(cpus=2)",
                    "resources_str_full": "1x(cpus=2, mem=8)", "infra": "-", "handle": null,
                })
            })
            .collect();
        json!({
            "name": self.name, "controller_job_id": self.port - FIRST_PORT + 1,
            "controller_port": self.port - 10_000, "load_balancer_port": self.port,
            "status": status, "uptime": ready.then_some(self.ready.as_secs()),
            "policy": format!("Fixed {} replicas", self.replicas), "version": 1,
            "active_versions": if ready { json!([1]) } else { json!([]) },
            "requested_resources_str": "1x[CPU:1+]", "load_balancing_policy": "least_load",
            "tls_encrypted": false, "pool": false, "controller_pid": null, "controller_ip": null,
            "hash": null, "entrypoint": "sky serve up", "user_hash": self.user,
            "user_name": "root", "yaml_content": null, "pool_yaml": "",
            "target_num_replicas": self.replicas, "replica_info": replicas,
            "endpoint": self.endpoint(),
        })
    }
}
