//! What a request comes to: SkyPilot's answers on a machine without a cloud,
//! unless a knob says otherwise.

use fake_sky::knobs::Knobs;
use serde_json::{Value, json};

/// The end of a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// It returned this.
    Value(Value),
    /// It raised this.
    Error {
        /// The class of the Python exception.
        kind: &'static str,
        /// Its text.
        message: String,
    },
    /// It was cancelled.
    Cancelled,
}

impl Outcome {
    fn error(kind: &'static str, message: impl Into<String>) -> Self {
        Self::Error { kind, message: message.into() }
    }

    /// What becomes of a request whose executor died.
    pub(crate) fn broken_pool() -> Self {
        Self::error(
            "BrokenProcessPool",
            "A process in the process pool was terminated abruptly while the future was running \
             or pending.",
        )
    }
}

/// The end of the `count`th request called `name`.
pub(crate) fn answer(name: &str, count: u64, body: &Value, knobs: &Knobs) -> Outcome {
    if knobs.cancel.hit(name, count) {
        return Outcome::Cancelled;
    }
    if knobs.fail.hit(name, count) {
        return Outcome::error("ValueError", format!("request {count} of {name} is made to fail"));
    }
    if knobs.wrong_value.hit(name, count) {
        return Outcome::Value(Value::Null);
    }
    undisturbed(name, body, knobs)
}

fn undisturbed(name: &str, body: &Value, knobs: &Knobs) -> Outcome {
    match name {
        "sky.status" | "sky.enabled_clouds" => Outcome::Value(json!([])),
        "sky.jobs.queue" | "sky.jobs.queue_v2" if !knobs.consolidation => {
            Outcome::error("ClusterNotUpError", "No in-progress managed jobs.")
        }
        "sky.jobs.queue" => Outcome::Value(json!([])),
        "sky.jobs.queue_v2" => Outcome::Value(json!({
            "jobs": [], "total": 0, "total_no_filter": 0, "status_counts": {}, "infra_options": [],
        })),
        "sky.jobs.pool_status" => network_error("pools"),
        "sky.serve.status" => network_error("services"),
        "sky.launch" | "sky.optimize" => Outcome::error(
            "NoCloudAccessError",
            "Cloud access is not set up. Run: \u{1b}[1msky check\u{1b}[0m",
        ),
        "sky.check" => Outcome::Value(json!({"default": {}})),
        "sky.workspaces.get" => {
            Outcome::Value(json!({"default": {"writable": true, "read_only": false}}))
        }
        "sky.jobs.logs" => Outcome::Value(json!(0)),
        // The rest wants a cluster, and there is none. Messages are coloured.
        _ => {
            let cluster = body["cluster_name"].as_str().unwrap_or_default();
            let message = format!("\u{1b}[33mCluster '{cluster}' does not exist.\u{1b}[0m");
            Outcome::error("ClusterDoesNotExist", message)
        }
    }
}

fn network_error(what: &str) -> Outcome {
    let message = format!("Failed to refresh {what} status due to network error.");
    Outcome::error("RuntimeError", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_cloud_a_launch_fails_and_a_status_does_not() {
        let knobs = Knobs::default();
        let launch = answer("sky.launch", 1, &json!({}), &knobs);
        assert!(matches!(launch, Outcome::Error { kind: "NoCloudAccessError", .. }));
        assert_eq!(answer("sky.status", 1, &json!({}), &knobs), Outcome::Value(json!([])));
    }

    #[test]
    fn a_fault_befalls_only_its_turn() {
        let fail = "sky.status:2".parse().unwrap();
        let knobs = Knobs { fail, ..Knobs::default() };
        let failed = |count| {
            matches!(answer("sky.status", count, &json!({}), &knobs), Outcome::Error { .. })
        };
        assert_eq!((1..=4).map(failed).collect::<Vec<_>>(), [false, true, false, true]);
    }
}
