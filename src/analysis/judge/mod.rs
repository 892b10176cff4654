//! Verdict of a run: pass, over budget, scenario failed, or inconclusive.
//!
//! An exceeded limit counts whatever else went wrong. A pass requires complete evidence: an
//! outcome of each scenario, the same server throughout, a profile without gaps, a load generator
//! that was not overloaded. Everything else is inconclusive.

mod events;
mod growth_rates;
mod idleness;
mod infrastructure;
mod memory;
mod missing;
mod server_profile;
mod server_size;
mod server_view;
mod users;
mod wedges;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::coverage::Coverage;
use super::evidence::Evidence;
use super::limits::LimitCheck;
use super::memory::MemoryReport;
use super::metrics::Sources;
use super::scenarios::ScenarioReport;
use super::server_size::{Kills, ServerSize};
use super::server_view::ServerView;
use super::thresholds::ThresholdCheck;
use crate::metric::{Metric, Threshold};
use crate::plan::LoadPlan;
use crate::scenario::ScenarioId;
use crate::units::in_minutes;

/// Verdict of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Budgets met, no more failed iterations than thresholds allow, measurements valid.
    Pass,
    /// Scenario failed, threshold breached, or setup or teardown failed.
    ScenarioFailed,
    /// Budget exceeded.
    OverBudget,
    /// Measurements invalid or incomplete.
    Inconclusive,
}

impl Verdict {
    /// Exit code of `cargo xtask load`.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::OverBudget => 10,
            Self::ScenarioFailed => 11,
            Self::Inconclusive => 12,
        }
    }

    /// Name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::OverBudget => "OVER BUDGET",
            Self::ScenarioFailed => "SCENARIO FAILED",
            Self::Inconclusive => "INCONCLUSIVE",
        }
    }
}

/// Verdict with its findings, most severe first.
pub(super) struct Judgement {
    pub(super) verdict: Verdict,
    pub(super) findings: Vec<Finding>,
}

/// Statement about a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Finding {
    /// Severity, which decides the verdict.
    pub severity: Severity,
    /// Metric, scenario or threshold concerned; `None` for the run as a whole.
    pub about: Option<About>,
    /// Message: subject, event, value and limit, consequence.
    pub message: String,
}

/// Metric, scenario or threshold that a finding concerns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum About {
    /// Metric that has a budget, or could have one.
    Metric(Metric),
    /// Scenario.
    Scenario(ScenarioId),
    /// Threshold.
    Threshold(Threshold),
}

impl About {
    /// Whether the finding concerns a metric that can have a budget.
    pub(crate) fn is_budget(&self) -> bool {
        matches!(self, Self::Metric(_))
    }
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Metric(metric) => metric.fmt(f),
            Self::Scenario(id) => id.fmt(f),
            Self::Threshold(threshold) => threshold.fmt(f),
        }
    }
}

/// Severity of a finding, most severe first: the first one of a run decides the verdict.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Scenario failed, threshold breached, or setup or teardown failed.
    ScenarioFailed,
    /// Budget exceeded.
    OverBudget,
    /// Measurements invalid or incomplete.
    Inconclusive,
    /// Information without an effect on the verdict.
    Note,
}

impl Severity {
    /// Label before a finding.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ScenarioFailed => "FAILED",
            Self::OverBudget => "OVER BUDGET",
            Self::Inconclusive => "INCONCLUSIVE",
            Self::Note => "note",
        }
    }
}

/// Inputs of the verdict.
pub(super) struct Case<'a> {
    pub(super) evidence: &'a Evidence,
    pub(super) coverage: &'a Coverage,
    pub(super) server_view: Option<&'a ServerView>,
    pub(super) server_size: Option<&'a ServerSize>,
    /// Kills of the kernel at the server's size; `None` without any.
    pub(super) kills: Option<&'a Kills<'a>>,
    pub(super) scenarios: &'a [ScenarioReport],
    pub(super) thresholds: &'a [ThresholdCheck],
    pub(super) budgets: &'a [LimitCheck],
    pub(super) sources: Sources<'a>,
}

impl<'a> Case<'a> {
    /// Memory of the server; `None` without a profile.
    fn memory(&self) -> Option<&'a MemoryReport> {
        self.sources.memory
    }
}

pub(super) fn judge(case: &Case<'_>) -> Judgement {
    let mut findings = Findings(Vec::new());
    // Causes before their consequences: the sort by severity is stable and keeps this order.
    findings.of_server_size(case);
    findings.of_events(case);
    findings.of_missing(case);
    findings.of_infrastructure(case);
    findings.of_wedges(case);
    findings.of_scenarios(case);
    findings.of_unjudged(case);
    findings.of_retries(case);
    findings.of_lost_iterations(case);
    findings.of_thresholds(case);
    findings.of_budgets(case);
    findings.of_growth_rates(case);
    findings.of_versions(case);
    findings.of_idleness(case);
    findings.of_coverage(case);
    findings.of_server_view(case);
    findings.of_send_lateness(case);
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
    /// Adds a finding about the run as a whole.
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
        self.of_fit(plan);
    }

    /// Adds notes on a load that was reduced to fit the machine, or is too much for its CPUs.
    fn of_fit(&mut self, plan: &LoadPlan) {
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

/// Whether the server was lost. A run that ended early lost its server too: both were killed, in
/// an unknown order.
fn lost_its_server(case: &Case<'_>) -> bool {
    case.evidence.server_was_lost() || case.evidence.ended_early()
}
