//! What counts as the right answer.
//!
//! A server without a cloud must refuse some requests. Such a refusal is listed
//! here with the circumstances that make it right; it is counted apart from
//! successes, and any other failure is a failure.

use serde_json::Value;

use crate::fact::Fact;

/// What the right answer to a call looks like.
#[derive(Clone, Copy, Debug)]
pub struct Expectation {
    /// The shape of the value that a successful request returns.
    pub value: Shape,
    /// Failures that are the right answer in some circumstances.
    pub refusals: &'static [Refusal],
}

/// The outer shape of a JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A list.
    List,
    /// `null`.
    Null,
    /// The number 0: the exit code of a job that did its work.
    ExitCodeZero,
    /// An object with the number of the job that was submitted.
    JobId,
    /// Anything: what the request returns is nobody's promise.
    Any,
}

impl Shape {
    /// Whether `value` has this shape.
    pub fn fits(self, value: &Value) -> bool {
        match self {
            Self::List => value.is_array(),
            Self::Null => value.is_null(),
            Self::ExitCodeZero => value.as_i64() == Some(0),
            Self::JobId => job_id(value).is_some(),
            Self::Any => true,
        }
    }

    /// The shape in words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::List => "a list",
            Self::Null => "null",
            Self::ExitCodeZero => "exit code 0",
            Self::JobId => "the number of a job",
            Self::Any => "a value",
        }
    }
}

/// The number of the job that a launch submitted. Managed jobs come as a list,
/// since one launch may submit several.
pub fn job_id(value: &Value) -> Option<u64> {
    let id = value.get("job_id")?;
    id.as_u64().or_else(|| id.get(0)?.as_u64())
}

/// A failure that is the right answer.
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    /// The error's type, as the server names it.
    pub error_type: &'static str,
    /// Part of its message, where the type alone says too little.
    pub message: &'static str,
    /// When it is right.
    pub when: When,
    /// Why it is right, for the report.
    pub reason: &'static str,
}

/// Circumstances in which a refusal is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The server has no infrastructure to run anything on.
    NoInfrastructure,
    /// The server doesn't run managed jobs itself (no consolidation mode).
    NoConsolidation,
    /// The server doesn't run services itself, which is a setting of its own.
    NoServeConsolidation,
}

impl When {
    /// The servers that these circumstances are those of.
    pub const fn servers(self) -> &'static str {
        match self {
            Self::NoInfrastructure => "a server that has no infrastructure to launch on",
            Self::NoConsolidation => "a server that does not run managed jobs itself",
            Self::NoServeConsolidation => "a server that does not run services itself",
        }
    }
}

/// What is known of the server that scenarios run against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Circumstances {
    /// It has an infrastructure to run on.
    pub infrastructure: Fact,
    /// It runs managed jobs itself.
    pub consolidation: Fact,
    /// It runs services itself.
    pub serve_consolidation: Fact,
}

/// What is to be thought of an error that may be a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It is this refusal, and is right.
    Right,
    /// It is this refusal, and nobody knows whether it is right.
    Unknown,
    /// It is another error, or not right.
    Wrong,
}

impl Refusal {
    /// Whether an error is this refusal, and is right in the circumstances.
    pub fn rule(&self, error_type: &str, message: &str, circumstances: Circumstances) -> Ruling {
        let possible = match self.when {
            When::NoInfrastructure => circumstances.infrastructure,
            When::NoConsolidation => circumstances.consolidation,
            When::NoServeConsolidation => circumstances.serve_consolidation,
        };
        match possible {
            _ if error_type != self.error_type || !message.contains(self.message) => Ruling::Wrong,
            // What is possible must not be refused.
            Fact::Yes => Ruling::Wrong,
            Fact::No => Ruling::Right,
            Fact::Unknown => Ruling::Unknown,
        }
    }
}

pub(super) const NO_CLOUD: Refusal = Refusal {
    error_type: "NoCloudAccessError",
    message: "Cloud access is not set up",
    when: When::NoInfrastructure,
    reason: "there is no infrastructure to launch on",
};

pub(super) const NO_NETWORK_FOR_SERVICES: Refusal = Refusal {
    error_type: "RuntimeError",
    message: "network error",
    when: When::NoInfrastructure,
    reason: "SkyPilot asks public addresses before it lists services",
};

pub(super) const NO_NETWORK_FOR_POOLS: Refusal = Refusal {
    reason: "SkyPilot asks public addresses before it lists pools",
    ..NO_NETWORK_FOR_SERVICES
};

pub(super) const NO_JOBS_CONTROLLER: Refusal = Refusal {
    error_type: "ClusterNotUpError",
    message: "",
    when: When::NoConsolidation,
    reason: "there is no jobs controller",
};

pub(super) const NO_SERVE_CONTROLLER: Refusal = Refusal {
    when: When::NoServeConsolidation,
    reason: "there is no service controller",
    ..NO_JOBS_CONTROLLER
};

#[cfg(test)]
mod tests {
    use super::*;

    const BARE: Circumstances = Circumstances {
        infrastructure: Fact::No,
        consolidation: Fact::Yes,
        serve_consolidation: Fact::No,
    };

    #[test]
    fn a_refusal_is_right_only_in_its_circumstances() {
        let message = "Cloud access is not set up. Run: sky check";
        let rule = |infrastructure| {
            let circumstances = Circumstances { infrastructure, ..BARE };
            NO_CLOUD.rule("NoCloudAccessError", message, circumstances)
        };
        assert_eq!(rule(Fact::No), Ruling::Right);
        assert_eq!(rule(Fact::Yes), Ruling::Wrong);
        assert_eq!(rule(Fact::Unknown), Ruling::Unknown);
    }

    #[test]
    fn services_and_managed_jobs_may_run_in_different_places() {
        let rule = |refusal: Refusal| refusal.rule("ClusterNotUpError", "m", BARE);
        assert_eq!(rule(NO_JOBS_CONTROLLER), Ruling::Wrong);
        assert_eq!(rule(NO_SERVE_CONTROLLER), Ruling::Right);
    }

    #[test]
    fn a_launch_without_a_job_is_not_the_right_answer() {
        let fits = |value: &str| Shape::JobId.fits(&serde_json::from_str(value).unwrap());
        assert!(fits(r#"{"job_id": 1, "handle": ""}"#) && fits(r#"{"job_id": [7], "handle": ""}"#));
        assert!(!fits(r#"{"job_id": null}"#) && !fits(r#"{"job_id": []}"#) && !fits("null"));
    }

    #[test]
    fn another_error_of_the_same_type_is_no_refusal() {
        let rule = |message| NO_NETWORK_FOR_SERVICES.rule("RuntimeError", message, BARE);
        assert_eq!(rule("due to network error."), Ruling::Right);
        assert_eq!(rule("database is locked"), Ruling::Wrong);
    }
}
