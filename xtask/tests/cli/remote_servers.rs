//! `--server URL`: a server that is elsewhere, as far as a run can tell.

use fake_sky::FakeServer;
use predicates::prelude::{PredicateBooleanExt as _, predicate};
use skyload::report::{Severity, Verdict};

use crate::support::{Site, assert_finding};

#[test]
fn a_remote_server_is_loaded_and_left_alone() -> anyhow::Result<()> {
    let site = Site::new()?;
    let server = FakeServer::start(&[])?;
    let pid = server.main().map(|main| main.pid);
    let url = server.url();
    let run = site.load(["--server", &url, "--apis", "all", "-r", "all"]).run()?;
    let report = run.expect(&site, Verdict::Pass)?;
    assert_finding(&report, Severity::Note, "its memory was not measured");
    assert!(report.summary.is_none() && report.memory.is_none() && report.budgets.is_empty());
    run.assert()
        .stdout(predicate::str::contains("MONITORING SUMMARY").not())
        .stdout(predicate::str::contains("api:cli_status"))
        .stderr(predicate::str::contains("no restart, no memory profile"));
    assert_eq!(server.main().map(|main| main.pid), pid, "nobody has restarted it");
    server.finish()
}

#[test]
fn a_remote_server_that_is_not_there_is_an_error() -> anyhow::Result<()> {
    let site = Site::new()?;
    let run = site.load(["--server", "http://127.0.0.1:9"]).run()?;
    run.assert()
        .code(1)
        .stderr(predicate::str::contains("the server at http://127.0.0.1:9/ cannot be loaded"))
        .stderr(predicate::str::contains("hint: check the address"));
    Ok(())
}
