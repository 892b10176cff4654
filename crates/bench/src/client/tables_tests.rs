//! Tests of the tables, with fixed results.

use std::time::Duration;

use skyload::units::ByteSize;

use super::*;
use crate::client::http_client::Requests;
use crate::client::lateness::LatenessRound;
use crate::client::plan::ClientPlan;
use crate::client::requests::MemoryMeasurement;
use crate::client::result::ClientSetting;
use crate::flags::ClientPlanFlags;
use crate::result::LoadAverage;

fn cost(cpu: Duration, peak: u64) -> ProcessCost {
    ProcessCost { cpu, peak: ByteSize::mib(peak) }
}

fn requests_of(
    client: ClientKind,
    round: u32,
    micros_per_request: u64,
    peak: u64,
) -> RequestMeasurement {
    let cost = cost(Duration::from_micros(micros_per_request * 1000), peak);
    let requests = Requests { succeeded: 1000, failed: 0 };
    RequestMeasurement { round, client, requests, cost }
}

fn sdk_of(client: SdkClient, cpu: Duration, start_up: Duration) -> SdkMeasurement {
    let cost = cost(cpu, 20);
    SdkMeasurement { round: 0, client, succeeded: 100, failed: 0, start_up, cost }
}

fn latencies(micros: u64) -> Latencies {
    let mut latencies = Latencies::default();
    latencies.record(Duration::from_micros(micros));
    latencies
}

/// Results of two rounds with skyload, oha and wrk, the second one of a machine half as fast.
fn results() -> ClientResults {
    let flags = ClientPlanFlags { rounds: Some(2), quick: false, without_server: false };
    let (skyload, oha, wrk) = (ClientKind::Skyload, ClientKind::Oha, ClientKind::Wrk);
    let seconds = Duration::from_secs;
    ClientResults {
        version: 1,
        setting: ClientSetting {
            date: "2026-11-24".to_owned(),
            kernel: "6.18.1".to_owned(),
            cpus: 2,
            memory: ByteSize::gib(24),
            skyload: "0.1.0 (development build)".to_owned(),
            tools: vec!["oha 1.16.0".to_owned()],
            missing: vec!["Python session: no Python".to_owned()],
        },
        plan: ClientPlan::resolve(&flags),
        load_average: LoadAverage(3.5),
        requests: vec![
            requests_of(skyload, 0, 90, 20),
            requests_of(oha, 0, 60, 15),
            requests_of(wrk, 0, 30, 5),
            requests_of(skyload, 1, 200, 20),
            requests_of(oha, 1, 100, 15),
            requests_of(wrk, 1, 50, 5),
        ],
        memory: [2000, 200_000]
            .map(|iterations| MemoryMeasurement { iterations, cost: cost(seconds(1), 20) }),
        lateness: vec![LatenessRound {
            skyload: latencies(3000),
            timer_loop: latencies(2000),
            failed: 0,
        }],
        sdk: Some(SdkComparison {
            sky: "0.14.1".to_owned(),
            measurements: vec![
                sdk_of(SdkClient::Skyload, seconds(1), Duration::ZERO),
                sdk_of(SdkClient::Sdk, seconds(32), seconds(2)),
            ],
        }),
    }
}

fn as_markdown(results: &ClientResults) -> String {
    let mut out = Vec::new();
    markdown(results, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn ratios_are_of_the_same_round() {
    let text = as_markdown(&results());
    let oha = "| oha | 60 (60 to 100) | 1.50 (1.50 to 2.00) | 2000 | 0 | 15.0 |";
    assert!(text.contains(oha), "{text}");
}

#[test]
fn targets_are_checked_against_the_medians() {
    let text = as_markdown(&results());
    for row in [
        "| CPU per iteration, SkyPilot's SDK / skyload | at least 20 | 30.00 | met |",
        "| CPU per request, skyload / oha | at most 1.6 | 1.50 | met |",
        "| lateness p99, skyload / timer loop | at most 2 | 1.50 | met |",
        "| peak after the long load, in MiB | at most 30 | 20.00 | met |",
    ] {
        assert!(text.contains(row), "{row}: {text}");
    }
}

#[test]
fn a_missing_tool_has_a_row_and_a_reason() {
    let text = as_markdown(&results());
    assert!(text.contains("| Python session | not measured | - | - | - | - |"), "{text}");
    assert!(text.contains("Not measured: Python session: no Python"), "{text}");
}

#[test]
fn the_import_of_the_sdk_is_not_in_its_cpu_per_iteration() {
    let text = as_markdown(&results());
    let row = "| SkyPilot's SDK in threads | 300000 (300000 to 300000) | 100 | 0 | 2.0 | 20.0 |";
    assert!(text.contains(row), "{text}");
}

#[test]
fn results_without_a_server_have_no_table_of_one() {
    let results = ClientResults { sdk: None, ..results() };
    let text = as_markdown(&results);
    assert!(!text.contains("on a server"), "{text}");
    let row = "| CPU per iteration, SkyPilot's SDK / skyload | at least 20 | - | not measured |";
    assert!(text.contains(row), "{text}");
}

#[test]
fn failed_requests_are_a_warning() {
    let mut results = results();
    assert!(!as_markdown(&results).contains("Warning"));
    results.requests[0].requests.failed = 3;
    assert!(as_markdown(&results).contains("Warning: 3 requests or iterations failed"));
}

#[test]
fn the_terminal_has_the_same_rows() {
    let mut out = Vec::new();
    text(&results(), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains("skyload / timer loop") && text.contains("2026-11-24"), "{text}");
}
