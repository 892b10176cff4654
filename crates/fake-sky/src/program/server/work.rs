//! What a request asks for.

use serde_json::Value;

use super::task::Task;

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
