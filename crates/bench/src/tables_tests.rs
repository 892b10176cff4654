//! Tests of the tables, with fixed results.

use super::*;
use crate::candidate::{Candidate, Kind};
use crate::effect::Window;
use crate::plan::Plan;
use crate::result::{Accuracy, LoadAverage, Overhead, Setting};
use crate::statistics::{Hertz, Micros, Ratio};
use skyload::profiler::LevelChoice;
use skyload::record::profile::ProfilerLevel;

const MILLI: Duration = Duration::from_millis(1);

fn one<T: Copy>(value: T) -> Spread<T> {
    Spread { median: value, min: value, max: value }
}

fn recall(seen: usize, within: usize, max_shortfall: u64) -> Recall {
    Recall {
        processes: 60,
        seen,
        within_half_mib: within,
        within_5_mib: within,
        shortfall_median: ByteSize(0),
        shortfall_p90: ByteSize(0),
        shortfall_max: ByteSize::mib(max_shortfall),
        excess_max: ByteSize(0),
    }
}

fn overhead(candidate: usize, micros: f64, ratio: f64) -> Overhead {
    Overhead {
        workers: 100,
        candidate,
        cpu_micros_per_sample: one(Micros(micros)),
        ratio_to_ours: one(Ratio(ratio)),
        achieved_hertz: one(Hertz(4.8)),
        memory: ByteSize::mib(12),
        accounts: vec![Account { own: MILLI, from_outside: MILLI }],
    }
}

fn window(profiled: bool, millis: u32) -> Window {
    let mut window = Window { profiled, ..Window::default() };
    window.health.record(MILLI * millis);
    window.status.record(MILLI * 10 * millis);
    window
}

fn results() -> BenchResults {
    let asked = LevelChoice::Best;
    let kind = Kind::Skyload { asked, level: ProfilerLevel::ExitRecords, kernel_events: true };
    let candidate = |kind, interval| Candidate { kind, interval };
    let accuracy = |candidate, spikes| Accuracy { candidate, spikes, brief: recall(51, 20, 77) };
    let windows = vec![window(false, 10), window(true, 11), window(true, 10), window(false, 12)];
    BenchResults {
        version: 1,
        setting: Setting {
            date: "2026-11-24".to_owned(),
            kernel: "6.18.1".to_owned(),
            cpus: 2,
            memory: ByteSize::gib(24),
            other_processes: 90,
            skyload: "0.1.0 (development build)".to_owned(),
            psutil: "psutil 7.2.2 on Python 3.11.7".to_owned(),
            sysinfo: "0.40.1".to_owned(),
        },
        plan: Plan {
            workers: vec![100],
            rounds: 3,
            window: Duration::from_secs(5),
            spikes_per_round: 20,
            brief_per_round: 40,
            server: None,
            seed: 1,
        },
        candidates: vec![candidate(kind, 50 * MILLI), candidate(Kind::Psutil, 200 * MILLI)],
        unavailable: vec!["sampled RSS: not available here (no reason)".to_owned()],
        load_average: LoadAverage(3.5),
        overheads: vec![overhead(0, 400.0, 1.0), overhead(1, 10_000.0, 25.0)],
        accuracies: vec![accuracy(0, recall(60, 60, 0)), accuracy(1, recall(60, 10, 299))],
        effect: Some(Effect {
            sky: "0.14.1".to_owned(),
            windows,
            cpu_micros_per_sample: one(Micros(500.0)),
        }),
    }
}

fn as_markdown(results: &BenchResults) -> String {
    let mut out = Vec::new();
    markdown(results, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_first_line_has_date_tools_and_machine() {
    let text = as_markdown(&results());
    let first = text.lines().next().unwrap();
    for part in [
        "2026-11-24",
        "psutil 7.2.2",
        "sysinfo 0.40.1",
        "2 CPUs",
        "Linux 6.18.1",
        "load average 3.5",
    ] {
        assert!(first.contains(part), "{part}: {first}");
    }
}

#[test]
fn an_overhead_is_shown_with_its_ratio_and_its_share_of_a_core() {
    let text = as_markdown(&results());
    let skyload =
        "| skyload: exit records + kernel events | 100 | 400 (400 to 400) | 1.0 | 0.80 % |";
    let psutil = "| psutil loop | 100 | 10000 (10000 to 10000) | 25.0 | 5.00 % | 4.8 | 5 | 12.0 |";
    assert!(text.contains(skyload) && text.contains(psutil), "{text}");
}

#[test]
fn recall_is_shown_with_the_number_of_processes() {
    let text = as_markdown(&results());
    assert!(text.contains("| psutil loop | 10/60 | 10/60 | 0.0 MiB | 299.0 MiB |"), "{text}");
    assert!(
        text.contains("| psutil loop | 51/60 | 20/60 | 20/60 | 0.0 MiB | 77.0 MiB |"),
        "{text}"
    );
}

#[test]
fn the_terminal_has_the_same_rows() {
    let mut out = Vec::new();
    text(&results(), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains("skyload: exit records + kernel events"), "{text}");
    assert!(text.contains("sampled RSS: not available here (no reason)"), "{text}");
}

#[test]
fn a_change_within_the_variation_between_windows_is_not_significant() {
    let millis = |times: [u32; 2]| times.map(|time| MILLI * time);
    let [.., ratio, variation, difference] = comparison(&millis([100, 120]), &millis([110, 115]));
    assert_eq!((ratio.as_str(), variation.as_str()), ("1.10", "up to 1.20 times"));
    assert_eq!(difference, "not significant");
    let [.., difference] = comparison(&millis([100, 102]), &millis([150, 151]));
    assert_eq!(difference, "slower");
    let [.., difference] = comparison(&millis([150, 151]), &millis([100, 102]));
    assert_eq!(difference, "faster");
    let [.., difference] = comparison(&[100 * MILLI], &millis([100, 102]));
    assert_eq!(difference, "not measured");
}

#[test]
fn accounts_that_differ_are_a_warning() {
    let mut results = results();
    assert!(!as_markdown(&results).contains("Warning"));
    results.overheads[0].accounts = vec![Account { own: 1000 * MILLI, from_outside: 500 * MILLI }];
    assert!(as_markdown(&results).contains("Warning: CPU times"));
}

#[test]
fn results_without_a_server_have_no_table_of_one() {
    let results = BenchResults { effect: None, ..results() };
    let text = as_markdown(&results);
    assert!(!text.contains("with/without") && !text.contains("With the server"), "{text}");
}
