//! Launches that are cancelled, on a cloud of a local server, which is the stand-in here.

use fake_sky::free_port;
use predicates::prelude::predicate;
use skyload::analysis::{Severity, Verdict};
use skyload::record::outcome::RequestExecutor;
use skyload::scenario::ScenarioId::ApiLaunchCancel;

use crate::support::{Finished, Settings, Site, assert_finding, scenario};
use crate::system_servers::command;

/// Runs `api:launch_cancel` on a server where a launch takes a second.
fn load(site: &Site, settings: &[(&str, &str)], args: &[&str]) -> anyhow::Result<Finished> {
    let home = site.path("home");
    std::fs::create_dir(&home)?;
    let own = ["-c", "aws", "--yes", "--api", "launch_cancel", "--cancel-after", "300ms"];
    let mut xtask = command(site, &home, free_port()?, &[&own, args].concat())?;
    for (setting, value) in [("INFRA", "aws"), ("LAUNCH_MS", "1000")].iter().chain(settings) {
        xtask = xtask.fake(setting, value);
    }
    xtask.run()
}

#[test]
fn a_load_passes_if_all_launches_end_cancelled_or_finish() -> anyhow::Result<()> {
    let site = Site::new()?;
    let run = load(&site, &[], &["-n", "2", "--iterations", "2", "--probe-every", "2"])?;
    let report = run.expect(&site, Verdict::Pass)?;
    let steps = scenario(&report, ApiLaunchCancel)?.segments.iter().flat_map(|it| &it.steps);
    let count = |step: &str| {
        let of_step = steps.clone().filter(|(name, _)| *name == step);
        of_step.map(|(_, stats)| stats.count).sum::<u64>()
    };
    assert_eq!((count("launch"), count("cancel")), (2, 2));
    let log = report.resources.as_ref().expect("clusters were launched");
    assert!(log.verified && log.left.is_empty(), "{log:?}");
    run.assert().stderr(predicate::str::contains(
        "Launches of api:launch_cancel: cancelled after 300ms, 1 of 2 is a probe and must finish",
    ));
    Ok(())
}

#[test]
fn a_wedge_ends_the_load_by_a_threshold_and_is_named_with_its_executor() -> anyhow::Result<()> {
    let site = Site::with(&Settings {
        more: "[thresholds]\n\"api:launch_cancel\" = [{ when = \"error-rate < 1%\", abort = true }]",
        ..Settings::default()
    })?;
    let args = ["--for", "10m", "-n", "1", "--probe-every", "2", "--stuck-after", "4s"];
    // In time only if the load ends before its own.
    let run = load(&site, &[("WEDGE", "1")], &args)?;
    let report = run.expect(&site, Verdict::ScenarioFailed)?;
    assert_finding(&report, Severity::Note, "by a breach of a threshold with `abort`");
    let [wedge] = &scenario(&report, ApiLaunchCancel)?.suspected_wedges[..] else {
        panic!("one suspect: {:#?}", report.scenarios)
    };
    let RequestExecutor::Process(executor) = wedge.executor else { panic!("{wedge}") };
    let state = format!(
        "suspected wedge: RUNNING in executor {}; 1 request was cancelled there before: {}",
        executor.pid,
        &wedge.cancelled_before[0].request_id[..8]
    );
    assert_finding(&report, Severity::ScenarioFailed, &state);
    let log = report.resources.as_ref().expect("clusters were launched");
    assert!(log.verified && log.left.is_empty(), "{log:?}");
    Ok(())
}
