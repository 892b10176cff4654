//! Upgrade of plans and reports of version 4, in which every load was a burst, and a threshold an
//! upper limit on whole iterations.

use serde_json::{Value, json};

/// Upgrades a plan.
pub(crate) fn plan(mut plan: Value) -> Value {
    for threshold in list(&mut plan, "thresholds") {
        *threshold = at_most(threshold, "at-most");
    }
    for scenario in list(&mut plan, "scenarios") {
        let Some(fields) = scenario.as_object_mut() else { continue };
        if let Some(iterations) = fields.remove("iterations") {
            fields.insert("shape".to_owned(), json!({ "burst": { "iterations": iterations } }));
        }
    }
    plan
}

/// Upgrades a report. Its plan gets the version `plan_version`.
pub(crate) fn report(mut report: Value, plan_version: u32) -> Value {
    if let Some(old) = report.get_mut("plan") {
        *old = plan(old.take());
        // A plan in a report has a `version` too, and `Version` accepts only the current one.
        old["version"] = plan_version.into();
    }
    let mut thresholds = Vec::new();
    for check in list(&mut report, "thresholds") {
        let threshold = at_most(check, "limit");
        let state = match check["state"].as_str() {
            Some("within") => "met",
            Some("over") => "breached",
            _ => "no-iteration",
        };
        *check = json!({
            "threshold": threshold,
            "measured": check["measured"],
            "state": state,
        });
        thresholds.push(threshold);
    }
    for finding in list(&mut report, "findings") {
        let metric = &finding["about"]["metric"];
        if let Some(threshold) = thresholds.iter().find(|it| it["metric"] == *metric) {
            finding["about"] = json!({ "threshold": threshold });
        }
    }
    report
}

/// Elements of a list in an object; none if there is no such list.
fn list<'a>(content: &'a mut Value, key: &str) -> impl Iterator<Item = &'a mut Value> {
    content.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten()
}

/// Threshold with the metric of `old`, and its upper limit.
fn at_most(old: &Value, limit: &str) -> Value {
    json!({ "metric": old["metric"], "comparison": "at-most", "limit": old[limit] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{About, ThresholdCheck};
    use crate::metric::Threshold;

    #[test]
    fn every_scenario_is_a_burst_of_its_iterations() {
        let before = json!({ "scenarios": [{ "id": "api:status", "users": 2, "iterations": 3 }] });
        let upgraded = report(json!({ "plan": before }), 5);
        let shape = json!({ "burst": { "iterations": 3 } });
        let scenarios = json!([{ "id": "api:status", "users": 2, "shape": shape }]);
        assert_eq!(upgraded["plan"], json!({ "scenarios": scenarios, "version": 5 }));
    }

    #[test]
    fn thresholds_of_a_plan_are_upper_limits() {
        let old = json!({ "thresholds": [
            { "metric": "api:status p95", "at-most": { "duration": 5.0 } },
            { "metric": "api:status error-rate", "at-most": { "share": "1%" } },
        ] });
        let thresholds: Vec<Threshold> =
            serde_json::from_value(plan(old)["thresholds"].take()).unwrap();
        let texts: Vec<String> = thresholds.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["api:status p95 <= 5s", "api:status error-rate <= 1%"]);
    }

    #[test]
    fn checks_and_findings_of_a_report_have_their_threshold() {
        let old = json!({
            "thresholds": [
                { "metric": "api:status p95", "limit": { "duration": 0.5 }, "source": "configured",
                  "measured": { "duration": 1.25 }, "state": "over" },
                { "metric": "api:status p50", "limit": { "duration": 0.5 }, "source": "configured",
                  "measured": null, "state": "not-measured" },
            ],
            "findings": [
                { "about": { "metric": "api:status p95" } },
                { "about": { "metric": "tree-rss" } },
                { "about": null },
            ],
        });
        let mut report = report(old, 5);
        let checks: Vec<ThresholdCheck> =
            serde_json::from_value(report["thresholds"].take()).unwrap();
        let states: Vec<&str> = checks.iter().map(|check| check.state.name()).collect();
        assert_eq!(states, ["BREACHED", "skipped"]);
        let about = |index: usize| -> Option<About> {
            serde_json::from_value(report["findings"][index]["about"].clone()).unwrap()
        };
        assert_eq!(about(0), Some(About::Threshold(checks[0].threshold.clone())));
        assert_eq!(about(1).map(|about| about.to_string()), Some("tree-rss".to_owned()));
        assert_eq!(about(2), None);
    }
}
