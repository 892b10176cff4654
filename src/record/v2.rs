//! Upgrade of files of format 2 to the current formats, for `report`, `runs` and `recommend`.
//!
//! Format 2 was one number for all files of a run. Its content differs from the current formats
//! mostly in names, so keys and values are renamed before parsing. The files on disk are not
//! changed.

mod limits;

use serde_json::{Map, Value, json};

use super::outcome::{ClientFault, error_type};

/// Version number of all files of format 2.
pub(crate) const VERSION: u32 = 2;

/// Former name of `events.jsonl`.
pub(super) const EVENTS: &str = "marks.jsonl";
/// Former name of `resources.json`.
pub(super) const RESOURCES: &str = "fixtures.json";

/// Renamed keys, at any depth: old and new name.
const KEYS: [(&str, &str); 24] = [
    ("at-once", "concurrency"),
    ("changes", "modifications"),
    ("drain", "cooldown"),
    ("fixtures", "resources"),
    ("from-baseline-to-drain", "from-baseline-to-cooldown"),
    ("has-consolidation", "consolidation"),
    ("helper", "subprocess"),
    ("lateness", "send-lateness"),
    ("left-behind", "leaked-processes"),
    ("looks", "samples"),
    ("lost-events", "dropped-events"),
    ("missed-ticks", "missed-samples"),
    ("most-at-once", "concurrent"),
    ("not-at-rest", "not-settled"),
    ("family-began", "group-began"),
    ("original-semantics", "upstream-figures"),
    ("refused", "expected-errors"),
    ("right-because", "expected-because"),
    ("right-only-on", "expected-only-on"),
    ("settle", "settle-timeout"),
    ("starting", "starting-executor"),
    ("temperature", "start"),
    ("ticks", "samples"),
    ("turns", "iteration-duration"),
];

/// Renamed classes, phases, budgets and states: old and new name.
const WORDS: [(&str, &str); 6] = [
    ("drain", "cooldown"),
    ("helper", "subprocess"),
    ("leftovers", "leaked-processes"),
    ("missing", "no-result"),
    ("not-exercised", "skipped"),
    ("starting", "starting-executor"),
];

/// Renamed error types: old and new name.
const ERROR_TYPES: [(&str, &str); 20] = [
    ("cannot run sky", ClientFault::Start.name()),
    ("client out of memory", ClientFault::Memory.name()),
    ("client out of open files", ClientFault::OpenFiles.name()),
    ("client out of ports", ClientFault::Ports.name()),
    ("client out of processes", ClientFault::Processes.name()),
    ("connect", error_type::CONNECT_ERROR),
    ("connection broke", error_type::CONNECTION_LOST),
    ("does not end", error_type::JOB_NOT_FINISHED),
    ("error in plain text", error_type::PLAIN_TEXT_ERROR),
    ("error without a type", error_type::UNTYPED_ERROR),
    ("fault of skyload", ClientFault::Skyload.name()),
    ("needs authentication", error_type::NEEDS_AUTHENTICATION),
    ("no such request", error_type::REQUEST_NOT_FOUND),
    ("not done in time", error_type::NOT_REMOVED_IN_TIME),
    ("not set up", error_type::NOT_SET_UP),
    ("not there in time", error_type::NOT_READY_IN_TIME),
    ("request under way", error_type::REQUEST_NOT_FINISHED),
    ("unfinished", error_type::ITERATION_NOT_FINISHED),
    ("wrong output", error_type::UNEXPECTED_OUTPUT),
    ("wrong value", error_type::UNEXPECTED_RESPONSE),
];

/// Current names of the keys whose values are renamed by [`WORDS`].
const WORDED: [&str; 7] = ["budget", "class", "phase", "phase-began", "state", "subject", "window"];

/// Upgrades a plan, without the facts of the run, which are a file of their own now: [`facts`].
pub(crate) fn plan(mut plan: Value) -> Value {
    rename_all(&mut plan);
    let Some(fields) = plan.as_object_mut() else { return plan };
    rename(fields, "profile", "name");
    fields.remove("conductor");
    fields.remove("estimate");
    each(fields, "scenarios", |scenario| rename(scenario, "waves", "iterations"));
    limits::of_plan(fields);
    plan
}

/// Facts of a run, from its plan of format 2.
pub(super) fn facts(plan: &Value) -> Value {
    json!({ "version": 1, "coordinator": plan["conductor"], "estimate": plan["estimate"] })
}

/// Upgrades a request, whose version was 1.
pub(super) fn request(mut file: Value) -> Value {
    if let Some(request) = file.get_mut("request") {
        request_itself(request);
    }
    file
}

fn request_itself(request: &mut Value) {
    let Some(request) = request.as_object_mut() else { return };
    // Listed apart from `KEYS`: in other files, keys such as `profile` have other meanings.
    for (old, new) in [
        ("apis", "api"),
        ("original-semantics", "upstream-figures"),
        ("profile", "plan"),
        ("requests", "cli"),
        ("requests-per-scenario", "users"),
        ("waves", "iterations"),
    ] {
        rename(request, old, new);
    }
    if let Some(Value::Array(variables)) = request.get_mut("server-env") {
        variables.iter_mut().for_each(variable);
    }
    if let Some(Value::Array(budgets)) = request.get_mut("budgets") {
        budgets.iter_mut().for_each(budget);
    }
}

/// Upgrades an argument of `--budget`.
fn budget(typed: &mut Value) {
    let Some((metric, limit)) = typed.as_str().and_then(|text| text.split_once('=')) else {
        return;
    };
    if let Some((_, new)) = WORDS.iter().find(|(old, _)| *old == metric) {
        *typed = format!("{new}={limit}").into();
    }
}

/// Replaces a variable of the server by its argument of `--server-env`: `NAME=VALUE`, or only
/// `NAME` for a value from the shell.
fn variable(variable: &mut Value) {
    let Some(name) = variable["name"].as_str() else { return };
    *variable = match variable["value"]["typed"].as_str() {
        Some(value) => format!("{name}={value}").into(),
        None => name.into(),
    };
}

/// Upgrades the environment of a run.
pub(super) fn environment(mut environment: Value) -> Value {
    rename_all(&mut environment);
    if let Some(consolidation) = environment.pointer_mut("/server/consolidation")
        && let Some(is_so) = consolidation.as_bool()
    {
        *consolidation = if is_so { "yes".into() } else { "no".into() };
    }
    environment
}

/// Upgrades a line of the event log.
pub(super) fn event(mut line: Value) -> Value {
    rename_all(&mut line);
    let Some(fields) = line.as_object_mut() else { return line };
    fields.insert("kind".to_owned(), "event".into());
    line
}

/// Upgrades a line of a profile's samples.
pub(super) fn profile_line(mut line: Value) -> Value {
    rename_all(&mut line);
    match line["kind"].as_str() {
        Some("original") => line["kind"] = "upstream".into(),
        Some("tick") => line["kind"] = "sample".into(),
        _ => {}
    }
    line
}

/// Upgrades the outcome of a scenario.
pub(super) fn outcome(mut outcome: Value) -> Value {
    rename_all(&mut outcome);
    if let Some(fields) = outcome.as_object_mut() {
        rename(fields, "waves", "segments");
    }
    outcome
}

/// Upgrades any other file: processes, resources, nodes.
pub(super) fn other(mut content: Value) -> Value {
    rename_all(&mut content);
    content
}

/// Upgrades a report, with the files that the report includes.
pub(crate) fn report(report: Value, versions: [(&str, u32); 3]) -> Value {
    let mut report = other(report);
    let Some(fields) = report.as_object_mut() else { return report };
    if let Some(old) = fields.get_mut("plan") {
        *old = plan(old.take());
    }
    if let Some(old) = fields.get_mut("environment") {
        *old = environment(old.take());
    }
    if let Some(request) = fields.get_mut("request") {
        request_itself(request);
    }
    // Files within a report have a `version` too, and `Version` accepts only the current one.
    for (file, version) in versions {
        if let Some(Value::Object(file)) = fields.get_mut(file) {
            file.insert("version".to_owned(), version.into());
        }
    }
    if let Some(Value::Object(summary)) = fields.get_mut("summary") {
        rename(summary, "original", "upstream");
    }
    each(fields, "scenarios", |scenario| rename(scenario, "waves", "segments"));
    limits::of_report(fields);
    report
}

fn rename_all(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(rename_all),
        Value::Object(fields) => {
            for (old, new) in KEYS {
                rename(fields, old, new);
            }
            for (key, value) in fields.iter_mut() {
                match value {
                    // Under other keys such a word may be a name or part of a message.
                    Value::String(word) if WORDED.contains(&key.as_str()) => {
                        if let Some((_, new)) = WORDS.iter().find(|(old, _)| old == word) {
                            *word = (*new).to_owned();
                        }
                    }
                    Value::String(name) if key == "error-type" => *name = current_error_type(name),
                    value => rename_all(value),
                }
            }
        }
        _ => {}
    }
}

/// Current name of an error type. The name of a timeout used to include its limit.
fn current_error_type(name: &str) -> String {
    let renamed = ERROR_TYPES.iter().find(|(old, _)| *old == name);
    match renamed {
        Some((_, new)) => (*new).to_owned(),
        None if name.starts_with("no answer in ") => error_type::TIMEOUT.to_owned(),
        None => name.to_owned(),
    }
}

fn rename(fields: &mut Map<String, Value>, old: &str, new: &str) {
    if let Some(value) = fields.remove(old) {
        fields.insert(new.to_owned(), value);
    }
}

/// Applies `change` to each object of a list.
fn each(fields: &mut Map<String, Value>, list: &str, change: impl Fn(&mut Map<String, Value>)) {
    let values = fields.get_mut(list).and_then(Value::as_array_mut);
    values.into_iter().flatten().filter_map(Value::as_object_mut).for_each(change);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_of_format_2_is_upgraded() {
        let before = json!({ "version": 1, "request": {
            "requests-per-scenario": "4", "apis": ["status"], "profile": "smoke",
            "budgets": ["leftovers=0", "threads=9"],
            "server-env": [
                { "name": "A", "value": { "typed": "1" } },
                { "name": "B", "value": { "sha256": "00" } },
            ],
        }});
        let now = json!({ "version": 1, "request": {
            "users": "4", "api": ["status"], "plan": "smoke", "server-env": ["A=1", "B"],
            "budgets": ["leaked-processes=0", "threads=9"],
        }});
        assert_eq!(request(before), now);
    }

    #[test]
    fn error_types_are_renamed() {
        for (before, now) in [
            ("no answer in 5s", "timeout"),
            ("wrong value", "unexpected-response"),
            ("ValueError", "ValueError"),
        ] {
            let outcome = outcome(json!({ "failures": [{ "example": { "error-type": before } }] }));
            assert_eq!(outcome["failures"][0]["example"]["error-type"], now);
        }
    }

    #[test]
    fn a_boolean_consolidation_becomes_a_fact() {
        let before = json!({ "server": { "has-consolidation": false } });
        assert_eq!(environment(before), json!({ "server": { "consolidation": "no" } }));
    }
}
