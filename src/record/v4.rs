//! Upgrade of plans of version 4, in which every load was a burst.

use serde_json::{Value, json};

/// Upgrades a plan.
pub(crate) fn plan(mut plan: Value) -> Value {
    for scenario in plan.get_mut("scenarios").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(fields) = scenario.as_object_mut() else { continue };
        if let Some(iterations) = fields.remove("iterations") {
            fields.insert("shape".to_owned(), json!({ "burst": { "iterations": iterations } }));
        }
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
    fn every_scenario_is_a_burst_of_its_iterations() {
        let before = json!({ "scenarios": [{ "id": "api:status", "users": 2, "iterations": 3 }] });
        let upgraded = report(json!({ "plan": before }), 5);
        let shape = json!({ "burst": { "iterations": 3 } });
        let scenarios = json!([{ "id": "api:status", "users": 2, "shape": shape }]);
        assert_eq!(upgraded["plan"], json!({ "scenarios": scenarios, "version": 5 }));
    }
}
