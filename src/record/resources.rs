//! `resources.json`: what was set up and torn down, how long it took, and what is
//! still there. Written by the coordinator, read by scenarios and by the report.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Document, Version, v2};
use crate::credentials::Credentials;
use crate::record::outcome::{Failure, error_type};
use crate::scenario::Need;
use crate::units;

/// What became of everything that scenarios share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ResourceLog {
    /// Format of this file.
    pub version: Version<3>,
    /// What there is on each infrastructure.
    pub shared: Vec<SharedResources>,
    /// What was done, in the order of its end.
    pub steps: Vec<ResourceStep>,
    /// Clusters, jobs and services of the run that were still there at the end.
    pub left: Vec<String>,
    /// Whether what is left could be looked for.
    pub verified: bool,
}

impl Document for ResourceLog {
    const KIND: &'static str = "list of resources";
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
        }
    }
}

/// What there is on one infrastructure.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SharedResources {
    /// What SkyPilot calls the infrastructure.
    pub infra: String,
    /// The number of the managed job.
    pub job_id: Option<u64>,
}

/// Something that was set up or torn down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ResourceStep {
    /// Before or after the load.
    pub stage: Stage,
    /// What it is that scenarios need; `None` for what they created themselves.
    pub need: Option<Need>,
    /// What was done, in words.
    pub what: String,
    /// The infrastructure, where it matters.
    pub infra: String,
    /// How long it took.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub took: Duration,
    /// Why it was not done.
    pub failure: Option<Failure>,
}

/// Before or after the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Before.
    SetUp,
    /// After.
    TearDown,
}

impl ResourceLog {
    /// The number of the managed job on an infrastructure.
    pub fn job_id(&self, infra: &str) -> Option<u64> {
        self.shared.iter().find(|things| things.infra == infra)?.job_id
    }

    /// Why what is needed on an infrastructure is not there, if it isn't.
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
                message: format!("nobody set up {} on {infra}", need.name()),
            }),
        }
    }

    /// Takes a secret out of everything that the server said: it may have repeated it.
    pub fn hide(&mut self, credentials: &Credentials) {
        let hide = |text: &mut String| *text = credentials.hide_in(text);
        self.left.iter_mut().for_each(hide);
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
    fn what_nobody_set_up_is_missing_and_what_needs_no_setup_never_is() {
        let log = ResourceLog::default();
        assert!(log.missing(Need::Cluster, "slurm/loop").is_some());
        assert!(log.missing(Need::Infrastructure, "slurm/loop").is_none());
    }

    #[test]
    fn a_secret_that_the_server_repeats_is_in_no_word_of_the_resource_log() {
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
