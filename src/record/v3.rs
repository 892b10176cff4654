//! Upgrade of plans of version 3, in which the only local infra was the loopback Slurm cluster,
//! and in which each scenario that launches ran on all infras.

use serde_json::{Value, json};

use crate::infrastructure::Infrastructure;
use crate::scenario::{Scenario, ScenarioId};

/// Version number of plans and reports that this module upgrades.
pub(crate) const VERSION: u32 = 3;

/// Upgrades a plan.
pub(crate) fn plan(mut plan: Value) -> Value {
    if let Some(infrastructure) = plan.get_mut("infrastructure")
        && infrastructure == "loopback"
    {
        *infrastructure = json!({ "local": ["loopback"] });
    }
    let infras = plan.get("infrastructure").cloned().map(serde_json::from_value);
    let Some(Ok(infras)) = infras.map(|infras| infras.map(|one: Infrastructure| one.names()))
    else {
        return plan;
    };
    for scenario in plan.get_mut("scenarios").and_then(Value::as_array_mut).into_iter().flatten() {
        let id = scenario.get("id").and_then(Value::as_str).map(str::parse::<ScenarioId>);
        if let Some(Ok(id)) = id
            && Scenario::of(id).needs.takes_infrastructure()
        {
            scenario["infras"] = json!(infras);
        }
    }
    plan
}

/// Upgrades the plan in a report.
pub(crate) fn report(mut report: Value) -> Value {
    if let Some(old) = report.get_mut("plan") {
        *old = plan(old.take());
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
            let upgraded = report(json!({ "plan": { "infrastructure": before } }));
            assert_eq!(upgraded["plan"], json!({ "infrastructure": now }));
        }
    }

    #[test]
    fn launching_scenarios_ran_on_all_infras() {
        let scenarios = json!([{ "id": "api:status" }, { "id": "cli:logs" }]);
        let plan =
            plan(json!({ "infrastructure": { "clouds": ["aws", "gcp"] }, "scenarios": scenarios }));
        let expected =
            json!([{ "id": "api:status" }, { "id": "cli:logs", "infras": ["aws", "gcp"] }]);
        assert_eq!(plan["scenarios"], expected);
    }
}
