//! Expected results of calls: the shape of a value, and expected errors.
//!
//! A server without a cloud must answer some requests with an error. Each such error is
//! listed here with the condition under which it is expected. Expected errors are counted
//! separately from successes; any other error is a failure.

use serde::de::IgnoredAny;
use serde_json::Value;

use crate::fact::Fact;

/// Expected result of a call.
#[derive(Clone, Copy, Debug)]
pub struct Expectation {
    /// Shape of the value that a successful request returns.
    pub value: Shape,
    /// Errors that are expected under some circumstances.
    pub errors: &'static [ExpectedError],
}

/// Outer shape of a JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// JSON array.
    List,
    /// JSON `null`.
    Null,
    /// Number 0: the exit code of a job that succeeded.
    ExitCodeZero,
    /// Object with the ID of the submitted job, see [`job_id`].
    JobId,
    /// Object with at least one entry.
    Entries,
    /// Result of a check of clouds, at least one of which is enabled.
    EnabledClouds,
    /// List with at least one cluster, all of which are up.
    ClusterUp,
    /// Any value: SkyPilot does not specify what the request returns.
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
            Self::Entries => value.as_object().is_some_and(|entries| !entries.is_empty()),
            Self::EnabledClouds => has_enabled_cloud(value),
            Self::ClusterUp => {
                let is_up = |row: &Value| row.get("status").is_some_and(|status| status == "UP");
                value.as_array().is_some_and(|rows| !rows.is_empty() && rows.iter().all(is_up))
            }
            Self::Any => true,
        }
    }

    /// Whether a JSON text has this shape. Where the outermost value tells, no other is kept.
    ///
    /// # Errors
    ///
    /// If the text is not JSON.
    pub fn fits_text(self, text: &[u8]) -> serde_json::Result<bool> {
        match self {
            Self::List | Self::Any => {
                serde_json::from_slice::<IgnoredAny>(text)?;
                Ok(self == Self::Any || text.trim_ascii_start().starts_with(b"["))
            }
            _ => Ok(self.fits(&serde_json::from_slice(text)?)),
        }
    }

    /// Name of the shape in error messages, after the word "expected".
    pub const fn name(self) -> &'static str {
        match self {
            Self::List => "a list",
            Self::Null => "null",
            Self::ExitCodeZero => "exit code 0",
            Self::JobId => "a job ID",
            Self::Entries => "an object with entries",
            Self::EnabledClouds => "an enabled cloud",
            Self::ClusterUp => "a cluster with status UP",
            Self::Any => "a value",
        }
    }
}

/// ID of the job that a launch submitted, the first of several.
pub fn job_id(value: &Value) -> Option<u64> {
    job_ids(value).next()
}

/// IDs of the jobs that a launch submitted. For managed jobs SkyPilot returns a list, since one
/// launch may submit several.
pub fn job_ids(value: &Value) -> impl Iterator<Item = u64> {
    let id = value.get("job_id");
    let listed = id.and_then(Value::as_array).into_iter().flatten();
    id.and_then(Value::as_u64).into_iter().chain(listed.filter_map(Value::as_u64))
}

/// Whether a result of `sky check` has an enabled cloud in any workspace: `{"default": {"AWS":
/// ["compute"]}}`, or `{"default": ["AWS"]}` in older releases.
fn has_enabled_cloud(value: &Value) -> bool {
    let has_any = |clouds: &Value| match clouds {
        Value::Object(clouds) => !clouds.is_empty(),
        Value::Array(clouds) => !clouds.is_empty(),
        _ => false,
    };
    value.as_object().is_some_and(|workspaces| workspaces.values().any(has_any))
}

/// Error response that is right under some condition.
#[derive(Clone, Copy, Debug)]
pub struct ExpectedError {
    /// Type of the error, as the server names it.
    pub error_type: &'static str,
    /// Text that the error's message must contain, where the type alone is ambiguous.
    pub message: &'static str,
    /// Condition under which the error is expected.
    pub when: Condition,
    /// Reason why the error is expected, for the report.
    pub reason: &'static str,
}

/// Condition under which an error is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Server without an infra to launch on.
    NoInfrastructure,
    /// Server that does not run managed jobs itself (no consolidation mode for jobs).
    NoConsolidation,
    /// Server that does not run services itself (no consolidation mode for services, a
    /// separate setting).
    NoServeConsolidation,
}

impl Condition {
    /// Description of the servers for which the condition holds.
    pub const fn servers(self) -> &'static str {
        match self {
            Self::NoInfrastructure => "a server without an infra to launch on",
            Self::NoConsolidation => "a server that does not run managed jobs itself",
            Self::NoServeConsolidation => "a server that does not run services itself",
        }
    }
}

/// Facts about the server under test that decide which errors are expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Circumstances {
    /// Whether the server has an infra to launch on.
    pub infrastructure: Fact,
    /// Whether the server runs managed jobs itself.
    pub consolidation: Fact,
    /// Whether the server runs services itself.
    pub serve_consolidation: Fact,
}

/// Result of comparing an error with an [`ExpectedError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assessment {
    /// Error matches, and its condition holds.
    Expected,
    /// Error matches, but it is unknown whether its condition holds.
    Unknown,
    /// Error does not match, or its condition does not hold.
    Unexpected,
}

impl ExpectedError {
    /// Assessment of an error with this type and message, from a server in `circumstances`.
    pub fn assess(
        &self,
        error_type: &str,
        message: &str,
        circumstances: Circumstances,
    ) -> Assessment {
        let possible = match self.when {
            Condition::NoInfrastructure => circumstances.infrastructure,
            Condition::NoConsolidation => circumstances.consolidation,
            Condition::NoServeConsolidation => circumstances.serve_consolidation,
        };
        match possible {
            _ if error_type != self.error_type || !message.contains(self.message) => {
                Assessment::Unexpected
            }
            // The server is able to serve the request, so an error is a failure.
            Fact::Yes => Assessment::Unexpected,
            Fact::No => Assessment::Expected,
            Fact::Unknown => Assessment::Unknown,
        }
    }
}

pub(super) const NO_CLOUD: ExpectedError = ExpectedError {
    error_type: "NoCloudAccessError",
    message: "Cloud access is not set up",
    when: Condition::NoInfrastructure,
    reason: "no infra to launch on",
};

pub(super) const NO_NETWORK_FOR_SERVICES: ExpectedError = ExpectedError {
    error_type: "RuntimeError",
    // The type alone could be any failure of the server's Python code.
    message: "network error",
    // With loopback nodes the server is modified to skip this check; clouds need a network anyway.
    when: Condition::NoInfrastructure,
    reason: "SkyPilot contacts public addresses before it lists services",
};

pub(super) const NO_NETWORK_FOR_POOLS: ExpectedError = ExpectedError {
    reason: "SkyPilot contacts public addresses before it lists pools",
    ..NO_NETWORK_FOR_SERVICES
};

pub(super) const NO_JOBS_CONTROLLER: ExpectedError = ExpectedError {
    error_type: "ClusterNotUpError",
    message: "",
    when: Condition::NoConsolidation,
    reason: "no jobs controller",
};

pub(super) const NO_SERVE_CONTROLLER: ExpectedError = ExpectedError {
    when: Condition::NoServeConsolidation,
    reason: "no service controller",
    ..NO_JOBS_CONTROLLER
};

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const BARE: Circumstances = Circumstances {
        infrastructure: Fact::No,
        consolidation: Fact::Yes,
        serve_consolidation: Fact::No,
    };

    #[test]
    fn an_error_is_expected_only_under_its_condition() {
        let message = "Cloud access is not set up. Run: sky check";
        let assess = |infrastructure| {
            let circumstances = Circumstances { infrastructure, ..BARE };
            NO_CLOUD.assess("NoCloudAccessError", message, circumstances)
        };
        assert_eq!(assess(Fact::No), Assessment::Expected);
        assert_eq!(assess(Fact::Yes), Assessment::Unexpected);
        assert_eq!(assess(Fact::Unknown), Assessment::Unknown);
    }

    #[test]
    fn consolidation_of_jobs_and_of_services_are_separate_conditions() {
        let assess = |expected: ExpectedError| expected.assess("ClusterNotUpError", "m", BARE);
        assert_eq!(assess(NO_JOBS_CONTROLLER), Assessment::Unexpected);
        assert_eq!(assess(NO_SERVE_CONTROLLER), Assessment::Expected);
    }

    #[test]
    fn a_launch_result_without_a_job_id_is_unexpected() {
        let fits = |value: &str| Shape::JobId.fits(&serde_json::from_str(value).unwrap());
        assert!(fits(r#"{"job_id": 1, "handle": ""}"#) && fits(r#"{"job_id": [7], "handle": ""}"#));
        assert!(!fits(r#"{"job_id": null}"#) && !fits(r#"{"job_id": []}"#) && !fits("null"));
    }

    #[test]
    fn a_check_that_enables_no_cloud_is_unexpected() {
        let fits = |value: &str| Shape::EnabledClouds.fits(&serde_json::from_str(value).unwrap());
        assert!(fits(r#"{"default": {"AWS": ["compute"]}}"#) && fits(r#"{"default": ["AWS"]}"#));
        assert!(!fits(r#"{"default": {}}"#) && !fits(r#"{"default": []}"#) && !fits("null"));
    }

    #[rstest]
    #[case::list(Shape::List, " [1, {}]", Some(true))]
    #[case::no_list(Shape::List, "{}", Some(false))]
    #[case::cut_list(Shape::List, "[1, ", None)]
    #[case::anything(Shape::Any, "null", Some(true))]
    #[case::no_json(Shape::Any, "<html>", None)]
    #[case::null(Shape::Null, "null", Some(true))]
    #[case::no_entries(Shape::Entries, "{}", Some(false))]
    fn a_text_has_the_shape_of_its_outermost_value(
        #[case] shape: Shape,
        #[case] text: &str,
        #[case] expected: Option<bool>,
    ) {
        assert_eq!(shape.fits_text(text.as_bytes()).ok(), expected);
    }

    #[test]
    fn a_cluster_that_is_missing_or_not_up_is_unexpected() {
        let fits = |value: &str| Shape::ClusterUp.fits(&serde_json::from_str(value).unwrap());
        assert!(fits(r#"[{"name": "c", "status": "UP"}]"#));
        assert!(!fits("[]") && !fits(r#"[{"name": "c", "status": "STOPPED"}]"#));
    }

    #[test]
    fn an_error_of_the_same_type_with_another_message_is_unexpected() {
        let assess = |message| NO_NETWORK_FOR_SERVICES.assess("RuntimeError", message, BARE);
        assert_eq!(assess("due to network error."), Assessment::Expected);
        assert_eq!(assess("database is locked"), Assessment::Unexpected);
    }
}
