//! Completion of a request: an injected fault, or the outcome that SkyPilot has with the
//! enabled infra.

use fake_sky::settings::Settings;
use serde_json::{Map, Value, json};

use super::cloud::Cloud;
use super::infrastructures::{INFRASTRUCTURES, infrastructure};
use super::outcome::{Completion, Outcome, RequestResult, Success};
use super::work::Work;

/// Outcome of a request into which a fault is injected; `None` without a fault.
pub(crate) fn injected(work: &Work, settings: &Settings) -> Option<Outcome> {
    let Work { name, count, .. } = work;
    if settings.cancel.hit(name, *count) {
        return Some(Outcome::Cancelled);
    }
    if settings.fail.hit(name, *count) {
        let message = format!("request {count} of {name} is made to fail");
        return Some(Outcome::error("ValueError", message));
    }
    if settings.refuse.hit(name, *count) {
        return Some(if *name == "sky.launch" { no_cloud() } else { no_controller() });
    }
    settings.wrong_value.hit(name, *count).then_some(Outcome::Value(Value::Null))
}

/// Runs the effects of a request without a fault, and returns its outcome and log.
pub(crate) fn complete(work: &Work, settings: &Settings, cloud: &Cloud) -> Completion {
    let no_infrastructure = settings.infra.is_empty();
    match work.name {
        "sky.launch" | "sky.serve.up" | "sky.optimize" if no_infrastructure => no_cloud().into(),
        // Without consolidation mode a jobs controller would have to be launched first.
        "sky.jobs.launch" if no_infrastructure && !settings.consolidation => no_cloud().into(),
        "sky.jobs.pool_status" if no_infrastructure => network_error("pools").into(),
        "sky.serve.status" if no_infrastructure => network_error("services").into(),
        "sky.enabled_clouds" => {
            let names: Vec<_> =
                settings.infra.iter().filter_map(|name| infrastructure(name)).collect();
            Outcome::Value(json!(names)).into()
        }
        "sky.check" => check(work, settings).into(),
        "sky.list_accelerators" | "sky.list_accelerator_counts" => {
            list_accelerators(work, settings).into()
        }
        // Like SkyPilot, which keeps the optimized tasks to itself.
        "sky.optimize" => Outcome::Value(Value::Null).into(),
        "sky.storage_ls" => Outcome::Value(json!([])).into(),
        "sky.workspaces.get" => {
            Outcome::Value(json!({"default": {"writable": true, "read_only": false}})).into()
        }
        _ => cloud.complete(work, settings).into(),
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

/// Outcome of `sky.check`: the requested infras that are enabled, with their capabilities.
fn check(work: &Work, settings: &Settings) -> RequestResult {
    let requested: Vec<&str> = match work.body["clouds"].as_array() {
        Some(clouds) => clouds.iter().filter_map(Value::as_str).collect(),
        None => INFRASTRUCTURES.to_vec(),
    };
    let mut enabled = Map::new();
    let mut log = vec!["Checking credentials to enable infra for SkyPilot.".to_owned()];
    for name in requested {
        let Some(known) = infrastructure(name) else {
            let valid = INFRASTRUCTURES.map(str::to_ascii_lowercase).join("', '");
            let message = format!("Cloud '{name}' is not a valid cloud among ['{valid}']");
            return Err(Outcome::error("ValueError", message));
        };
        if settings.infra.iter().any(|name| infrastructure(name) == Some(known)) {
            let stores = ["AWS", "Azure", "GCP", "IBM", "Nebius", "OCI"].contains(&known);
            let capabilities =
                if stores { json!(["compute", "storage"]) } else { json!(["compute"]) };
            enabled.insert(known.to_owned(), capabilities);
        }
    }
    log.push(if enabled.is_empty() {
        "No infra to check/enabled.".to_owned()
    } else {
        "🎉 Enabled infra 🎉".to_owned()
    });
    log.extend(enabled.keys().map(|name| format!("  {name}")));
    Ok(Success { value: json!({ "default": enabled }), log })
}

/// Outcome of `sky.list_accelerators`: one GPU of the requested cloud, if it is enabled here.
/// (SkyPilot reads the catalogs of disabled clouds, too.)
fn list_accelerators(work: &Work, settings: &Settings) -> RequestResult {
    let requested = work.body["clouds"].as_str().and_then(infrastructure);
    let enabled = settings.infra.iter().filter_map(|name| infrastructure(name));
    let mut gpus = Map::new();
    for cloud in enabled.filter(|cloud| requested.is_none_or(|requested| requested == *cloud)) {
        let offering = json!([cloud, "g5.xlarge", "A10G", 1, 4, 22, 16, 1.006, 0.4, "us-east-1"]);
        gpus.insert("A10G".to_owned(), json!([offering]));
    }
    Ok(Success::value(Value::Object(gpus)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(name: &'static str, count: u64, settings: &Settings) -> Outcome {
        let work = Work { name, count, body: json!({}) };
        injected(&work, settings)
            .unwrap_or_else(|| complete(&work, settings, &Cloud::default()).outcome)
    }

    #[test]
    fn without_a_cloud_a_launch_fails_and_a_status_does_not() {
        let settings = Settings::default();
        let launch = outcome("sky.launch", 1, &settings);
        assert!(matches!(launch, Outcome::Error { kind: "NoCloudAccessError", .. }));
        assert_eq!(outcome("sky.status", 1, &settings), Outcome::Value(json!([])));
    }

    #[test]
    fn a_fault_is_injected_into_every_kth_request_alone() {
        let fail = "sky.status:2".parse().unwrap();
        let settings = Settings { fail, ..Settings::default() };
        let failed =
            |count| matches!(outcome("sky.status", count, &settings), Outcome::Error { .. });
        assert_eq!((1..=4).map(failed).collect::<Vec<_>>(), [false, true, false, true]);
    }

    #[test]
    fn gpus_are_those_of_the_enabled_clouds() {
        let gpus = |infra: &[&str]| {
            let infra = infra.iter().map(|name| (*name).to_owned()).collect();
            let settings = Settings { infra, ..Settings::default() };
            let Outcome::Value(gpus) = outcome("sky.list_accelerators", 1, &settings) else {
                panic!("it succeeds without a cloud, too")
            };
            gpus
        };
        assert_eq!(gpus(&[]), json!({}));
        assert_eq!(gpus(&["aws"])["A10G"][0][0], "AWS");
    }

    #[test]
    fn a_check_returns_the_enabled_infras() {
        let settings = Settings { infra: vec!["kubernetes".to_owned()], ..Settings::default() };
        let enabled = json!({"default": {"Kubernetes": ["compute"]}});
        assert_eq!(outcome("sky.check", 1, &settings), Outcome::Value(enabled));
    }
}
