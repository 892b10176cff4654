//! A profile alone: figures without a run around them, and without a verdict.

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

/// The profile of a run as one that was made outside of any.
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
    text::render_profile(report, &mut text).expect("memory takes everything");
    String::from_utf8(text).expect("it is text")
}

#[test]
fn a_profile_has_the_figures_of_the_run_that_it_was_made_beside() {
    let run = good_run(&four_users());
    let (whole, profile) = (Report::assemble(&run), ProfileReport::assemble(&alone(run)));
    let (of_run, alone) = (whole.memory.expect("profiled"), profile.memory.expect("profiled"));
    assert_eq!(of_run.classes, alone.classes);
    assert_eq!(of_run.tree_rss_peak, alone.tree_rss_peak);
    assert_eq!(
        whole.summary.expect("profiled").short_peak,
        profile.summary.expect("profiled").short_peak
    );
    assert_eq!(profile.notes, [""; 0]);
}

#[test]
fn the_first_seconds_of_a_profile_are_its_baseline() {
    let profile = ProfileReport::assemble(&alone(good_run(&four_users())));
    let summary = profile.summary.expect("there are ticks");
    // 11 readings at 10 % in the first two seconds, 15 at 90 % in the three after.
    assert!((summary.baseline_cpu - (11.0 * 10.0 + 15.0 * 90.0) / 26.0).abs() < 1e-9);
    assert!(summary.baseline_memory < ByteSize::gib(6));
}

#[test]
fn a_profile_is_rendered_without_budgets_and_without_a_verdict() {
    insta::assert_snapshot!(rendered(&ProfileReport::assemble(&alone(good_run(&four_users())))));
}

#[test]
fn proportional_memory_that_nobody_could_read_is_not_nothing() {
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
    let sum = text.lines().find(|line| line.contains("process tree PSS")).expect("it has a row");
    assert!(sum.ends_with(" -"), "{sum}");
}

#[test]
fn the_originals_figures_stand_beside_ours() {
    let mut profile = alone(good_run(&four_users()));
    let memory = |count, largest: u64, sum: u64| KeywordMemory {
        count,
        rss_sum: ByteSize::mib(sum),
        rss_max: ByteSize::mib(largest),
    };
    let none = KeywordMemory::default();
    for (millis, short) in [(0, none), (5_000, memory(2, 150, 240)), (10_000, memory(4, 140, 520))]
    {
        let look = UpstreamSample { at: at(millis), short, long: none };
        profile.lines.push(ProfileLine::Upstream(look));
    }
    let report = ProfileReport::assemble(&profile);
    let original = report.summary.expect("there are ticks").upstream.expect("it was asked for");
    assert_eq!(original.short_peak, Some(ByteSize::mib(150)));
    assert_eq!(original.short_average_peak, Some(ByteSize::mib(130)), "not of the same look");
    assert_eq!((original.long_peak, original.samples), (None, 3));
    let text = rendered(&report);
    let begin = text.find("EXECUTORS, in MiB").expect("it is shown");
    let end = text.find("\nMEMORY").expect("it comes before the memory");
    insta::assert_snapshot!(&text[begin..end]);
}

#[test]
fn what_puts_a_profile_in_doubt_is_said() {
    let mut run = good_run(&four_users());
    run.record(3).ending = Ending::Unread { unseen: None };
    run.processes.as_mut().expect("it is good").dropped_events = 2;
    run.profile.retain(|line| !matches!(line, ProfileLine::Footer { .. }));
    run.profile.push(ProfileLine::ServerGone { at: at(14_000) });
    for line in &mut run.profile {
        if let ProfileLine::Snapshot(snapshot) = line {
            snapshot.unread = 1;
        }
    }
    let notes = ProfileReport::assemble(&alone(run)).notes.join("\n");
    for words in [
        "short-executor: peak is a lower bound (1 process(es) exited without a final reading)",
        "kernel dropped process events",
        "the profiler did not end cleanly, or has not ended yet",
        "the server's main process exited after 14.0 s",
        "proportional memory of 1 process(es) could not be read after 2.0 s",
    ] {
        assert!(notes.contains(words), "{words}: {notes}");
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
fn a_profile_is_read_back_as_it_was_written() -> anyhow::Result<()> {
    let evidence = alone(good_run(&four_users()));
    let (_folder, profile) = written(&evidence)?;
    let read = ProfileEvidence::read(&profile)?;
    assert_eq!(ProfileReport::assemble(&read), ProfileReport::assemble(&evidence));
    Ok(())
}

#[test]
fn a_profile_that_breaks_off_is_rendered_and_says_so() -> anyhow::Result<()> {
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
