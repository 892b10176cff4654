//! Identity of a client: the user, command and versions that it sends with every request.

use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Map, Value, json};

use crate::env;

/// Variable of the user's name among the fields of a request.
const USER_NAME: &str = "SKYPILOT_USER";

/// Name of all users that skyload acts for.
pub(super) const CLIENT_NAME: &str = "skyload";

/// User that a client acts for, as sent with every request.
#[derive(Clone, Debug)]
pub struct ClientIdentity {
    /// SkyPilot user ID: eight hexadecimal digits.
    pub user_id: String,
    /// Command that the server records for the request (`entrypoint_command`).
    pub command: String,
    /// Environment variables of the client. Sent are those named `SKYPILOT_*`, but not
    /// `SKYPILOT_SERVER_*`, as by the SDK.
    pub variables: Vec<(String, String)>,
    /// Whether the server is a remote one.
    pub remote: bool,
}

/// SkyPilot versions that a client sends in its headers.
#[derive(Clone, Debug)]
pub struct ClientVersions {
    /// API version, such as `62`.
    pub api: String,
    /// Release, such as `0.14.1`.
    pub release: String,
}

/// Headers of every request.
pub(super) fn headers(versions: Option<&ClientVersions>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    let value = |text: &str| HeaderValue::from_str(text).map_err(|error| error.to_string());
    if let Some(versions) = versions {
        headers.insert("x-skypilot-api-version", value(&versions.api)?);
        headers.insert("x-skypilot-version", value(&versions.release)?);
    }
    Ok(headers)
}

/// Fields of every request body, as SkyPilot's SDK sends them.
pub(super) fn common_fields(identity: &ClientIdentity) -> Map<String, Value> {
    let mut variables: Map<String, Value> = identity
        .variables
        .iter()
        .filter(|(name, _)| name.starts_with("SKYPILOT_") && !name.starts_with("SKYPILOT_SERVER_"))
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect();
    let run = uuid::Uuid::new_v4().to_string();
    variables.insert("SKYPILOT_USAGE_RUN_ID".to_owned(), run.into());
    let mut fields = match json!({
        "env_vars": variables,
        "entrypoint": "skyload",
        "entrypoint_command": identity.command,
        "using_remote_api_server": identity.remote,
        "override_skypilot_config": {},
        "override_skypilot_config_path": "[null, null]",
        "file_mounts_blob_id": null,
        "client_api_version": null,
        "workspace_access": null,
    }) {
        Value::Object(fields) => fields,
        // Never reached: the literal above is an object.
        _ => Map::new(),
    };
    name_user(&mut fields, &identity.user_id, CLIENT_NAME);
    fields
}

/// Makes a user the sender of request bodies with these fields, in the place of the caller's. Without
/// an ID or a name the server responds with status 500.
pub(super) fn name_user(common: &mut Map<String, Value>, id: &str, name: &str) {
    if let Some(Value::Object(variables)) = common.get_mut("env_vars") {
        variables.insert(env::USER_ID.to_owned(), id.into());
        variables.insert(env::SENT_USER.to_owned(), id.into());
        variables.insert(USER_NAME.to_owned(), name.into());
    }
}
