//! Findings on events of the run and its server.

use super::{Case, Findings, Severity};
use crate::analysis::evidence::Evidence;
use crate::clock::Timestamp;
use crate::record::events::{Event, StopReason};

impl Findings {
    pub(super) fn of_events(&mut self, case: &Case<'_>) {
        let evidence = case.evidence;
        let began = evidence.events.first().map(|logged| logged.at);
        for logged in &evidence.events {
            let when = began.map_or_else(String::new, |began| after(began, logged.at));
            match &logged.event {
                Event::ServerGone if case.kills.is_some_and(|kills| kills.server) => self.add(
                    Severity::OverBudget,
                    format!(
                        "the kernel killed the server's main process{when}, out of memory at its \
                         size; its last log lines are in server.log.tail"
                    ),
                ),
                Event::ServerGone => self.add(
                    Severity::Inconclusive,
                    format!(
                        "the server died{when}, possibly out of memory (check dmesg); its last \
                         log lines are in server.log.tail"
                    ),
                ),
                Event::ServerReplaced => self.add(
                    Severity::Inconclusive,
                    format!("the server was replaced{when}: figures are from more than one server"),
                ),
                Event::LoadStopped(StopReason::Interrupted) => {
                    self.add(Severity::Inconclusive, format!("interrupted{when}"));
                }
                Event::LoadStopped(StopReason::MemoryFloor) => self.add(
                    Severity::Inconclusive,
                    format!(
                        "load stopped{when}: available memory below {}{}; use fewer users (-n) or \
                         scenarios",
                        evidence.plan.memory_floor,
                        below_limit(evidence)
                    ),
                ),
                // The threshold has a finding of its own.
                Event::LoadStopped(StopReason::Breach) => self.add(
                    Severity::Note,
                    format!("load ended{when} by a breach of a threshold with `abort`"),
                ),
                Event::LoadStopped(StopReason::ProfilerLost) => self
                    .add(Severity::Inconclusive, format!("the profiler exited unexpectedly{when}")),
                Event::KilledForMemory { processes, limit } => self.add(
                    Severity::Inconclusive,
                    format!(
                        "the kernel killed {processes} process(es) of the run (server or load \
                         generator) out of memory{}; use fewer users (-n) or scenarios, or raise the limit",
                        limit.as_ref().map_or_else(String::new, |limit| format!(": {limit}"))
                    ),
                ),
                Event::KilledBelowSize { processes } => self.add(
                    Severity::Inconclusive,
                    format!(
                        "the kernel killed {processes} server process{}{when}, with the server \
                         below its size{}: memory was short on this machine, or in a control group \
                         above the server's; use fewer users (-n), a smaller --size, or free memory",
                        if *processes == 1 { "" } else { "es" },
                        case.server_size.map_or_else(String::new, |it| {
                            format!(" of {} GiB", it.size.gibibytes())
                        }),
                    ),
                ),
                // Other functions judge these, or they need no finding.
                Event::NotSettled(_)
                | Event::BusyBeside(_)
                | Event::LoadStopped(StopReason::ServerLost)
                | Event::Began
                | Event::Ended
                | Event::PhaseBegan(_)
                | Event::GroupBegan(_)
                | Event::PhasesEnded
                | Event::KilledAtSize { .. }
                | Event::ClockCompared(_) => {}
                // After a stop, remaining jobs are expected: they end with the nodes.
                Event::LeftInQueue(_) if evidence.was_stopped() => {}
                Event::LeftInQueue(jobs) => self.add(
                    Severity::ScenarioFailed,
                    format!(
                        "Slurm jobs still allocated after teardown (now cancelled): {}",
                        jobs.join(", ")
                    ),
                ),
                // An empty list shows that the stop was checked, which a budget of 0 needs.
                Event::LeakedProcesses(titles) if titles.is_empty() => {}
                Event::LeakedProcesses(titles) => self.add(
                    Severity::Note,
                    format!(
                        "`sky api stop` leaked {} process(es) (now killed): {}",
                        titles.len(),
                        counted(titles)
                    ),
                ),
            }
        }
        if evidence.ended_early() {
            self.add(Severity::Inconclusive, "the run ended early");
        }
    }
}

/// Clause that names the memory limit of the machine; empty without one.
fn below_limit(evidence: &Evidence) -> String {
    let environment = evidence.environment.as_ref();
    let limit = environment.and_then(|environment| environment.machine.limits.memory.as_ref());
    limit.map_or_else(String::new, |limit| format!(" below the {limit}"))
}

fn after(began: Timestamp, at: Timestamp) -> String {
    format!(" after {:.1} s", at.since(began).as_secs_f64())
}

/// List of titles with their counts: `3x SkyPilot:executor:short, 1x python`.
fn counted(titles: &[String]) -> String {
    let mut counts = std::collections::BTreeMap::new();
    for title in titles {
        *counts.entry(title.as_str()).or_insert(0_u32) += 1;
    }
    let parts: Vec<String> =
        counts.into_iter().map(|(title, count)| format!("{count}x {title}")).collect();
    parts.join(", ")
}
