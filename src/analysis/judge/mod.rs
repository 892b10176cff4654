//! The verdict: pass, over budget, scenario failed, or inconclusive.
//!
//! A breach that was seen is a breach whatever else went wrong. A pass needs
//! everything: each scenario's outcome, a server that stayed the same, a profile
//! without gaps, a client that was punctual. What is in between is inconclusive.

mod events;
mod infrastructure;
mod memory;
mod missing;
mod rest;
mod server_profile;
mod users;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::coverage::Coverage;
use super::evidence::Evidence;
use super::limits::LimitCheck;
use super::memory::MemoryReport;
use super::metrics::Sources;
use super::scenarios::ScenarioReport;
use crate::metric::{Limits, Metric};
use crate::plan::LoadPlan;
use crate::scenario::ScenarioId;
use crate::units::in_minutes;

/// The verdict on a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every budget was kept, every answer was right, and the numbers count.
    Pass,
    /// A scenario failed, or a latency limit was exceeded.
    ScenarioFailed,
    /// A budget was exceeded.
    OverBudget,
    /// The numbers cannot be trusted, or are not complete.
    Inconclusive,
}

impl Verdict {
    /// The exit code of `cargo xtask load`.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::OverBudget => 10,
            Self::ScenarioFailed => 11,
            Self::Inconclusive => 12,
        }
    }

    /// The verdict in words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::OverBudget => "OVER BUDGET",
            Self::ScenarioFailed => "SCENARIO FAILED",
            Self::Inconclusive => "INCONCLUSIVE",
        }
    }
}

/// Verdict with its findings, gravest first.
pub(super) struct Judgement {
    pub(super) verdict: Verdict,
    pub(super) findings: Vec<Finding>,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Finding {
    /// What it means for the verdict.
    pub severity: Severity,
    /// What it is about; `None` for the run as a whole.
    pub about: Option<About>,
    /// What was found.
    pub message: String,
}

/// What one finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum About {
    /// A metric that has a limit, or could have one.
    Metric(Metric),
    /// A scenario.
    Scenario(ScenarioId),
}

impl About {
    /// Whether it is a metric that a budget can be set for.
    pub(crate) fn is_budget(&self) -> bool {
        matches!(self, Self::Metric(metric) if metric.row().limits == Limits::Budget)
    }
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Metric(metric) => metric.fmt(f),
            Self::Scenario(id) => id.fmt(f),
        }
    }
}

/// What a finding means for the verdict.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// A scenario failed.
    ScenarioFailed,
    /// A budget was exceeded.
    OverBudget,
    /// The numbers cannot be trusted, or are not complete.
    Inconclusive,
    /// Worth knowing; changes nothing.
    Note,
}

impl Severity {
    /// The word that stands before a finding.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ScenarioFailed => "FAILED",
            Self::OverBudget => "OVER BUDGET",
            Self::Inconclusive => "INCONCLUSIVE",
            Self::Note => "note",
        }
    }
}

/// All that a verdict is made of.
pub(super) struct Case<'a> {
    pub(super) evidence: &'a Evidence,
    pub(super) coverage: &'a Coverage,
    pub(super) scenarios: &'a [ScenarioReport],
    pub(super) thresholds: &'a [LimitCheck],
    pub(super) budgets: &'a [LimitCheck],
    pub(super) sources: Sources<'a>,
}

impl<'a> Case<'a> {
    /// The server's memory; `None` without a profile.
    fn memory(&self) -> Option<&'a MemoryReport> {
        self.sources.memory
    }
}

pub(super) fn judge(case: &Case<'_>) -> Judgement {
    let mut findings = Findings(Vec::new());
    // Causes before their consequences: the sort below keeps this order.
    findings.of_events(case);
    findings.of_missing(case);
    findings.of_infrastructure(case);
    findings.of_scenarios(case);
    findings.of_unjudged(case);
    findings.of_retries(case);
    findings.of_thresholds(case);
    findings.of_budgets(case);
    findings.of_versions(case);
    findings.of_rest(case);
    findings.of_coverage(case);
    findings.of_punctuality(case);
    findings.of_plan(case);
    let Findings(mut findings) = findings;
    findings.sort_by_key(|finding| finding.severity);
    let verdict = match findings.first().map(|finding| finding.severity) {
        Some(Severity::ScenarioFailed) => Verdict::ScenarioFailed,
        Some(Severity::OverBudget) => Verdict::OverBudget,
        Some(Severity::Inconclusive) => Verdict::Inconclusive,
        Some(Severity::Note) | None => Verdict::Pass,
    };
    Judgement { verdict, findings }
}

struct Findings(Vec<Finding>);

impl Findings {
    /// Adds what is to be said of the run as a whole.
    fn add(&mut self, severity: Severity, message: impl Into<String>) {
        self.0.push(Finding { severity, about: None, message: message.into() });
    }

    fn add_about(&mut self, about: About, severity: Severity, message: impl Into<String>) {
        self.0.push(Finding { severity, about: Some(about), message: message.into() });
    }

    fn of_plan(&mut self, case: &Case<'_>) {
        let plan = &case.evidence.plan;
        if plan.capacity.is_reduced() {
            self.add(
                Severity::Note,
                format!(
                    "concurrency reduced to fit memory: all users need about {}, {} was usable",
                    plan.capacity.wanted, plan.capacity.usable
                ),
            );
        }
        self.of_pace(plan);
    }

    /// What of a load depends on the machine that it ran on.
    fn of_pace(&mut self, plan: &LoadPlan) {
        if let Some(fit) = plan.fit.filter(|fit| !fit.left_out.is_none()) {
            self.add(
                Severity::Note,
                format!(
                    "load reduced to take about {} instead of {}: {}",
                    in_minutes(fit.planned),
                    in_minutes(fit.wanted),
                    fit.left_out
                ),
            );
        }
        if let Some(work) = plan.overload() {
            self.add(
                Severity::Note,
                format!(
                    "all users started together, about {} of work for this machine's CPUs: SDK \
                     timeouts then say more about the machine than about SkyPilot; spread the starts with --ramp",
                    in_minutes(work)
                ),
            );
        }
    }
}

/// A run that is killed loses its server as well, before or after its scenarios.
fn lost_its_server(case: &Case<'_>) -> bool {
    case.evidence.server_was_lost() || case.evidence.broke_off()
}
