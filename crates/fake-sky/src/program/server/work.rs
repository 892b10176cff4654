//! Name and body of a submitted request.

use serde_json::Value;

use super::task::Task;

/// Name and body of a submitted request.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    /// Name of the request: `sky.launch`.
    pub(crate) name: &'static str,
    /// Number of the request among those of this name, from 1.
    pub(crate) count: u64,
    /// JSON body of the submission.
    pub(crate) body: Value,
}

impl Work {
    /// Id of the submitting user.
    pub(crate) fn user(&self) -> &str {
        self.body["env_vars"]["SKYPILOT_USER_ID"].as_str().unwrap_or(fake_sky::DEFAULT_USER_ID)
    }

    /// Name of the cluster in the body; empty if there is none.
    pub(crate) fn cluster(&self) -> &str {
        self.body["cluster_name"].as_str().unwrap_or_default()
    }

    /// Value of a boolean field of the body, or `default`.
    pub(crate) fn flag(&self, name: &str, default: bool) -> bool {
        self.body[name].as_bool().unwrap_or(default)
    }

    /// Task in the body.
    pub(crate) fn task(&self) -> Task {
        Task::of(self.body["task"].as_str().unwrap_or_default())
    }
}
