//! The client of a run: for the server that was found, as a user of that run.

use super::{ApiClient, ClientError, ClientIdentity, ClientVersions};
use crate::credentials::Credentials;
use crate::ids::RunId;
use crate::plan::{LoadPlan, ServerTarget};
use crate::record::environment::Environment;

impl ApiClient {
    /// A client for one more user of a run, who says that `command` is what he runs.
    pub fn of_run(
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
        let versions = ClientVersions {
            api: environment.server.api_version.clone(),
            release: environment.server.version.clone(),
        };
        Self::new(&environment.client.endpoint, &identity, Some(&versions), credentials)
    }
}
