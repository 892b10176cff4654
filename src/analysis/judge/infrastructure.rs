//! Findings on shared resources, their teardown, and the loopback nodes.

use super::{About, Case, Findings, Severity};
use crate::infrastructure::Infrastructure;
use crate::plan::ServerTarget;
use crate::record::resources::Stage;
use crate::scenario::ScenarioId;
use crate::units::counted;

impl Findings {
    pub(super) fn of_infrastructure(&mut self, case: &Case<'_>) {
        let evidence = case.evidence;
        // A stopped run skips the teardown on loopback: removing the nodes removes everything.
        let removed_with_nodes = evidence.was_stopped() && evidence.plan.infrastructure.is_local();
        if let Some(log) = &evidence.resources {
            for (step, failure) in log.failed() {
                let what = match step.stage {
                    Stage::SetUp => format!("setup of {} on {} failed", step.what, step.infra),
                    Stage::TearDown => format!("teardown of {} failed", step.what),
                };
                let severity =
                    match case.kills.is_some_and(|kills| kills.explain(failure, step.ended)) {
                        true => Severity::OverBudget,
                        false => Severity::ScenarioFailed,
                    };
                self.add(severity, format!("{what}: {failure}"));
            }
            if !log.of_scripts.is_empty() {
                self.add_about(
                    About::Scenario(ScenarioId::CliScript),
                    Severity::Note,
                    format!(
                        "{}: scripts left {}, which the teardown removes: {}",
                        ScenarioId::CliScript,
                        counted(log.of_scripts.len(), "resource"),
                        log.of_scripts.join(", ")
                    ),
                );
            }
            if !log.left.is_empty() {
                self.add(
                    Severity::ScenarioFailed,
                    format!("not removed when the server was stopped: {}", log.left.join(", ")),
                );
            } else if !log.verified && !removed_with_nodes {
                self.add(Severity::Inconclusive, "teardown not verified: listing resources failed");
            }
        }
        if let Some(nodes) = &evidence.nodes {
            if let Some(failure) = &nodes.failure {
                self.add(Severity::Inconclusive, format!("nodes failed: {failure}"));
            }
            if !nodes.exposed.is_empty() {
                self.add(
                    Severity::Inconclusive,
                    format!(
                        "node ports reachable from other machines: {}",
                        nodes.exposed.join(", ")
                    ),
                );
            }
        }
        // Servers of other kinds launch nothing by default, which needs no note.
        let is_isolated = matches!(evidence.plan.server, ServerTarget::Isolated { .. });
        if let (Infrastructure::None, true, Some(reason)) =
            (&evidence.plan.infrastructure, is_isolated, &evidence.plan.without_infrastructure)
        {
            self.add(Severity::Note, format!("nothing was launched: {reason}"));
        }
        if let (true, Some(reason)) =
            (evidence.plan.infrastructure.is_local(), &evidence.plan.without_infrastructure)
        {
            self.add(Severity::Note, format!("not used: {reason}"));
        }
    }
}
