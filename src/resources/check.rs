//! Check that the server can launch on the plan's infras.

use serde_json::Value;

use super::requests::{Requests, only_own};
use crate::fact::Fact;
use crate::infrastructure::cloud_of;
use crate::record::outcome::Failure;
use crate::scenario::IterationNames;
use crate::scenario::shared_calls::{CHECK, ENABLED_CLOUDS};

/// Infras that are not enabled on the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disabled {
    /// Names of the infras, as in the plan.
    pub infras: Vec<String>,
    /// Output of `sky check`, without its decoration.
    pub reason: String,
}

/// Lets the server check `infras`, as `sky check` does, and returns those that it cannot use;
/// `None` if it can use all.
pub async fn find_disabled(
    requests: &Requests,
    infras: &[String],
) -> Result<Option<Disabled>, Failure> {
    let mut clouds: Vec<&str> = infras.iter().map(|infra| cloud_of(infra)).collect();
    clouds.sort_unstable();
    // SkyPilot checks clouds as a whole: two regions of one cloud are one check.
    clouds.dedup();
    let id = requests.submit(&CHECK, &only_own(&clouds.join(","))).await?;
    // Only the log says why a cloud is disabled; the result lists enabled ones.
    let reason = requests.client().log(CHECK.step, &id).await?;
    let value = requests.result(CHECK.step, &id).await?;
    let disabled = infras.iter().filter(|infra| !is_enabled(&value, cloud_of(infra)));
    let infras: Vec<String> = disabled.cloned().collect();
    Ok((!infras.is_empty()).then(|| Disabled { infras, reason: plain_lines(&reason) }))
}

/// Whether the server can launch on any cloud. The request has no time limit; the caller
/// sets one.
pub async fn has_clouds(requests: &Requests) -> Fact {
    let answer = requests.ask(&ENABLED_CLOUDS, &IterationNames::none()).await;
    let clouds = answer.ok().and_then(|value| value.as_array().map(Vec::len));
    clouds.map_or(Fact::Unknown, |count| (count > 0).into())
}

/// Whether any workspace can compute on a cloud. `value` is the result of `sky check`:
/// `{"default": {"AWS": ["compute"]}}`, or `{"default": ["AWS"]}` in older releases.
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

/// Indented lines of a log, without empty ones and without SkyPilot's messages to the
/// terminal, such as spinners.
fn plain_lines(log: &str) -> String {
    let lines = log.lines().map(str::trim_end);
    let text = lines.filter(|line| !line.trim().is_empty() && !line.contains("<sky-payload>"));
    text.map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::current_form(json!({"default": {"AWS": ["compute", "storage"]}}), true)]
    #[case::storage_only(json!({"default": {"AWS": ["storage"]}}), false)]
    #[case::form_of_older_releases(json!({"default": ["AWS"]}), true)]
    #[case::other_cloud(json!({"default": {"GCP": ["compute"]}}), false)]
    #[case::no_cloud(json!({"default": {}}), false)]
    fn a_cloud_is_enabled_if_it_can_compute(#[case] value: Value, #[case] enabled: bool) {
        assert_eq!(is_enabled(&value, cloud_of("aws/us-east-1")), enabled);
    }

    #[test]
    fn output_of_sky_check_is_kept_without_its_decoration() {
        let log =
            "<sky-payload>\"<rich_init>..\"</sky-payload>\n\n  AWS: disabled\n    Reason: no\n";
        assert_eq!(plain_lines(log), "      AWS: disabled\n        Reason: no");
    }
}
