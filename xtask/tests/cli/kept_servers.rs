//! `--keep-server`: servers that stay after the run.

use anyhow::Context as _;
use fake_sky::http;
use predicates::prelude::predicate;
use skyload::analysis::Verdict;
use skyload::record::environment::Environment;
use skyload::record::{RunDir, read};

use crate::support::Site;

#[test]
fn a_kept_server_responds_until_the_next_run_removes_it() -> anyhow::Result<()> {
    let site = Site::new()?;
    let results = site.path("results");
    let out = results.display().to_string();
    let line =
        ["--api", "status", "--keep-server", "--budget", "leaked-processes=0", "--out", &out];
    let keeping = site.load(line).run()?;
    keeping.assert().code(0).stdout(predicate::str::contains(
        "note: leaked-processes: budget skipped, the server was kept running",
    ));
    let kept = RunDir::open(&results.join("latest"))?;
    let environment: Environment = read(&kept.environment())?;
    let endpoint = environment.client.endpoint.to_string();
    let endpoint = endpoint.trim_end_matches('/');
    assert!(http::is_healthy(endpoint));

    let next = site.load(["--api", "validate"]).run()?;
    next.expect(&site, Verdict::Pass)?;
    let note = format!("Cleaned up after run {}, which kept its server: ", kept.id());
    next.assert().stderr(predicate::str::contains(note));
    // By its process: another server may have its port by now.
    let server = environment.server.identity.context("the server is on this machine")?;
    assert!(!server.is_alive());
    Ok(())
}
