//! Held connections: alone or beside a load, and what is lost of them.

use predicates::prelude::predicate;
use rstest::rstest;
use skyload::analysis::{ScenarioState, Severity, Verdict};
use skyload::scenario::ScenarioId::{ApiValidate, HoldStream};

use crate::support::{Site, assert_finding, scenario};

#[test]
fn connections_are_held_beside_a_load_until_it_ends() -> anyhow::Result<()> {
    let site = Site::new()?;
    let flags = ["--api", "validate", "-n", "1", "--for", "2s", "--hold", "stream=5"];
    let run = site.load(flags).run()?;
    let report = run.expect(&site, Verdict::Pass)?;
    let held = scenario(&report, HoldStream)?;
    assert_eq!((held.state, held.completed(), held.users), (ScenarioState::Succeeded, 5, 5));
    let [segment] = &held.segments[..] else { panic!("one segment: {held:#?}") };
    let load = &scenario(&report, ApiValidate)?.segments;
    assert!(load.iter().all(|stage| stage.ended <= segment.ended));
    run.assert().stderr(predicate::str::contains("5 held connections, health probe"));
    Ok(())
}

#[rstest]
#[case::in_time("hold:stream step first-line max < 1m", Verdict::Pass)]
#[case::late("hold:stream step first-line max < 1us", Verdict::ScenarioFailed)]
fn connections_alone_are_held_for_a_time_and_checked_against_thresholds(
    #[case] threshold: &str,
    #[case] verdict: Verdict,
) -> anyhow::Result<()> {
    let site = Site::new()?;
    let run = site.load(["--hold", "stream=5", "--for", "1s", "--threshold", threshold]).run()?;
    let report = run.expect(&site, verdict)?;
    assert_eq!(scenario(&report, HoldStream)?.completed(), 5);
    if verdict != Verdict::Pass {
        assert_finding(&report, Severity::ScenarioFailed, "hold:stream step first-line max: ");
    }
    run.assert()
        .stderr(predicate::str::contains("Plan default: 5 held connections, health probe at"))
        .stderr(predicate::str::contains("Load of hold:stream: 5 for 1s"));
    Ok(())
}

#[test]
fn streams_that_the_server_ends_fail_the_run() -> anyhow::Result<()> {
    let site = Site::new()?;
    let run =
        site.load(["--hold", "stream=2", "--for", "4s"]).fake("DROP_STREAMS_MS", "500").run()?;
    let report = run.expect(&site, Verdict::ScenarioFailed)?;
    assert_finding(&report, Severity::ScenarioFailed, "stream: HTTP 200 stream-ended");
    assert_finding(&report, Severity::Note, "reconnected after the loss of a connection");
    Ok(())
}
