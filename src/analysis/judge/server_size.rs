//! Findings on the stated size of the server: processes that the kernel killed at it, and a server
//! that was not held to it.

use std::collections::BTreeMap;

use super::{Case, Findings, Severity};
use crate::analysis::server_size::Kills;
use crate::class::ProcessClass;
use crate::limits::CpuLimit;
use crate::record::HeldTo;
use crate::units::counted;

/// Maximum number of pids that a finding names.
const MAX_PIDS: usize = 5;

impl Findings {
    pub(super) fn of_server_size(&mut self, case: &Case<'_>) {
        if let Some(kills) = case.kills {
            // Events alone prove a kill: the file with the size may be missing.
            let size = case.server_size.map(|it| it.size).or(case.evidence.plan.size);
            let of_size = size.map(|size| format!(" of {} GiB", size.gibibytes()));
            self.add(
                Severity::OverBudget,
                format!(
                    "the kernel killed {} at the server's size{}{}; use a larger --size, or fewer \
                     users (-n)",
                    processes(kills.count),
                    of_size.unwrap_or_default(),
                    killed(kills)
                ),
            );
        }
        let Some(server_size) = case.server_size else { return };
        let size = server_size.size;
        match &server_size.group {
            HeldTo::Nothing(reason) => self.add(
                Severity::Note,
                format!("server sized as {size}, and not held to it: {reason}"),
            ),
            HeldTo::Group { cpus: CpuLimit::None(reason), .. } => self.add(
                Severity::Note,
                format!("server not held to its {}: {reason}", counted(size.cpus, "CPU")),
            ),
            HeldTo::Group { .. } => {}
        }
    }
}

/// Number of processes as text.
pub(super) fn processes(count: u64) -> String {
    match count {
        1 => "1 process".to_owned(),
        count => format!("{count} processes"),
    }
}

/// Clause with the classes and pids of killed processes, as far as they are known.
fn killed(kills: &Kills<'_>) -> String {
    let killed = kills.killed();
    if killed.is_empty() {
        return "; only exit records, which need root, tell which".to_owned();
    }
    let mut classes: BTreeMap<ProcessClass, u64> = BTreeMap::new();
    for process in &killed {
        *classes.entry(process.class).or_default() += 1;
    }
    let classes: Vec<String> =
        classes.iter().map(|(class, count)| format!("{count}x {class}")).collect();
    let pids: Vec<String> =
        killed.iter().take(MAX_PIDS).map(|process| process.pid.to_string()).collect();
    let more = if killed.len() > MAX_PIDS { ", .." } else { "" };
    // Another process may have ended by SIGKILL at the same moment.
    let among = match u64::try_from(killed.len()).is_ok_and(|found| found > kills.count) {
        true => "among ",
        false => "",
    };
    format!(": {among}{} (pid {}{more})", classes.join(", "), pids.join(", "))
}
