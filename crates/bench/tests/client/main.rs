//! Benchmark of the load generator as a process: a whole run with skyload alone.

#![cfg(target_os = "linux")]

use std::fs;
use std::process::{Command, Output};

use anyhow::{Context, ensure};
use serde_json::Value;
use tempfile::TempDir;

/// Program of the benchmark.
const PROGRAM: &str = env!("CARGO_BIN_EXE_bench");

/// Runs the benchmark with small counts and without a server, and returns its results.
fn run(flags: &[&str]) -> anyhow::Result<(TempDir, Output)> {
    let folder = tempfile::tempdir()?;
    let mut command = Command::new(PROGRAM);
    command.arg("client").arg(folder.path()).args(["--quick", "--without-server"]);
    let output = command.args(["--memory", "1073741824"]).args(flags).output()?;
    Ok((folder, output))
}

#[test]
fn skyload_is_measured_where_no_other_tool_is() -> anyhow::Result<()> {
    let (folder, output) = run(&["--missing", "oha: not compiled"])?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{stderr}");
    let results = fs::read(folder.path().join("client.json")).context("reading the results")?;
    let results: Value = serde_json::from_slice(&results)?;
    let [measurement] = results["requests"].as_array().context("no list")?.as_slice() else {
        anyhow::bail!("expected one measurement: {results}");
    };
    assert_eq!(measurement["client"], "skyload");
    assert_eq!(measurement["requests"]["failed"], 0);
    assert!(measurement["requests"]["requests"].as_u64() > Some(0), "{measurement}");
    let [short, long] = [0, 1].map(|load| results["memory"][load]["iterations"].as_u64());
    assert!(short > Some(0) && long >= Some(20_000), "{short:?} {long:?}");
    assert!(results["memory"][1]["cost"]["peak"].as_u64() > Some(1 << 20));
    let lateness = &results["lateness"][0];
    // A busy machine makes skyload drop arrivals.
    let dropped = lateness["failed"].as_u64().context("no count")?;
    for (name, expected) in [("skyload", 2000 - dropped), ("timer-loop", 2000)] {
        let lateness = lateness[name].as_array().context("no distribution")?;
        let starts: u64 = lateness.iter().filter_map(|bucket| bucket[1].as_u64()).sum();
        assert!(starts > 0);
        assert_eq!(starts, expected, "{name}");
    }
    assert_eq!(results["sdk"], Value::Null);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("Not measured: oha: not compiled"), "{text}");
    let tables = fs::read_to_string(folder.path().join("client.md"))?;
    assert!(tables.contains("| oha | not measured | - | - | - | - |"), "{tables}");
    Ok(())
}

#[test]
fn a_tool_that_fails_fails_the_benchmark_with_its_message() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let oha = folder.path().join("oha");
    fs::write(&oha, "#!/bin/sh\necho 'no such option' >&2\nexit 2\n")?;
    let mut permissions = fs::metadata(&oha)?.permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
    fs::set_permissions(&oha, permissions)?;
    let path = oha.to_str().context("not UTF-8")?;
    let (_folder, output) = run(&["--oha", path])?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("measuring oha") && stderr.contains("no such option"), "{stderr}");
    Ok(())
}
