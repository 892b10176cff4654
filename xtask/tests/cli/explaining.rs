//! Explanations of peaks: `cargo xtask explain`.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;

use nix::sys::signal::Signal;
use predicates::prelude::{PredicateBooleanExt as _, predicate};
use skyload::analysis::Verdict;
use skyload::explanation::{Answer, Explanation};
use skyload::record::read_json;
use skyload::scenario::ScenarioId;
use skyload::units::ByteSize;

use crate::support::{Schema, Site, soon};

#[test]
fn the_request_behind_a_peak_is_traced_in_a_server_that_is_no_run() -> anyhow::Result<()> {
    let site = Site::new()?;
    let load = site.load(["--api", "status"]).fake("SERVICE_MS", 400).fake("DAEMONS", 0);
    let run = load.fake("REQUEST_MIB", "sky.status:60").run()?;
    run.expect(&site, Verdict::Pass)?;

    let explain = ["explain", "latest", "--top", "1"];
    let explained =
        site.xtask(explain).fake("REQUEST_MIB", "sky.status:60").fake("DAEMONS", 0).run()?;
    explained
        .assert()
        .code(0)
        .stdout(predicate::str::contains("\n  Repeated by api:status: first request of its"))
        .stdout(predicate::str::contains("sky/core.py:100"))
        .stdout(predicate::str::contains("\nIMPORT of SkyPilot"));
    site.assert_nothing_is_left();
    let folder = site.explanations().pop().expect("the explanation has a directory");
    let json: serde_json::Value = read_json(&folder.join("explanation.json"), "explanation")?;
    Schema::of(skyload::schema::EXPLANATION_FILE)?.check(&json)?;
    let explanation: Explanation = serde_json::from_value(json)?;
    assert!(explanation.import.is_some());
    let Answer::Repeated { scenario, trace, notes } = &explanation.peaks[0].answer else {
        panic!("{:#?}", explanation.peaks)
    };
    assert_eq!((*scenario, notes.as_slice()), (Some(ScenarioId::ApiStatus), &[][..]));
    assert_eq!(trace.growth(), ByteSize::mib(60));
    assert_eq!(
        trace.untraced(),
        Some(ByteSize::mib(30)),
        "allocations are those of a second server"
    );

    // Its servers are no runs, by any command.
    assert_eq!(site.runs().len(), 1);
    let server = fs::read_dir(folder.join("servers"))?.next().expect("one was started")?.path();
    let not_measured = predicate::str::contains("a server whose executors were traced");
    for command in ["report", "recommend", "explain"] {
        let refused = site.xtask([OsStr::new(command), server.as_os_str()]).run()?;
        refused.assert().code(2).stderr(not_measured.clone());
    }
    let servers = folder.join("servers");
    let list =
        site.xtask(["runs", "--out"].map(OsStr::new).into_iter().chain([servers.as_os_str()]));
    list.run()?.assert().code(0).stdout(predicate::str::contains("api:status").not());

    // Without the server's record no request can be repeated, so no server is started.
    fs::remove_file(run.run_dir()?.server_requests())?;
    let unexplained = site.xtask(explain).run()?;
    unexplained
        .assert()
        .code(12)
        .stdout(predicate::str::contains("\n  Not explained: "))
        .stdout(predicate::str::contains("\nNote: import: no server was started"));
    Ok(())
}

/// Explanation that a command of the site has written.
fn written(site: &Site) -> anyhow::Result<(PathBuf, Explanation)> {
    let folder = site.explanations().pop().expect("the explanation has a directory");
    let explanation = read_json(&folder.join("explanation.json"), "explanation")?;
    Ok((folder, explanation))
}

#[test]
fn an_iteration_that_fails_again_is_named_with_the_trace_that_it_left() -> anyhow::Result<()> {
    let site = Site::new()?;
    let load = site.load(["--api", "status"]).fake("SERVICE_MS", 400).fake("DAEMONS", 0);
    load.fake("REQUEST_MIB", "sky.status:60").run()?.expect(&site, Verdict::Pass)?;

    let explain = site.xtask(["explain", "latest", "--top", "1"]).fake("DAEMONS", 0);
    let explained = explain.fake("REQUEST_MIB", "sky.status:60").fake("FAIL", "sky.status:1");
    explained
        .run()?
        .assert()
        .stdout(predicate::str::contains("the iteration failed: see servers/"));
    let (folder, explanation) = written(&site)?;
    let Answer::Repeated { trace, notes, .. } = &explanation.peaks[0].answer else {
        panic!("{:#?}", explanation.peaks)
    };
    assert_eq!(trace.growth(), ByteSize::mib(60));
    let [first, second] = notes.as_slice() else { panic!("{notes:#?}") };
    assert!(first.starts_with("the iteration failed: see servers/"), "{first}");
    assert!(second.starts_with("under tracemalloc: the iteration failed: see "), "{second}");
    let servers = fs::read_dir(folder.join("servers"))?.count();
    assert_eq!(servers, 4, "a second server for each of the two traces");
    site.assert_nothing_is_left();
    Ok(())
}

#[test]
fn an_interrupted_explanation_names_what_it_has_not_explained() -> anyhow::Result<()> {
    let site = Site::new()?;
    let load = site.load(["--api", "status"]).fake("SERVICE_MS", 400).fake("DAEMONS", 0);
    load.fake("REQUEST_MIB", "sky.status:60").run()?.expect(&site, Verdict::Pass)?;

    let explain = site.xtask(["explain", "latest", "--top", "1"]).fake("SERVICE_MS", 90_000);
    let explain = explain.start()?;
    explain.says("Peak 1 of 1: ")?;
    soon("the server has an executor", || explain.executors().pop())?;
    explain.signal(Signal::SIGINT)?;
    let explained = explain.finish()?;
    explained.assert().code(12).stdout(predicate::str::contains("interrupted"));
    let (_, explanation) = written(&site)?;
    let Answer::NotExplained { reason } = &explanation.peaks[0].answer else {
        panic!("{:#?}", explanation.peaks)
    };
    assert!(reason.ends_with("interrupted"), "{reason}");
    site.assert_nothing_is_left();
    Ok(())
}

#[test]
fn all_mistakes_of_an_explanation_are_reported_at_once() -> anyhow::Result<()> {
    let site = Site::new()?;
    let refused = site.xtask(["explain", "nowhere", "--top", "0"]).run()?;
    refused
        .assert()
        .code(2)
        .stderr(predicate::str::contains("--top: expected a number of peaks from 1 on, got 0"))
        .stderr(predicate::str::contains("run `nowhere` not found"));
    Ok(())
}
