//! Loads that last for a time: by flags, in a plan, and ended early by a threshold.

use predicates::prelude::{Predicate as _, predicate};
use rstest::rstest;
use skyload::analysis::{Severity, Verdict};
use skyload::scenario::ScenarioId;

use crate::support::{Settings, Site, assert_finding, scenario};

#[test]
fn an_arrival_rate_starts_its_iterations_and_has_a_row() -> anyhow::Result<()> {
    let site = Site::new()?;
    let run = site.load(["--api", "validate", "--rate", "10/s", "--for", "2s"]).run()?;
    let report = run.expect(&site, Verdict::Pass)?;
    let [stage] = &scenario(&report, ScenarioId::ApiValidate)?.segments[..] else {
        panic!("one stage: {:#?}", report.scenarios)
    };
    assert_eq!((stage.scheduled, stage.dropped), (20, Some(0)));
    run.assert()
        .stdout(predicate::str::contains("10/s for 2s"))
        .stderr(predicate::str::contains("Load of api:validate: 10/s for 2s, at most 500"));
    Ok(())
}

#[test]
fn scenarios_of_a_plan_have_shapes_of_their_own() -> anyhow::Result<()> {
    let site = Site::with(&Settings {
        more: r#"
            [plans.mixed]
            cli = "none"
            api = "validate api_status"
            users = 2
            infra = "none"
            iterations = 2
            baseline = "1s"
            cooldown = "1s"

            [plans.mixed.scenarios."api:validate"]
            stages = "4 in 1s, 4 for 1s"
            pause = "100ms"
        "#,
        ..Settings::default()
    })?;
    let run = site.load(["--plan", "mixed"]).run()?;
    let report = run.expect(&site, Verdict::Pass)?;
    let segments = |id| anyhow::Ok(scenario(&report, id)?.segments.len());
    assert_eq!(segments(ScenarioId::ApiValidate)?, 2, "a row for each stage");
    assert_eq!(segments(ScenarioId::ApiApiStatus)?, 2, "two synchronized iterations");
    Ok(())
}

#[rstest]
#[case::a_rate(&["--rate", "2/s"], false)]
#[case::a_closed_loop(&["-n", "2", "--ramp", "100ms"], true)]
fn a_ramp_is_announced_if_it_spreads_starts(
    #[case] flags: &[&str],
    #[case] is_announced: bool,
) -> anyhow::Result<()> {
    let site = Site::with(&Settings {
        more: r#"
            [plans.spread]
            infra = "none"
            ramp = "100ms"
            baseline = "1s"
            cooldown = "1s"
        "#,
        ..Settings::default()
    })?;
    let load = ["--plan", "spread", "--api", "validate", "--for", "1s"];
    let run = site.load(load.iter().chain(flags)).run()?;
    run.expect(&site, Verdict::Pass)?;
    let ramp = predicate::str::contains("Ramp: starts of users spread over 100ms");
    run.assert().stderr(predicate::function(|text: &str| ramp.eval(text) == is_announced));
    Ok(())
}

#[rstest]
#[case::breached(
    "[thresholds]\n\"api:validate\" = [{ when = \"max < 1us\", abort = true, after = \"1s\" }]",
    "10m",
    Verdict::ScenarioFailed
)]
#[case::met(
    "[thresholds]\n\"api:validate\" = [{ when = \"max < 1h\", abort = true, after = \"1s\" }]",
    "2s",
    Verdict::Pass
)]
fn a_breach_of_a_threshold_with_abort_ends_the_load(
    #[case] more: &'static str,
    #[case] time: &str,
    #[case] verdict: Verdict,
) -> anyhow::Result<()> {
    let site = Site::with(&Settings { more, ..Settings::default() })?;
    // In time only if the load ends before its own.
    let run = site.load(["--api", "validate", "--rate", "5/s", "--for", time]).run()?;
    let report = run.expect(&site, verdict)?;
    if verdict != Verdict::Pass {
        assert_finding(&report, Severity::Note, "by a breach of a threshold with `abort`");
        assert_finding(&report, Severity::ScenarioFailed, "api:validate max: ");
    }
    Ok(())
}
