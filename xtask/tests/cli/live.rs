//! Live page: `load --live`.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use predicates::prelude::{PredicateBooleanExt as _, predicate};
use serde_json::Value;
use skyload::analysis::Verdict;

use crate::support::{Running, Site, soon};

/// Address of the page, from the first line of standard error.
fn address(running: &Running<'_>) -> anyhow::Result<String> {
    soon("the page has an address", || {
        let text = running.stderr().ok()?;
        let address = text.lines().next()?.strip_prefix("Live page: http://")?;
        Some(address.strip_suffix('/')?.to_owned())
    })
}

/// Whole response to a request, read until the server closes the connection.
fn get(address: &str, path: &str, host: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address).context("connecting to the page")?;
    stream.set_read_timeout(Some(Duration::from_secs(90)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    Ok(response)
}

/// States in a stream of events, in their order.
fn states(stream: &str) -> anyhow::Result<Vec<Value>> {
    let blocks = stream.split("event: state").skip(1);
    let data =
        blocks.filter_map(|block| block.lines().find_map(|line| line.strip_prefix("data: ")));
    Ok(data.map(serde_json::from_str).collect::<Result<_, _>>()?)
}

#[test]
fn viewers_see_executors_with_their_memory_and_then_the_verdict() -> anyhow::Result<()> {
    let site = Site::new()?;
    let load = ["--api", "status", "-n", "2", "--live", "--format", "json"];
    let running = site.load(load).fake("EXECUTOR_MIB", 64).start()?;
    let address = address(&running)?;
    let viewers: Vec<_> = (0..2)
        .map(|_| {
            let address = address.clone();
            thread::spawn(move || get(&address, "/events", &address))
        })
        .collect();
    let page = get(&address, "/", &address)?;
    assert!(page.contains("</html>"), "{page}");
    assert!(get(&address, "/", "skyload.example")?.starts_with("HTTP/1.1 403"));

    let finished = running.finish()?;
    finished.expect_in_files(&site, Verdict::Pass)?;
    finished.assert().code(0).stdout(predicate::str::starts_with("{"));
    assert!(!finished.run_dir()?.progress().exists(), "nothing is left of the page");
    for viewer in viewers {
        let stream = viewer.join().expect("the viewer does not panic")?;
        assert!(stream.contains("event: charts") && stream.contains("event: end"), "{stream}");
        let states = states(&stream)?;
        let executors = states.iter().flat_map(|state| {
            let rows = state["memory"].as_array().into_iter().flatten();
            rows.filter(|row| row["class"] == "short-executor")
        });
        let peaks = executors.filter_map(|row| row["peak"].as_u64());
        let peak = peaks.max().map(|peak| peak >> 20);
        assert!(peak.is_some_and(|mib| (64..96).contains(&mib)), "{states:#?}");
        let last = states.last().context("there were states")?;
        assert_eq!(last["verdict"]["name"], "PASS");
        let scenario = &last["scenarios"][0];
        let ended = (&scenario["name"], &scenario["state"], &scenario["ended"]);
        assert_eq!(ended, (&"api:status".into(), &"done".into(), &2.into()));
    }
    Ok(())
}

#[test]
fn a_port_in_use_is_reported_with_other_mistakes_before_anything_runs() -> anyhow::Result<()> {
    let site = Site::new()?;
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = taken.local_addr()?.port().to_string();
    let run = site.load(["--live", &port, "--budget", "no-such=1MiB"]).run()?;
    let named = format!("--live: port {port} of 127.0.0.1 cannot be used: ");
    let stderr = predicate::str::contains(named).and(predicate::str::contains("no-such"));
    run.assert().code(2).stderr(stderr);
    assert!(run.run.is_none());
    Ok(())
}
