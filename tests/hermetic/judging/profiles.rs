//! Reports of profiles that belong to no run: figures without a verdict.

use std::fs;

use skyload::analysis::{Evidence, LimitState, ProfileEvidence, ProfileReport, Report, Verdict};
use skyload::metric::{Amount, Limit, ServerMetric};
use skyload::record::profile::{Ending, KeywordMemory, Phase, ProfileLine, UpstreamSample};
use skyload::record::{JsonLines, ProfileDir, write_json};
use skyload::render::text;
use skyload::units::ByteSize;
use tempfile::TempDir;

use super::changes::Change;
use super::evidence::{at, four_users, good_run};

/// Evidence of a run's profile, as if it belonged to no run.
fn alone(mut run: Evidence) -> ProfileEvidence {
    for line in &mut run.profile {
        if let ProfileLine::Snapshot(snapshot) = line
            && snapshot.phase != Phase::Baseline
        {
            snapshot.phase = Phase::Watch;
        }
    }
    ProfileEvidence {
        profile: run.run,
        lines: run.profile,
        processes: run.processes,
        damage: Vec::new(),
    }
}

fn rendered(report: &ProfileReport) -> String {
    let mut text = Vec::new();
    text::render_profile(report, &mut text).expect("writing to memory cannot fail");
    String::from_utf8(text).expect("output is UTF-8")
}

#[test]
fn a_profile_has_the_same_figures_as_its_run() {
    let run = good_run(&four_users());
    let (whole, profile) = (Report::assemble(&run), ProfileReport::assemble(&alone(run)));
    let (of_run, alone) =
        (whole.memory.expect("the run is profiled"), profile.memory.expect("the run is profiled"));
    assert_eq!(of_run.classes, alone.classes);
    assert_eq!(of_run.tree_rss_peak, alone.tree_rss_peak);
    assert_eq!(
        whole.summary.expect("the run is profiled").short_peak,
        profile.summary.expect("the run is profiled").short_peak
    );
    assert_eq!(profile.notes, [""; 0]);
}

#[test]
fn the_first_seconds_of_a_profile_are_its_baseline() {
    let profile = ProfileReport::assemble(&alone(good_run(&four_users())));
    let summary = profile.summary.expect("the profile has samples");
    // 11 readings at 10 % in the first two seconds, 15 at 90 % in the three after.
    assert!((summary.baseline_cpu - (11.0 * 10.0 + 15.0 * 90.0) / 26.0).abs() < 1e-9);
    assert!(summary.baseline_memory < ByteSize::gib(6));
}

#[test]
fn a_profile_is_rendered_without_budgets_and_without_a_verdict() {
    insta::assert_snapshot!(rendered(&ProfileReport::assemble(&alone(good_run(&four_users())))));
}

#[test]
fn pss_that_could_not_be_read_is_not_zero() {
    let mut run = good_run(&four_users());
    let metric = ServerMetric::TreePss.into();
    run.plan.budgets = vec![Limit { metric, at_most: Some(Amount::Size(ByteSize::gib(1))) }];
    for line in &mut run.profile {
        if let ProfileLine::Snapshot(snapshot) = line {
            snapshot.classes.clear();
            snapshot.unread = 3;
        }
    }
    let report = Report::assemble(&run);
    assert_eq!(report.budgets[0].state, LimitState::NotMeasured);
    assert_eq!(report.verdict, Verdict::Inconclusive);
    let text = rendered(&ProfileReport::assemble(&alone(run)));
    let sum =
        text.lines().find(|line| line.contains("process tree PSS")).expect("the table has the row");
    assert!(sum.ends_with(" -"), "{sum}");
}

#[test]
fn upstream_figures_are_shown_next_to_peaks() {
    let mut profile = alone(good_run(&four_users()));
    let memory = |count, largest: u64, sum: u64| KeywordMemory {
        count,
        rss_sum: ByteSize::mib(sum),
        rss_max: ByteSize::mib(largest),
    };
    let none = KeywordMemory::default();
    for (millis, short) in [(0, none), (5_000, memory(2, 150, 240)), (10_000, memory(4, 140, 520))]
    {
        let sample = UpstreamSample { at: at(millis), short, long: none };
        profile.lines.push(ProfileLine::Upstream(sample));
    }
    let report = ProfileReport::assemble(&profile);
    let upstream = report
        .summary
        .expect("the profile has samples")
        .upstream
        .expect("upstream figures were requested");
    assert_eq!(upstream.short_peak, Some(ByteSize::mib(150)));
    assert_eq!(upstream.short_average_peak, Some(ByteSize::mib(130)), "from another sample");
    assert_eq!((upstream.long_peak, upstream.samples), (None, 3));
    let text = rendered(&report);
    let begin = text.find("EXECUTORS, in MiB").expect("the section is printed");
    let end = text.find("\nMEMORY").expect("the memory section follows");
    insta::assert_snapshot!(&text[begin..end]);
}

#[test]
fn events_and_incomplete_figures_of_a_profile_are_notes() {
    let mut run = good_run(&four_users());
    run.record(3).ending = Ending::Unread { unseen: None };
    run.processes.as_mut().expect("a good run has one").dropped_events = 2;
    run.profile.retain(|line| !matches!(line, ProfileLine::Footer { .. }));
    run.profile.push(ProfileLine::ServerGone { at: at(14_000) });
    for line in &mut run.profile {
        if let ProfileLine::Snapshot(snapshot) = line {
            snapshot.unread = 1;
        }
    }
    let notes = ProfileReport::assemble(&alone(run)).notes.join("\n");
    for note in [
        "short-executor: peak is a lower bound (1 process(es) exited without a final reading)",
        "kernel dropped process events",
        "the profiler did not end cleanly, or has not ended yet",
        "the server's main process exited after 14.0 s",
        "PSS of 1 process(es) could not be read after 2.0 s",
    ] {
        assert!(notes.contains(note), "{note}: {notes}");
    }
}

fn written(evidence: &ProfileEvidence) -> anyhow::Result<(TempDir, ProfileDir)> {
    let folder = tempfile::tempdir()?;
    let profile = ProfileDir::create(&folder.path().join(evidence.profile.as_str()))?;
    let mut lines = JsonLines::append_to(&profile.files().samples)?;
    evidence.lines.iter().try_for_each(|line| lines.push(line))?;
    lines.flush()?;
    if let Some(table) = &evidence.processes {
        write_json(&profile.files().processes, table)?;
    }
    Ok((folder, profile))
}

#[test]
fn a_profile_is_read_back_as_written() -> anyhow::Result<()> {
    let evidence = alone(good_run(&four_users()));
    let (_folder, profile) = written(&evidence)?;
    let read = ProfileEvidence::read(&profile)?;
    assert_eq!(ProfileReport::assemble(&read), ProfileReport::assemble(&evidence));
    Ok(())
}

#[test]
fn an_incomplete_profile_is_rendered_with_notes() -> anyhow::Result<()> {
    let evidence = alone(good_run(&four_users()));
    let (_folder, profile) = written(&evidence)?;
    let samples = profile.files().samples;
    let text = fs::read_to_string(&samples)?;
    fs::write(&samples, &text[..text.len() - 10])?;
    let text = rendered(&ProfileReport::assemble(&ProfileEvidence::read(&profile)?));
    assert!(text.starts_with("=====") && text.contains("short-executor"), "{text}");
    assert!(text.contains("samples.jsonl` ends in an incomplete line"), "{text}");
    assert!(text.contains("did not end cleanly"), "{text}");
    Ok(())
}
