//! Requests that make executors grow, named in every form of a run's report.

use std::fs;

use fake_sky::free_port;
use predicates::prelude::predicate;
use skyload::analysis::{NameSource, RequestKind, Verdict};
use skyload::class::ProcessClass;
use skyload::units::ByteSize;

use crate::support::Site;
use crate::system_servers::command;

/// One run for both: the daemon takes more than the requests, in other executors.
#[test]
fn a_request_and_a_daemon_that_take_memory_are_named() -> anyhow::Result<()> {
    const DAEMON: &str = "skypilot-status-refresh-daemon";
    let site = Site::new()?;
    let run = site
        .load(["--api", "status"])
        .fake("SERVICE_MS", 400)
        .fake("REQUEST_MIB", "sky.status:60,sky.status-refresh:90")
        .run()?;
    let report = run.expect(&site, Verdict::Pass)?;
    let attribution = report.attribution.as_ref().expect("executors were read");
    assert_eq!(attribution.names, NameSource::Complete);
    let short = attribution.class(ProcessClass::ShortExecutor).expect("some ran");
    let daemon = RequestKind::Daemon(DAEMON.to_owned());
    assert_eq!(short.cause.kind(), Some(&daemon), "{short:#?}");
    let without = short.without.as_ref().expect("other executors peaked by requests");
    assert!(without.peak < short.peak && without.peak > ByteSize::mib(70), "{without:?}");

    let status = RequestKind::Named("sky.status".to_owned());
    let cost = attribution.costs.iter().find(|cost| cost.kind == status);
    let cost = cost.expect("requests of 400 ms are seen");
    assert!(cost.growth_max > Some(ByteSize::mib(55)), "{cost:?}");
    assert!(cost.stayed_max < Some(ByteSize::mib(40)), "the memory was freed: {cost:?}");

    let page = fs::read_to_string(run.run_dir()?.report_html())?;
    let cause = format!("daemon {DAEMON}");
    assert!(page.contains(&cause) && page.contains("sky.status</"), "the page names both");
    run.assert()
        .stdout(predicate::str::is_match(format!(r"short-executor peak [\d.]+ MiB: {cause}"))?)
        .stdout(predicate::str::is_match(r"(?m)^  sky\.status +\d+ +\d+")?);
    Ok(())
}

/// With a cloud, the check of the infra needs more memory than most requests of a load.
#[test]
fn the_check_of_an_infra_before_the_load_is_named() -> anyhow::Result<()> {
    let site = Site::new()?;
    let home = site.path("home");
    fs::create_dir(&home)?;
    let args = ["-c", "aws", "--yes", "--api", "launch_and_logs"];
    let mut xtask = command(&site, &home, free_port()?, &args)?;
    let quick = [("LAUNCH_MS", "50"), ("SLEEP_MS", "20"), ("SERVICE_MS", "400")];
    for (setting, value) in quick.iter().chain(&[("INFRA", "aws"), ("REQUEST_MIB", "sky.check:80")])
    {
        xtask = xtask.fake(setting, value);
    }
    let report = xtask.run()?.expect(&site, Verdict::Pass)?;
    let attribution = report.attribution.as_ref().expect("executors were read");
    let short = attribution.class(ProcessClass::ShortExecutor).expect("some ran");
    let check = RequestKind::Named("sky.check".to_owned());
    assert_eq!(short.cause.kind(), Some(&check), "{short:#?}");
    Ok(())
}
