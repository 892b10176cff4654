//! Mixes: each iteration is one operation, drawn by weights.

use std::collections::BTreeMap;

use fake_sky::FakeServer;
use skyload::record::outcome::ScenarioOutcome;
use skyload::scenario::{Mix, ScenarioId};
use skyload::shape::{LoadShape, Model, StageList, Timed};

use super::TestRun;
use super::test_run::{counts, kinds};

/// Run of a mix at an arrival rate of 50/s for 2 s.
fn mixed(server: &FakeServer, mix: &str, seed: u64) -> anyhow::Result<TestRun> {
    let StageList::Rates(stages) = "50/s for 2s".parse().expect("stages") else {
        anyhow::bail!("a rate");
    };
    let timed = Timed {
        model: Model::Arrivals { stages },
        warm_up: std::time::Duration::ZERO,
        graceful_stop: std::time::Duration::from_secs(30),
    };
    let mix: Mix = mix.parse()?;
    Ok(TestRun::of(server, &[ScenarioId::ApiMix])?.users(500, 500).with_plan(|plan| {
        plan.seed = seed;
        plan.scenarios[0].shape = LoadShape::Timed(timed);
        plan.scenarios[0].mix = Some(mix);
    }))
}

/// Number of iterations of each operation.
fn operations(outcome: &ScenarioOutcome) -> BTreeMap<String, u64> {
    let steps = outcome.segments.iter().flat_map(|segment| &segment.steps);
    let operations = steps.filter(|(step, _)| step.starts_with("operation "));
    operations.map(|(step, durations)| (step.clone(), durations.count())).collect()
}

#[tokio::test]
async fn iterations_are_operations_in_proportion_to_their_weights() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let outcome = mixed(&server, "validate=8 api_status=2", 1)?.run().await?;
    let segment = &outcome.segments[0];
    assert_eq!(counts(segment), (100, 0, 0), "{:?}", kinds(segment));
    let operations = operations(&outcome);
    assert_eq!(operations.values().sum::<u64>(), 100, "{operations:?}");
    assert!((65..=92).contains(&operations["operation validate"]), "{operations:?}");
    // Steps of an operation have their own names.
    assert_eq!(segment.steps["validate"].count(), operations["operation validate"]);
    assert_eq!(segment.steps["api_status"].count(), operations["operation api_status"]);
    Ok(())
}

#[tokio::test]
async fn two_runs_with_one_seed_send_the_same_operations() -> anyhow::Result<()> {
    // One server is slow, so that its iterations have other user numbers.
    let (slow, quick) =
        (FakeServer::start(&[("FAKE_SKY_SERVICE_MS", "300")])?, FakeServer::start(&[])?);
    let mix = "validate=1 status=1 api_status=1";
    let first = operations(&mixed(&slow, mix, 7)?.run().await?);
    let same = operations(&mixed(&quick, mix, 7)?.run().await?);
    let other = operations(&mixed(&quick, mix, 8)?.run().await?);
    assert_eq!(first, same);
    assert_ne!(first, other);
    Ok(())
}

#[tokio::test]
async fn an_operation_that_fails_is_a_failed_iteration() -> anyhow::Result<()> {
    // Each tenth one.
    let server = FakeServer::start(&[("FAKE_SKY_FAIL", "sky.status:10")])?;
    let outcome = mixed(&server, "status=1 validate=1", 1)?.run().await?;
    let segment = &outcome.segments[0];
    let failed = operations(&outcome)["operation status"] / 10;
    assert!(failed > 0);
    assert_eq!(counts(segment), (100 - failed, 0, failed), "{:?}", kinds(segment));
    Ok(())
}

#[tokio::test]
async fn without_the_cluster_of_one_operation_all_iterations_fail() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_INFRA", "kubernetes")])?;
    let test = mixed(&server, "cluster_queue=1 validate=9", 1)?.on(&["kubernetes"]);
    let outcome = test.run().await?;
    let segment = &outcome.segments[0];
    assert_eq!((segment.succeeded, segment.failed), (0, 500), "{:?}", kinds(segment));
    Ok(())
}
