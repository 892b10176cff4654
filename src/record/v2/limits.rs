//! Upgrade of budgets and thresholds of format 2, which had two forms, to limits on metrics.

use serde_json::{Map, Value, json};

use super::{each, rename};

/// Upgrades the limits of a plan.
pub(super) fn of_plan(plan: &mut Map<String, Value>) {
    each(plan, "budgets", |budget| {
        name_metric(budget, "subject");
        rename(budget, "limit", "at-most");
    });
    let Some(thresholds) = plan.get_mut("thresholds") else { return };
    let scenarios = thresholds.as_array().map(Vec::as_slice).unwrap_or_default();
    *thresholds = scenarios.iter().flat_map(of_scenario).collect();
}

/// Limits that replace the thresholds of one scenario, which were one object.
fn of_scenario(limits: &Value) -> Vec<Value> {
    let figures = limits["limits"].as_object().into_iter().flatten();
    let limit = |(figure, limit): (&String, &Value)| {
        let text = limit.as_str()?;
        let at_most = match figure.as_str() {
            "error-rate" => json!({ "share": text }),
            _ => json!({ "duration": humantime::parse_duration(text).ok()?.as_secs_f64() }),
        };
        Some(json!({ "metric": metric_of(&limits["scenario"], figure), "at-most": at_most }))
    };
    // Percentiles first: the order in which limits are checked, not the order of their names.
    let mut limits: Vec<Value> = figures.filter_map(limit).collect();
    limits.sort_by_key(|limit| limit["metric"].as_str().map(|name| !name.contains(" p")));
    limits
}

/// Upgrades the limits of a report, and the findings about them.
pub(super) fn of_report(report: &mut Map<String, Value>) {
    each(report, "budgets", |check| name_metric(check, "subject"));
    each(report, "thresholds", |check| {
        let figure = check.remove("figure").unwrap_or_default();
        let scenario = check.remove("scenario").unwrap_or_default();
        let is_breached = check.remove("breached") == Some(true.into());
        let seconds = |check: &Map<String, Value>, name| {
            let seconds = check.get(name).and_then(Value::as_f64);
            seconds.map_or(Value::Null, |seconds| json!({ "duration": seconds }))
        };
        let (limit, measured) = (seconds(check, "limit"), seconds(check, "measured"));
        let state = match (is_breached, measured.is_null()) {
            (true, _) => "over",
            (false, false) => "within",
            (false, true) => "not-measured",
        };
        let metric = metric_of(&scenario, figure.as_str().unwrap_or_default());
        check.extend([
            ("metric".to_owned(), metric),
            ("limit".to_owned(), limit),
            ("source".to_owned(), "configured".into()),
            ("measured".to_owned(), measured),
            ("state".to_owned(), state.into()),
        ]);
    });
    if let Some(Value::Object(mut judgement)) = report.remove("judgement") {
        each(&mut judgement, "findings", |finding| {
            let Some(Value::Object(about)) = finding.get_mut("about") else { return };
            name_metric(about, "budget");
            if let Some(threshold) = about.remove("threshold") {
                let figure = threshold["figure"].as_str().unwrap_or_default();
                about.insert("metric".to_owned(), metric_of(&threshold["scenario"], figure));
            }
        });
        report.extend(judgement);
    }
}

/// Replaces the subject of a budget by the name of its metric.
fn name_metric(fields: &mut Map<String, Value>, subject: &str) {
    if let Some(mut name) = fields.remove(subject) {
        if let Some(class) = name.get_mut("class") {
            name = class.take();
        }
        fields.insert("metric".to_owned(), name);
    }
}

fn metric_of(scenario: &Value, figure: &str) -> Value {
    format!("{} {figure}", scenario.as_str().unwrap_or_default()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{About, LimitCheck, ThresholdCheck};
    use crate::metric::{Limit, Threshold};
    use crate::record::v4;

    fn fields(value: Value) -> Map<String, Value> {
        let Value::Object(fields) = value else { panic!("expected an object") };
        fields
    }

    #[test]
    fn limits_of_a_plan_become_limits_on_metrics() {
        let mut plan = fields(json!({
            "budgets": [
                { "subject": { "class": "short-executor" }, "limit": null },
                { "subject": "leaked-processes", "limit": { "count": 0 } },
            ],
            "thresholds": [
                { "scenario": "api:status", "limits": { "max": "1m", "p95": "5s", "error-rate": "1%" } },
            ],
        }));
        of_plan(&mut plan);
        let budgets: Vec<Limit> = serde_json::from_value(plan["budgets"].clone()).unwrap();
        let as_text = |limit: Limit| {
            (limit.metric.to_string(), limit.at_most.map(|amount| amount.to_string()))
        };
        let budgets: Vec<_> = budgets.into_iter().map(as_text).collect();
        let expected = [
            ("short-executor".to_owned(), None),
            ("leaked-processes".to_owned(), Some("0".to_owned())),
        ];
        assert_eq!(budgets, expected);
        let plan = v4::plan(plan.into());
        let thresholds: Vec<Threshold> =
            serde_json::from_value(plan["thresholds"].clone()).unwrap();
        let thresholds: Vec<String> = thresholds.iter().map(ToString::to_string).collect();
        let expected =
            ["api:status p95 <= 5s", "api:status error-rate <= 1%", "api:status max <= 1m"];
        assert_eq!(thresholds, expected);
    }

    #[test]
    fn checks_and_findings_of_a_report_become_ones_on_metrics() {
        let mut report = fields(json!({
            "budgets": [{
                "subject": "tree-rss", "limit": { "size": 5 }, "source": "configured",
                "measured": { "size": 6 }, "state": "over",
            }],
            "thresholds": [{
                "scenario": "api:status", "figure": "p95", "limit": 0.5, "measured": 1.25,
                "breached": true,
            }],
            "judgement": { "findings": [
                { "about": { "budget": { "class": "server" } } },
                { "about": { "threshold": { "scenario": "api:status", "figure": "p95" } } },
                { "about": { "scenario": "api:status" } },
                { "about": null },
            ] },
        }));
        of_report(&mut report);
        let report = v4::report(report.into(), 5);
        let checks: Vec<LimitCheck> = serde_json::from_value(report["budgets"].clone()).unwrap();
        assert!(checks[0].measured > checks[0].limit, "{checks:?}");
        assert_eq!(checks[0].state.name(), "OVER");
        let checks: Vec<ThresholdCheck> =
            serde_json::from_value(report["thresholds"].clone()).unwrap();
        assert_eq!(checks[0].state.name(), "BREACHED");
        let findings = report["findings"].as_array().unwrap().iter();
        let about = |finding: &Value| {
            serde_json::from_value::<Option<About>>(finding["about"].clone()).unwrap()
        };
        let about: Vec<Option<String>> =
            findings.map(|finding| about(finding).map(|about| about.to_string())).collect();
        let named = |name: &str| Some(name.to_owned());
        let expected =
            [named("server"), named("api:status p95 <= 500ms"), named("api:status"), None];
        assert_eq!(about, expected);
    }
}
