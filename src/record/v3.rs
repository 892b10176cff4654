//! Upgrade of plans of version 3, in which the only local infra was the loopback Slurm cluster.

use serde_json::{Value, json};

/// Upgrades a plan.
pub(crate) fn plan(mut plan: Value) -> Value {
    if let Some(infrastructure) = plan.get_mut("infrastructure")
        && infrastructure == "loopback"
    {
        *infrastructure = json!({ "local": ["loopback"] });
    }
    plan
}

/// Upgrades the plan in a report.
pub(crate) fn report(mut report: Value, plan_version: u32) -> Value {
    if let Some(old) = report.get_mut("plan") {
        *old = plan(old.take());
        // A plan in a report has a `version` too, and `Version` accepts only the current one.
        old["version"] = plan_version.into();
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_cluster_becomes_one_of_several_local_infras() {
        for (before, now) in [
            (json!("loopback"), json!({ "local": ["loopback"] })),
            (json!("none"), json!("none")),
            (json!({ "clouds": ["aws"] }), json!({ "clouds": ["aws"] })),
        ] {
            let upgraded = report(json!({ "plan": { "infrastructure": before } }), 4);
            assert_eq!(upgraded["plan"], json!({ "infrastructure": now, "version": 4 }));
        }
    }
}
