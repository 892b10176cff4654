//! What all live scenarios share: find the run, drive, assert.

use anyhow::{Context, ensure};
use skyload::analysis::{ScenarioState, state};
use skyload::plan::LoadPlan;
use skyload::record::{RunDir, read};
use skyload::scenario::ScenarioId;
use skyload::{env, traffic};

/// Drives a scenario of the run that this test was started for.
pub(crate) async fn drive(id: ScenarioId) -> anyhow::Result<()> {
    let path = env::path(env::RUN_DIR).with_context(|| {
        format!(
            "{} is not set\n  hint: live scenarios are started by `cargo xtask load`",
            env::RUN_DIR
        )
    })?;
    let run = RunDir::open(&path)?;
    let plan: LoadPlan = read(&run.plan())?;

    let outcome = traffic::drive(&run, id).await?;

    for kind in outcome.segments.iter().flat_map(|segment| segment.tally.kinds()) {
        let why = kind.expected_because.as_ref().or(kind.expected_only_on.as_ref());
        println!("{}x {} ({why:?})", kind.count, kind.example);
    }
    let state = state(&outcome, plan.error_rate(id));
    ensure!(
        state == ScenarioState::Succeeded,
        "{id} ended as {state:?}; what failed stands above and in {}",
        run.outcome(id).display()
    );
    Ok(())
}
