//! Finds keys of `skyload.toml` that mean nothing, with their lines and the
//! nearest key that would. Serde alone stops at the first and guesses nothing.

use toml::de::{DeTable, DeValue};

use crate::metric::Metric;
use crate::scenario::ScenarioId;

const TOP: &[&str] = &["profiles", "budgets", "thresholds", "safety", "validity", "profiler"];
const PROFILE: &[&str] = &[
    "requests-per-scenario",
    "cli-requests-per-scenario",
    "infra-requests-per-scenario",
    "requests",
    "apis",
    "infra",
    "waves",
    "infra-waves",
    "ramp",
    "fit",
    "baseline",
    "drain",
    "settle",
    "scenario-timeout",
    "teardown-timeout",
    "probe-rate",
];
const THRESHOLD: &[&str] = &["p50", "p90", "p95", "p99", "max", "error-rate"];
const SAFETY: &[&str] = &["memory-floor"];
const VALIDITY: &[&str] = &["send-lateness-p99", "profiler-gap"];
const PROFILER: &[&str] = &["interval", "peaks", "phase-peaks"];

/// One message for each unknown key.
pub(super) fn find_mistakes(text: &str, name: &str) -> Vec<String> {
    // A text that is no TOML at all is left to the parser proper.
    let Ok(document) = DeTable::parse(text) else { return Vec::new() };
    let mut search = Search { text, name, mistakes: Vec::new() };
    let top = document.get_ref();
    search.check(top, "", TOP);
    for (key, value) in top {
        let DeValue::Table(table) = value.get_ref() else { continue };
        match key.get_ref().as_ref() {
            "profiles" => search.check_each(table, "profiles", PROFILE),
            "budgets" => {
                let names = budget_names();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                search.check(table, "budgets", &names);
            }
            "thresholds" => {
                let scenarios: Vec<String> =
                    ScenarioId::ALL.iter().map(ToString::to_string).collect();
                let scenarios: Vec<&str> = scenarios.iter().map(String::as_str).collect();
                search.check(table, "thresholds", &scenarios);
                search.check_each(table, "thresholds", THRESHOLD);
            }
            "safety" => search.check(table, "safety", SAFETY),
            "validity" => search.check(table, "validity", VALIDITY),
            "profiler" => search.check(table, "profiler", PROFILER),
            _ => {}
        }
    }
    search.mistakes
}

/// What a budget can be set for.
pub(crate) fn budget_names() -> Vec<String> {
    Metric::budgets().map(|metric| metric.to_string()).collect()
}

/// `name:line` of a byte offset into the text.
pub(super) fn place(text: &str, name: &str, offset: usize) -> String {
    let line = text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1;
    format!("{name}:{line}")
}

struct Search<'a> {
    text: &'a str,
    name: &'a str,
    mistakes: Vec<String>,
}

impl Search<'_> {
    fn check_each(&mut self, table: &DeTable<'_>, path: &str, known: &[&str]) {
        for (key, value) in table {
            if let DeValue::Table(inner) = value.get_ref() {
                self.check(inner, &format!("{path}.{}", key.get_ref()), known);
            }
        }
    }

    fn check(&mut self, table: &DeTable<'_>, path: &str, known: &[&str]) {
        for (key, _) in table {
            let found = key.get_ref().as_ref();
            if known.contains(&found) {
                continue;
            }
            let place = place(self.text, self.name, key.span().start);
            let dot = if path.is_empty() { "" } else { "." };
            self.mistakes.push(format!(
                "{place}: unknown key `{path}{dot}{found}`; {}",
                suggest(found, known.iter().copied())
            ));
        }
    }
}

/// "did you mean ..?" when a valid word is near, all valid words otherwise.
pub(crate) fn suggest<'a>(found: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let nearest = known
        .clone()
        .map(|word| (strsim::damerau_levenshtein(found, word), word))
        .min_by_key(|(distance, _)| *distance);
    match nearest {
        Some((distance, word)) if distance <= 2.max(found.len() / 4) => {
            format!("did you mean `{word}`?")
        }
        _ => format!("choose among {}", known.collect::<Vec<_>>().join(", ")),
    }
}
