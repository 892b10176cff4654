//! What a request comes to: SkyPilot's answers on a machine without a cloud,
//! unless a knob says otherwise.

use fake_sky::knobs::Knobs;
use serde_json::{Map, Value, json};

use super::cloud::{Cloud, Said, Task, Verdict};

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
    /// The error of this class.
    pub(crate) fn error(kind: &'static str, message: impl Into<String>) -> Self {
        Self::Error { kind, message: message.into() }
    }

    /// There is no cluster of this name. Messages are coloured.
    pub(crate) fn no_cluster(name: &str) -> Self {
        let message = format!("\u{1b}[33mCluster '{name}' does not exist.\u{1b}[0m");
        Self::error("ClusterDoesNotExist", message)
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

/// The end of a request, and what it has written to its log.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) outcome: Outcome,
    pub(crate) log: Vec<String>,
}

impl Answer {
    /// SkyPilot's answer to who wants the log of a job that is not there.
    pub(crate) fn not_found(line: String) -> Self {
        const NOT_FOUND: u8 = 102;
        Self { outcome: Outcome::Value(json!(NOT_FOUND)), log: vec![line] }
    }
}

impl From<Outcome> for Answer {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, log: Vec::new() }
    }
}

impl From<Verdict> for Answer {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Ok(Said { value, log }) => Self { outcome: Outcome::Value(value), log },
            Err(outcome) => outcome.into(),
        }
    }
}

/// What a request asks for.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    /// The name of the request.
    pub(crate) name: &'static str,
    /// Which one of its name it is, from 1 on.
    pub(crate) count: u64,
    /// Its body.
    pub(crate) body: Value,
}

impl Work {
    /// Who asks.
    pub(crate) fn user(&self) -> &str {
        self.body["env_vars"]["SKYPILOT_USER_ID"].as_str().unwrap_or(fake_sky::DEFAULT_USER_ID)
    }

    /// The cluster that it is about.
    pub(crate) fn cluster(&self) -> &str {
        self.body["cluster_name"].as_str().unwrap_or_default()
    }

    /// A switch in its body.
    pub(crate) fn flag(&self, name: &str, default: bool) -> bool {
        self.body[name].as_bool().unwrap_or(default)
    }

    /// The task that it submits.
    pub(crate) fn task(&self) -> Task {
        Task::of(self.body["task"].as_str().unwrap_or_default())
    }
}

/// How a request ends whatever it asks for, if the knobs say so.
pub(crate) fn fate(work: &Work, knobs: &Knobs) -> Option<Outcome> {
    let Work { name, count, .. } = work;
    if knobs.cancel.hit(name, *count) {
        return Some(Outcome::Cancelled);
    }
    if knobs.fail.hit(name, *count) {
        let message = format!("request {count} of {name} is made to fail");
        return Some(Outcome::error("ValueError", message));
    }
    if knobs.refuse.hit(name, *count) {
        return Some(if *name == "sky.launch" { no_cloud() } else { no_controller() });
    }
    knobs.wrong_value.hit(name, *count).then_some(Outcome::Value(Value::Null))
}

/// The end of a request that nothing befell.
pub(crate) fn conclude(work: &Work, knobs: &Knobs, cloud: &Cloud) -> Answer {
    let no_infrastructure = knobs.infra.is_empty();
    match work.name {
        "sky.launch" | "sky.serve.up" if no_infrastructure => no_cloud().into(),
        // Its controller would have to be launched.
        "sky.jobs.launch" if no_infrastructure && !knobs.consolidation => no_cloud().into(),
        "sky.jobs.pool_status" if no_infrastructure => network_error("pools").into(),
        "sky.serve.status" if no_infrastructure => network_error("services").into(),
        "sky.enabled_clouds" => {
            let names: Vec<_> =
                knobs.infra.iter().filter_map(|name| infrastructure(name)).collect();
            Outcome::Value(json!(names)).into()
        }
        "sky.check" => check(work, knobs).into(),
        "sky.workspaces.get" => {
            Outcome::Value(json!({"default": {"writable": true, "read_only": false}})).into()
        }
        _ => cloud.conclude(work, knobs).into(),
    }
}

fn no_cloud() -> Outcome {
    let message = "Cloud access is not set up. Run: \u{1b}[1msky check\u{1b}[0m";
    Outcome::error("NoCloudAccessError", message)
}

fn no_controller() -> Outcome {
    Outcome::error("ClusterNotUpError", "No in-progress managed jobs.")
}

fn network_error(what: &str) -> Outcome {
    let message = format!("Failed to refresh {what} status due to network error.");
    Outcome::error("RuntimeError", message)
}

/// SkyPilot's infrastructures, as it spells them.
const INFRASTRUCTURES: [&str; 25] = [
    "AWS",
    "Azure",
    "Cudo",
    "DO",
    "Fluidstack",
    "GCP",
    "Hyperbolic",
    "IBM",
    "Kubernetes",
    "Lambda",
    "Mithril",
    "Nebius",
    "OCI",
    "Paperspace",
    "PrimeIntellect",
    "RunPod",
    "SCP",
    "SSH",
    "Seeweb",
    "Shadeform",
    "Slurm",
    "Vast",
    "Verda",
    "Yotta",
    "vSphere",
];

/// The spelling of the infrastructure that is called so.
pub(crate) fn infrastructure(name: &str) -> Option<&'static str> {
    let name = if name.eq_ignore_ascii_case("k8s") { "kubernetes" } else { name };
    INFRASTRUCTURES.into_iter().find(|known| known.eq_ignore_ascii_case(name))
}

/// `sky.check`: of those asked about, the ones that can be used, and what for.
fn check(work: &Work, knobs: &Knobs) -> Verdict {
    let asked: Vec<&str> = match work.body["clouds"].as_array() {
        Some(clouds) => clouds.iter().filter_map(Value::as_str).collect(),
        None => INFRASTRUCTURES.to_vec(),
    };
    let mut enabled = Map::new();
    let mut log = vec!["Checking credentials to enable infra for SkyPilot.".to_owned()];
    for name in asked {
        let Some(known) = infrastructure(name) else {
            let valid = INFRASTRUCTURES.map(str::to_ascii_lowercase).join("', '");
            let message = format!("Cloud '{name}' is not a valid cloud among ['{valid}']");
            return Err(Outcome::error("ValueError", message));
        };
        if knobs.infra.iter().any(|name| infrastructure(name) == Some(known)) {
            let stores = ["AWS", "Azure", "GCP", "IBM", "Nebius", "OCI"].contains(&known);
            let able = if stores { json!(["compute", "storage"]) } else { json!(["compute"]) };
            enabled.insert(known.to_owned(), able);
        }
    }
    log.push(if enabled.is_empty() {
        "No infra to check/enabled.".to_owned()
    } else {
        "🎉 Enabled infra 🎉".to_owned()
    });
    log.extend(enabled.keys().map(|name| format!("  {name}")));
    Ok(Said { value: json!({ "default": enabled }), log })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(name: &'static str, count: u64, knobs: &Knobs) -> Outcome {
        let work = Work { name, count, body: json!({}) };
        fate(&work, knobs).unwrap_or_else(|| conclude(&work, knobs, &Cloud::default()).outcome)
    }

    #[test]
    fn without_a_cloud_a_launch_fails_and_a_status_does_not() {
        let knobs = Knobs::default();
        let launch = ended("sky.launch", 1, &knobs);
        assert!(matches!(launch, Outcome::Error { kind: "NoCloudAccessError", .. }));
        assert_eq!(ended("sky.status", 1, &knobs), Outcome::Value(json!([])));
    }

    #[test]
    fn a_fault_befalls_only_its_turn() {
        let fail = "sky.status:2".parse().unwrap();
        let knobs = Knobs { fail, ..Knobs::default() };
        let failed = |count| matches!(ended("sky.status", count, &knobs), Outcome::Error { .. });
        assert_eq!((1..=4).map(failed).collect::<Vec<_>>(), [false, true, false, true]);
    }

    #[test]
    fn a_check_tells_what_can_be_used() {
        let knobs = Knobs { infra: vec!["kubernetes".to_owned()], ..Knobs::default() };
        let enabled = json!({"default": {"Kubernetes": ["compute"]}});
        assert_eq!(ended("sky.check", 1, &knobs), Outcome::Value(enabled));
    }
}
