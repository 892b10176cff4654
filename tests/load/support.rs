//! Driver of all live scenarios: finds the run, drives a scenario, asserts its success.

use anyhow::{Context, ensure};
use skyload::analysis::{ScenarioState, state};
use skyload::plan::LoadPlan;
use skyload::record::{RunDir, read};
use skyload::scenario::ScenarioId;
use skyload::{env, traffic};

/// Drives a scenario of the run that `SKYLOAD_RUN_DIR` names, and fails unless the scenario
/// succeeds.
pub(crate) async fn drive(id: ScenarioId) -> anyhow::Result<()> {
    let path = env::path(env::RUN_DIR).with_context(|| {
        format!("{} is not set\n  hint: start live scenarios with `cargo xtask load`", env::RUN_DIR)
    })?;
    let run = RunDir::open(&path)?;
    let plan: LoadPlan = read(&run.plan())?;

    let outcome = traffic::drive(&run, id).await?;

    for kind in outcome.segments.iter().flat_map(|segment| segment.tally.kinds()) {
        let reason = kind.expected_because.as_ref().or(kind.expected_only_on.as_ref());
        println!("{}x {} ({reason:?})", kind.count, kind.example);
    }
    let state = state(&outcome, &plan);
    ensure!(
        state == ScenarioState::Succeeded,
        "{id}: expected state Succeeded, got {state:?}; failures are listed above and in {}",
        run.outcome(id).display()
    );
    Ok(())
}
