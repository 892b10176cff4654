//! Log of shared resources, `resources.json`: setup and teardown steps with their durations, and
//! resources that remain. Written by the coordinator, read by scenarios and by the report.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Document, Version, v2};
use crate::clock::Timestamp;
use crate::credentials::Credentials;
use crate::record::outcome::{Failure, error_type};
use crate::scenario::Need;
use crate::units;

/// Log of shared resources, content of `resources.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ResourceLog {
    /// Format of the file.
    pub version: Version<3>,
    /// Shared resources of each infra.
    pub shared: Vec<SharedResources>,
    /// Setup and teardown steps, in the order of their ends.
    pub steps: Vec<ResourceStep>,
    /// Names of the run's clusters, jobs and services that still existed at the end.
    pub left: Vec<String>,
    /// Whether the remaining resources could be listed.
    pub verified: bool,
    /// Names of clusters from before the load, which are not those of a script; `None` if they
    /// are not needed, or could not be listed.
    #[serde(default)]
    pub existing: Option<Vec<String>>,
    /// Clusters and managed jobs that scripts left on the server.
    #[serde(default)]
    pub of_scripts: Vec<String>,
}

impl Document for ResourceLog {
    const KIND: &'static str = "resource log";
    const VERSION: u32 = 3;
    const OLDEST: u32 = v2::VERSION;

    fn upgrade(_version: u32, content: Value) -> Value {
        v2::other(content)
    }
}

impl Default for ResourceLog {
    fn default() -> Self {
        Self {
            version: Version,
            shared: Vec::new(),
            steps: Vec::new(),
            left: Vec::new(),
            verified: false,
            existing: None,
            of_scripts: Vec::new(),
        }
    }
}

/// Shared resources of one infra.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SharedResources {
    /// Infra, as a value of SkyPilot's `--infra`.
    pub infra: String,
    /// SkyPilot's ID of the managed job.
    pub job_id: Option<u64>,
    /// SkyPilot's ID of the job on the cluster that runs until the teardown.
    #[serde(default)]
    pub long_job_id: Option<u64>,
    /// SkyPilot's ID of the managed job that runs until the teardown.
    #[serde(default)]
    pub long_managed_job_id: Option<u64>,
}

/// Setup or teardown of one resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ResourceStep {
    /// Setup or teardown.
    pub stage: Stage,
    /// Need of scenarios that the resource meets; `None` for a resource that a scenario created.
    pub need: Option<Need>,
    /// Description of the step.
    pub what: String,
    /// Infra; empty if the step depends on none.
    pub infra: String,
    /// Duration of the step, in seconds.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub took: Duration,
    /// End of the step; `None` in runs of builds that did not record it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Failure of the step; `None` after success.
    pub failure: Option<Failure>,
}

/// Stage of a resource step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Setup, before the load.
    SetUp,
    /// Teardown, after the load.
    TearDown,
}

impl ResourceLog {
    /// SkyPilot's ID of the needed job on an infra; `None` if another resource is needed.
    pub fn job_id(&self, need: Need, infra: &str) -> Option<u64> {
        let shared = self.shared.iter().find(|resources| resources.infra == infra)?;
        match need {
            Need::Job => shared.job_id,
            Need::LongJob => shared.long_job_id,
            Need::LongManagedJob => shared.long_managed_job_id,
            Need::Nothing
            | Need::Infrastructure
            | Need::OptionalInfrastructure
            | Need::Cluster
            | Need::Service => None,
        }
    }

    /// Failure because of which a needed resource is missing on an infra; `None` if the resource
    /// is available or needs no setup.
    pub fn missing(&self, need: Need, infra: &str) -> Option<Failure> {
        if !need.is_shared() {
            return None;
        }
        let step = self.steps.iter().find(|step| {
            step.stage == Stage::SetUp && step.need == Some(need) && step.infra == infra
        });
        match step {
            Some(step) => step.failure.clone(),
            None => Some(Failure {
                step: "shared-resource".to_owned(),
                status: None,
                error_type: error_type::NOT_SET_UP.to_owned(),
                message: format!("{} on {infra} was not set up", need.name()),
            }),
        }
    }

    /// Removes the secret from all texts of the server, which may have repeated it.
    pub fn hide(&mut self, credentials: &Credentials) {
        let hide = |text: &mut String| *text = credentials.hide_in(text);
        self.left.iter_mut().chain(&mut self.of_scripts).for_each(hide);
        for step in &mut self.steps {
            hide(&mut step.what);
            if let Some(failure) = &mut step.failure {
                failure.hide(|text| credentials.hide_in(text));
            }
        }
    }

    /// Steps that failed.
    pub fn failed(&self) -> impl Iterator<Item = (&ResourceStep, &Failure)> {
        self.steps.iter().filter_map(|step| Some((step, step.failure.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_without_a_setup_step_is_missing_unless_it_needs_none() {
        let log = ResourceLog::default();
        assert!(log.missing(Need::Cluster, "slurm/loop").is_some());
        assert!(log.missing(Need::Infrastructure, "slurm/loop").is_none());
    }

    #[test]
    fn a_secret_repeated_by_the_server_is_removed_from_the_resource_log() {
        let failure = Failure {
            step: "launch".to_owned(),
            status: Some(500),
            error_type: "E".to_owned(),
            message: "Authorization: Bearer sky_t0ken".to_owned(),
        };
        let step = ResourceStep {
            stage: Stage::SetUp,
            need: Some(Need::Cluster),
            what: "cluster sky_t0ken".to_owned(),
            infra: String::new(),
            took: Duration::ZERO,
            ended: None,
            failure: Some(failure),
        };
        let left = vec!["request sky_t0ken".to_owned()];
        let mut log = ResourceLog { steps: vec![step], left, ..ResourceLog::default() };
        log.hide(&Credentials::Token("sky_t0ken".to_owned()));
        let text = serde_json::to_string(&log).unwrap();
        assert!(!text.contains("t0ken") && text.contains("Bearer .."), "{text}");
    }

    #[test]
    fn a_shared_resource_is_missing_only_where_its_setup_failed() {
        let step = |infra: &str, failure| ResourceStep {
            stage: Stage::SetUp,
            need: Some(Need::Cluster),
            what: String::new(),
            infra: infra.to_owned(),
            took: Duration::ZERO,
            ended: None,
            failure,
        };
        let failure = Failure {
            step: "launch".to_owned(),
            status: Some(500),
            error_type: "E".to_owned(),
            message: String::new(),
        };
        let steps = vec![step("aws", Some(failure.clone())), step("gcp", None)];
        let log = ResourceLog { steps, ..ResourceLog::default() };
        assert_eq!(log.missing(Need::Cluster, "aws"), Some(failure));
        assert_eq!(log.missing(Need::Cluster, "gcp"), None);
        assert!(log.missing(Need::Job, "gcp").is_some());
    }
}
