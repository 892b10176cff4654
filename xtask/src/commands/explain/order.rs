//! Order of an explanation: the run, its largest peaks, and how the cause of each is repeated.

use anyhow::{Context as _, Result, ensure};
use host::workspace::Workspace;
use skyload::analysis::{Evidence, ExecutorPeak, largest_peaks};
use skyload::explanation::Repetition;
use skyload::plan::{ServerTarget, UsageErrors};
use skyload::record::environment::Environment;

use crate::commands::report;
use crate::commands::runs::find;
use crate::flags;

/// Run whose peaks are explained.
pub(super) struct Order {
    pub(super) evidence: Evidence,
    /// Environment of the run, which names its SkyPilot.
    pub(super) environment: Environment,
    /// Largest peaks, one for each cause, with the way to see the cause again.
    pub(super) peaks: Vec<(ExecutorPeak, Repetition)>,
}

impl Order {
    /// Reads the run, or returns all usage errors.
    pub(super) fn read(flags: &flags::Explain, workspace: &Workspace) -> Result<Self> {
        let mut mistakes = Vec::new();
        if flags.top == 0 {
            mistakes.push("--top: expected a number of peaks from 1 on, got 0".to_owned());
        }
        let evidence = find::run(workspace, &flags.run);
        let evidence = evidence.and_then(|run| report::evidence(&run, workspace));
        let evidence = match evidence {
            Ok(evidence) => Some(evidence),
            Err(error) => {
                mistakes.push(format!("{error:#}"));
                None
            }
        };
        let peaks = evidence.as_ref().map(largest_peaks).unwrap_or_default();
        mistakes.extend(evidence.as_ref().and_then(|evidence| mistake(evidence, &peaks)));
        ensure!(mistakes.is_empty(), UsageErrors(mistakes));
        let evidence = evidence.context("reading the run")?;
        let environment = evidence.environment.clone().context("the run names no SkyPilot")?;
        let with_way = |peak: ExecutorPeak| {
            let repetition = Repetition::of(&peak, &evidence.plan);
            (peak, repetition)
        };
        let peaks = peaks.into_iter().take(flags.top).map(with_way).collect();
        Ok(Self { environment, peaks, evidence })
    }
}

/// Reason for which a run cannot be explained.
fn mistake(evidence: &Evidence, peaks: &[ExecutorPeak]) -> Option<String> {
    let name = &evidence.name;
    if !matches!(evidence.plan.server, ServerTarget::Isolated { .. }) {
        return Some(format!(
            "expected a run on an isolated server, got `{name}` on another one, of which no fresh \
             one can be started\n  hint: `cargo xtask load` without --server"
        ));
    }
    if peaks.is_empty() {
        return Some(format!(
            "run `{name}` names no requests: its executors were not read\n  hint: `cargo xtask \
             load` makes a run that names them"
        ));
    }
    evidence.environment.is_none().then(|| {
        format!("run `{name}` names no SkyPilot: environment.json is missing or unreadable")
    })
}
