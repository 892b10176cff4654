//! Whether the server can use the infrastructures that are to be launched on.

use serde_json::Value;

use super::requests::{Requests, naming};
use crate::fact::Fact;
use crate::record::outcome::Failure;
use crate::scenario::IterationNames;
use crate::scenario::shared_calls::{CHECK, ENABLED_CLOUDS};

/// Infrastructures that the server cannot use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disabled {
    /// Their names, as they were asked for.
    pub infras: Vec<String>,
    /// What SkyPilot says of them.
    pub reason: String,
}

/// Asks the server to check `infras`, as `sky check` does. Returns those that it
/// cannot use, if there are any.
pub async fn find_disabled(
    requests: &Requests,
    infras: &[String],
) -> Result<Option<Disabled>, Failure> {
    let mut clouds: Vec<&str> = infras.iter().map(|infra| cloud_of(infra)).collect();
    clouds.sort_unstable();
    clouds.dedup();
    let id = requests.submit(&CHECK, &naming(&clouds.join(","))).await?;
    let reason = requests.client().log(CHECK.step, &id).await?;
    let value = requests.result(CHECK.step, &id).await?;
    let disabled = infras.iter().filter(|infra| !is_enabled(&value, cloud_of(infra)));
    let infras: Vec<String> = disabled.cloned().collect();
    Ok((!infras.is_empty()).then(|| Disabled { infras, reason: essence(&reason) }))
}

/// Whether the server can launch on anything at all. It may take its time to answer; who
/// waits for it sets a limit.
pub async fn has_clouds(requests: &Requests) -> Fact {
    let answer = requests.ask(&ENABLED_CLOUDS, &IterationNames::none()).await;
    let clouds = answer.ok().and_then(|value| value.as_array().map(Vec::len));
    clouds.map_or(Fact::Unknown, |count| (count > 0).into())
}

/// The first part of what `--infra` takes.
fn cloud_of(infra: &str) -> &str {
    infra.split('/').next().unwrap_or_default()
}

/// Whether any workspace can compute on a cloud: `{"default": {"AWS": ["compute"]}}`,
/// or a list of names in older releases.
fn is_enabled(value: &Value, cloud: &str) -> bool {
    let names = |clouds: &Value| match clouds {
        Value::Object(clouds) => clouds.iter().any(|(name, capabilities)| {
            let computes = capabilities.as_array().is_none_or(|capabilities| {
                capabilities.iter().any(|capability| capability == "compute")
            });
            name.eq_ignore_ascii_case(cloud) && computes
        }),
        Value::Array(clouds) => {
            let mut names = clouds.iter().filter_map(Value::as_str);
            names.any(|name| name.eq_ignore_ascii_case(cloud))
        }
        _ => false,
    };
    value.as_object().is_some_and(|workspaces| workspaces.values().any(names))
}

/// What SkyPilot says, without empty lines and what it asks terminals to draw.
fn essence(log: &str) -> String {
    let lines = log.lines().map(str::trim_end);
    let said = lines.filter(|line| !line.trim().is_empty() && !line.contains("<sky-payload>"));
    said.map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::of_now(json!({"default": {"AWS": ["compute", "storage"]}}), true)]
    #[case::for_storage_alone(json!({"default": {"AWS": ["storage"]}}), false)]
    #[case::of_older_releases(json!({"default": ["AWS"]}), true)]
    #[case::of_another_cloud(json!({"default": {"GCP": ["compute"]}}), false)]
    #[case::of_none(json!({"default": {}}), false)]
    fn a_cloud_is_enabled_when_something_can_be_run_on_it(
        #[case] value: Value,
        #[case] enabled: bool,
    ) {
        assert_eq!(is_enabled(&value, cloud_of("aws/us-east-1")), enabled);
    }

    #[test]
    fn what_skypilot_says_is_kept_without_its_decoration() {
        let log =
            "<sky-payload>\"<rich_init>..\"</sky-payload>\n\n  AWS: disabled\n    Reason: no\n";
        assert_eq!(essence(log), "      AWS: disabled\n        Reason: no");
    }
}
