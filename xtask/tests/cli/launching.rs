//! Runs that launch on a cloud of a local server, which is the stand-in here.

use fake_sky::free_port;
use predicates::prelude::predicate;
use rstest::rstest;
use skyload::analysis::{ScenarioState, Verdict};
use skyload::record::profile::Phase;
use skyload::scenario::ScenarioId;

use crate::support::{Finished, Settings, Site};
use crate::system_servers::command;

/// Runs a load of a server on which AWS is enabled, with fast launches.
fn load(site: &Site, settings: &[(&str, &str)], args: &[&str]) -> anyhow::Result<Finished> {
    let home = site.path("home");
    std::fs::create_dir(&home)?;
    let quick = [("INFRA", "aws"), ("LAUNCH_MS", "50"), ("SLEEP_MS", "20")];
    let mut xtask = command(site, &home, free_port()?, &[&["-c", "aws"], args].concat())?;
    for (setting, value) in quick.iter().chain(settings) {
        xtask = xtask.fake(setting, value);
    }
    xtask.run()
}

#[test]
fn all_launches_succeed_and_are_torn_down() -> anyhow::Result<()> {
    let site = Site::new()?;
    let mix = "exec=1 launch_and_logs=1";
    let run = load(&site, &[], &["--yes", "-r", "all", "--api", "all", "--mix", mix])?;
    let report = run.expect(&site, Verdict::Pass)?;
    let ids: Vec<_> = report.scenarios.iter().map(|scenario| scenario.id).collect();
    // Named by a flag of its own.
    let is_run = |id: &ScenarioId| id.is_in_all() || *id == ScenarioId::ApiMix;
    assert!(ids.iter().copied().eq(ScenarioId::ALL.into_iter().filter(is_run)), "{ids:?}");
    for scenario in &report.scenarios {
        assert_eq!(scenario.state, ScenarioState::Succeeded, "{}", scenario.id);
    }
    let phases: Vec<_> = report.phases.iter().map(|span| span.phase).collect();
    let expected = [Phase::Baseline, Phase::SetUp, Phase::Load, Phase::TearDown, Phase::Cooldown];
    assert_eq!(phases, expected);
    let log = report.resources.expect("resources were launched");
    assert!(log.verified && log.left.is_empty(), "{log:?}");
    run.assert().stderr(predicate::str::contains("which costs money"));
    Ok(())
}

#[test]
fn scenarios_that_no_infra_supports_are_left_out_of_all() -> anyhow::Result<()> {
    let site = Site::new()?;
    let home = site.path("home");
    std::fs::create_dir(&home)?;
    let args = ["-c", "kubernetes", "--yes", "--api", "all"];
    let mut xtask = command(&site, &home, free_port()?, &args)?;
    for (setting, value) in [("INFRA", "kubernetes"), ("LAUNCH_MS", "50"), ("SLEEP_MS", "20")] {
        xtask = xtask.fake(setting, value);
    }
    let run = xtask.run()?;
    let report = run.expect(&site, Verdict::Pass)?;
    let left_out: Vec<_> = report.plan.left_out.iter().map(|left_out| left_out.id).collect();
    assert_eq!(left_out, [ScenarioId::ApiStartStop, ScenarioId::ApiAutostop]);
    run.assert().stderr(predicate::str::contains(
        "Left out: 2 that need an infra whose clusters can be stopped (list with -v)",
    ));
    Ok(())
}

#[rstest]
#[case::that_stays(
    ("SURVIVOR", "sky.down:1"),
    "not removed when the server was stopped: cluster skyload-"
)]
#[case::whose_end_fails(
    ("INFRA_FAIL", "sky.down:1"),
    "failed: down: HTTP 500 RuntimeError"
)]
#[case::that_cannot_be_launched(
    ("INFRA_FAIL", "sky.launch:1"),
    "setup of a cluster (skyload-"
)]
fn a_shared_cluster_fails_the_run(
    #[case] setting: (&str, &str),
    #[case] message: &str,
) -> anyhow::Result<()> {
    let site = Site::with(&Settings { teardown_timeout: "4s", ..Settings::default() })?;
    let run = load(&site, &[setting], &["--yes", "--api", "cluster_queue"])?;
    let report = run.expect(&site, Verdict::ScenarioFailed)?;
    let mut findings = report.findings.iter();
    assert!(findings.any(|finding| finding.message.contains(message)), "{:#?}", report.findings);
    Ok(())
}

#[test]
fn paid_launches_need_consent() -> anyhow::Result<()> {
    let site = Site::new()?;
    let failed = load(&site, &[], &["-r", "launch"])?;
    failed
        .assert()
        .code(2)
        .stdout("")
        .stderr(predicate::str::contains("launches 1 cluster,"))
        .stderr(predicate::str::contains("need --yes when stdin is not a terminal"));
    assert!(site.runs().is_empty(), "no run is created");
    Ok(())
}

#[test]
fn a_cloud_that_is_not_enabled_is_an_error_with_skypilots_message() -> anyhow::Result<()> {
    let site = Site::new()?;
    let failed = load(&site, &[("INFRA", "kubernetes")], &["-r", "launch", "--yes"])?;
    failed
        .assert()
        .code(2)
        .stderr(predicate::str::contains("-c: aws is not enabled on the server"))
        .stderr(predicate::str::contains("hint: fix the credentials"));
    site.assert_nothing_is_left();
    Ok(())
}
