//! The verdict: pass, over budget, scenario failed, or inconclusive.
//!
//! A breach that was seen is a breach whatever else went wrong. A pass needs
//! everything: each scenario's outcome, a server that stayed the same, a profile
//! without gaps, a client that was punctual. What is in between is inconclusive.

use serde::{Deserialize, Serialize};

use super::budgets::{BudgetCheck, BudgetState};
use super::coverage::Coverage;
use super::evidence::Evidence;
use super::scenarios::{ScenarioReport, ScenarioState, ThresholdCheck};
use crate::clock::Timestamp;
use crate::marks::{Event, StopReason};
use crate::plan::BudgetSubject;
use crate::units::as_mib;

/// The verdict on a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// A verdict and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Judgement {
    /// The first that applies of scenario failed, over budget and inconclusive.
    pub verdict: Verdict,
    /// Everything that was found, gravest first.
    pub findings: Vec<Finding>,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Finding {
    /// What it means for the verdict.
    pub severity: Severity,
    /// What was found.
    pub message: String,
}

/// What a finding means for the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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

/// All that a verdict is made of.
pub(super) struct Case<'a> {
    pub(super) evidence: &'a Evidence,
    pub(super) coverage: &'a Coverage,
    pub(super) scenarios: &'a [ScenarioReport],
    pub(super) thresholds: &'a [ThresholdCheck],
    pub(super) budgets: &'a [BudgetCheck],
}

pub(super) fn judge(case: &Case<'_>) -> Judgement {
    let mut findings = Findings(Vec::new());
    // Causes before their consequences: the sort below keeps this order.
    findings.of_events(case);
    findings.of_scenarios(case);
    findings.of_thresholds(case);
    findings.of_budgets(case);
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
    fn add(&mut self, severity: Severity, message: impl Into<String>) {
        self.0.push(Finding { severity, message: message.into() });
    }

    fn of_scenarios(&mut self, case: &Case<'_>) {
        let (mut stopped, mut unstarted) = (Vec::new(), Vec::new());
        for scenario in case.scenarios {
            let id = scenario.id;
            match scenario.state {
                ScenarioState::Succeeded => {}
                // Without its server no scenario can succeed: that says nothing
                // about what it would have done with it.
                ScenarioState::Failed if lost_its_server(case) => {
                    self.add(
                        Severity::Inconclusive,
                        format!(
                            "{id}: {} of {} turns failed, in a run that lost its server",
                            scenario.failed(),
                            scenario.completed()
                        ),
                    );
                }
                ScenarioState::Failed => {
                    let worst = scenario
                        .failures
                        .iter()
                        .filter(|kind| kind.right_because.is_none())
                        .max_by_key(|kind| kind.count);
                    let worst = worst
                        .map(|kind| {
                            let example = brief(&kind.example.to_string());
                            format!("; most often ({}x) {example}", kind.count)
                        })
                        .unwrap_or_default();
                    self.add(
                        Severity::ScenarioFailed,
                        format!(
                            "{id}: {} of {} turns failed{worst}",
                            scenario.failed(),
                            scenario.completed()
                        ),
                    );
                }
                ScenarioState::Stopped => stopped.push(id.to_string()),
                ScenarioState::Missing if !case.evidence.was_loaded() => {
                    unstarted.push(id.to_string());
                }
                ScenarioState::Missing => self.add(
                    Severity::Inconclusive,
                    format!("{id}: no outcome; its process ended without a word (see load.log)"),
                ),
            }
        }
        if !unstarted.is_empty() {
            self.add(
                Severity::Inconclusive,
                format!("the run ended before its load began: {}", unstarted.join(", ")),
            );
        }
        if !stopped.is_empty() {
            self.add(
                Severity::Inconclusive,
                format!("stopped before all turns were taken: {}", stopped.join(", ")),
            );
        }
    }

    fn of_thresholds(&mut self, case: &Case<'_>) {
        for check in case.thresholds {
            let name = format!("{} {}", check.scenario, check.figure);
            let limit = check.limit.as_secs_f64();
            match check.measured {
                // The client's own delay would be held against the server.
                Some(measured) if check.breached && is_starved(case, check.scenario) => self.add(
                    Severity::Inconclusive,
                    format!("{name}: {measured:.3} s, limit {limit} s, by a starved client"),
                ),
                Some(measured) if check.breached && lost_its_server(case) => self.add(
                    Severity::Inconclusive,
                    format!(
                        "{name}: {measured:.3} s, limit {limit} s, in a run that lost its server"
                    ),
                ),
                Some(measured) if check.breached => self.add(
                    Severity::ScenarioFailed,
                    format!("{name}: {measured:.3} s, limit {limit} s"),
                ),
                Some(_) => {}
                None => self.add(
                    Severity::Inconclusive,
                    format!("{name}: nothing was measured to hold against its limit"),
                ),
            }
        }
    }

    fn of_budgets(&mut self, case: &Case<'_>) {
        let mut untried = Vec::new();
        for check in case.budgets {
            let subject = check.subject;
            match (check.state, check.measured, check.limit) {
                (BudgetState::Over, Some(measured), Some(limit)) => self.add(
                    Severity::OverBudget,
                    format!(
                        "{subject}: {:.1} MiB, budget {:.1} MiB ({})",
                        as_mib(measured),
                        as_mib(limit),
                        check.source
                    ),
                ),
                (BudgetState::Over | BudgetState::Within, ..) => {}
                (BudgetState::NotExercised, ..) => untried.push(subject.name()),
                (BudgetState::NoConstant, ..) => self.add(
                    Severity::Note,
                    format!(
                        "{subject}: this SkyPilot has no constant for it, so nothing was checked; \
                         set one with --budget {subject}=SIZE"
                    ),
                ),
                (BudgetState::NotMeasured, ..) => self.add(
                    Severity::Inconclusive,
                    format!("{subject}: nothing was measured to hold against its budget"),
                ),
            }
        }
        if !untried.is_empty() {
            self.add(
                Severity::Note,
                format!("no such process ran, so its budget was not tried: {}", untried.join(", ")),
            );
        }
    }

    fn of_events(&mut self, case: &Case<'_>) {
        let evidence = case.evidence;
        let began = evidence.marks.first().map(|mark| mark.at);
        for mark in &evidence.marks {
            let when = began.map_or_else(String::new, |began| after(began, mark.at));
            match &mark.event {
                Event::ServerGone => self.add(
                    Severity::Inconclusive,
                    format!(
                        "the server died{when}; the end of its log is in server.log.tail. If nobody \
                         killed it, the kernel may have, for want of memory"
                    ),
                ),
                Event::ServerReplaced => self.add(
                    Severity::Inconclusive,
                    format!("the server was replaced{when}: figures are of more than one server"),
                ),
                Event::LoadStopped(StopReason::Interrupted) => {
                    self.add(Severity::Inconclusive, format!("interrupted{when}"));
                }
                Event::LoadStopped(StopReason::MemoryFloor) => self.add(
                    Severity::Inconclusive,
                    format!(
                        "stopped to protect the machine{when}: less than {} of memory was available; \
                         use fewer requests (-n) or scenarios",
                        evidence.plan.memory_floor
                    ),
                ),
                Event::LoadStopped(StopReason::ProfilerLost) => self
                    .add(Severity::Inconclusive, format!("the profiler ended by itself{when}")),
                Event::LoadStopped(StopReason::ServerLost)
                | Event::PhaseBegan(_)
                | Event::PhasesEnded => {}
                Event::LeftBehind(titles) => self.add(
                    Severity::Note,
                    format!(
                        "`sky api stop` left {} process(es) behind, which were removed: {}",
                        titles.len(),
                        counted(titles)
                    ),
                ),
            }
        }
        if evidence.broke_off() {
            self.add(Severity::Inconclusive, "the run broke off before its end");
        }
    }

    fn of_coverage(&mut self, case: &Case<'_>) {
        for damage in &case.evidence.damage {
            self.add(Severity::Inconclusive, damage.clone());
        }
        let coverage = case.coverage;
        if !coverage.profiled {
            self.add(
                Severity::Note,
                "the server is on another machine: its memory was not measured",
            );
            return;
        }
        if !coverage.from_baseline_to_drain {
            self.add(
                Severity::Inconclusive,
                "the profile does not reach from the baseline to the end of the drain",
            );
        } else if !coverage.ended_well {
            self.add(Severity::Inconclusive, "the profiler did not end in good order");
        }
        let longest = coverage.gaps.iter().max_by_key(|gap| gap.length);
        if let Some(longest) = longest {
            self.add(
                Severity::Inconclusive,
                format!(
                    "the profiler was silent for {:.1} s ({} gap(s) longer than {})",
                    longest.length.as_secs_f64(),
                    coverage.gaps.len(),
                    humantime::format_duration(case.evidence.plan.validity.profiler_gap)
                ),
            );
        }
        self.of_unread_exits(case);
        let wants_pss = case.budgets.iter().any(|check| check.subject == BudgetSubject::TreePss);
        let unread: u32 = case
            .evidence
            .profile
            .iter()
            .map(|line| match line {
                crate::sample::ProfileLine::Snapshot(snapshot) => snapshot.unread,
                _ => 0,
            })
            .sum();
        if wants_pss && unread > 0 {
            self.add(
                Severity::Inconclusive,
                format!("tree-pss: {unread} process(es) could not be read: it is a lower bound"),
            );
        }
    }

    /// A process that nobody read at its end may have had a higher peak. That puts
    /// a verdict in doubt where its class has a budget that it may have exceeded.
    fn of_unread_exits(&mut self, case: &Case<'_>) {
        for (class, count) in &case.coverage.unread_exits {
            let is_kept = |check: &&BudgetCheck| {
                check.subject == BudgetSubject::Class(*class) && check.state == BudgetState::Within
            };
            let severity = match case.budgets.iter().find(is_kept) {
                Some(_) => Severity::Inconclusive,
                None => Severity::Note,
            };
            self.add(
                severity,
                format!(
                    "{class}: {count} process(es) exited without a final reading, so its peak is a \
                     lower bound"
                ),
            );
        }
    }

    fn of_punctuality(&mut self, case: &Case<'_>) {
        let limit = case.evidence.plan.validity.send_lateness_p99;
        for scenario in case.scenarios.iter().filter(|s| is_starved(case, s.id)) {
            let worst = scenario.waves.iter().filter_map(|wave| wave.lateness).map(|l| l.p99).max();
            self.add(
                Severity::Inconclusive,
                format!(
                    "{}: the client was starved: requests left up to {:.3} s late (p99; limit {}), so \
                     latencies are the client's as much as the server's",
                    scenario.id,
                    worst.unwrap_or_default().as_secs_f64(),
                    humantime::format_duration(limit)
                ),
            );
        }
    }

    fn of_plan(&mut self, case: &Case<'_>) {
        let plan = &case.evidence.plan;
        if plan.capacity.is_lowered() {
            self.add(
                Severity::Note,
                format!(
                    "fewer users than asked for were at it at once: all of them would have needed \
                     about {}, and {} could be used",
                    plan.capacity.wanted, plan.capacity.usable
                ),
            );
        }
        for note in case.evidence.environment.iter().flat_map(|environment| &environment.notes) {
            self.add(Severity::Note, note.clone());
        }
    }
}

/// A run that is killed loses its server as well, before or after its scenarios.
fn lost_its_server(case: &Case<'_>) -> bool {
    case.evidence.server_was_lost() || case.evidence.broke_off()
}

fn is_starved(case: &Case<'_>, id: crate::scenario::ScenarioId) -> bool {
    let limit = case.evidence.plan.validity.send_lateness_p99;
    case.scenarios
        .iter()
        .filter(|scenario| scenario.id == id)
        .flat_map(|scenario| &scenario.waves)
        .any(|wave| wave.lateness.is_some_and(|lateness| lateness.p99 > limit))
}

fn after(began: Timestamp, at: Timestamp) -> String {
    format!(" after {:.1} s", at.since(began).as_secs_f64())
}

/// The beginning of a text: its whole stands in the table of errors.
fn brief(text: &str) -> String {
    const LENGTH: usize = 140;
    match text.char_indices().nth(LENGTH) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}..", &text[..end]),
    }
}

/// `3x SkyPilot:executor:short, 1x python`.
fn counted(titles: &[String]) -> String {
    let mut counts = std::collections::BTreeMap::new();
    for title in titles {
        *counts.entry(title.as_str()).or_insert(0_u32) += 1;
    }
    let parts: Vec<String> =
        counts.into_iter().map(|(title, count)| format!("{count}x {title}")).collect();
    parts.join(", ")
}
