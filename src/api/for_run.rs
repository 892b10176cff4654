//! Client for the server under test of a run, acting for a user of that run.

use super::{ApiClient, ClientError, ClientIdentity, ClientVersions};
use crate::credentials::Credentials;
use crate::ids::RunId;
use crate::plan::{LoadPlan, ServerTarget};
use crate::record::environment::Environment;

impl ApiClient {
    /// Client for a new user of a run. `command` is the command that the server records.
    pub fn for_run(
        run: &RunId,
        plan: &LoadPlan,
        environment: &Environment,
        command: String,
        credentials: &Credentials,
    ) -> Result<Self, ClientError> {
        let identity = ClientIdentity {
            user_id: run.new_user(),
            command,
            variables: environment.client.variables.clone(),
            remote: matches!(plan.server, ServerTarget::Remote(_)),
        };
        // The server's own versions, which the server never rejects as too old.
        let versions = ClientVersions {
            api: environment.server.api_version.clone(),
            release: environment.server.version.clone(),
        };
        Self::new(&environment.client.endpoint, &identity, Some(&versions), credentials)
    }
}
