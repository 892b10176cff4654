//! The original tool's rule beside ours, on one and the same machine.

use fake_sky::{FakeServer, http};
use serde_json::json;
use skyload::analysis::{MonitoringSummary, ProfileEvidence, ProfileReport};
use skyload::class::ProcessClass;
use skyload::ids::RunId;
use skyload::record::profile::ProfileLine;
use skyload::units::ByteSize;

use super::Bench;
use super::bench::{Owned, Profile};

fn looks(profile: &Profile) -> impl Iterator<Item = &skyload::record::profile::UpstreamSample> {
    profile.lines.iter().filter_map(|line| match line {
        ProfileLine::Upstream(look) => Some(look),
        _ => None,
    })
}

/// Waits until the original has looked so often.
fn let_it_look(bench: &Bench, times: usize) -> anyhow::Result<()> {
    while looks(&bench.read()?).count() < times {
        bench.let_it_tick()?;
    }
    Ok(())
}

fn summary(profile: Profile) -> MonitoringSummary {
    let report = ProfileReport::assemble(&ProfileEvidence {
        profile: RunId::generate(),
        lines: profile.lines,
        processes: Some(profile.table),
        damage: Vec::new(),
    });
    report.summary.expect("there are ticks")
}

#[test]
fn a_stranger_with_the_keyword_in_its_words_counts_for_the_original_alone() -> anyhow::Result<()> {
    let root = Owned::shell("read forever")?;
    let stranger = Owned::shell("read forever # SkyPilot:executor:short SkyPilot:executor:long")?;
    let bench = Bench::watch(&root, |options| options.upstream_figures = true)?;
    let_it_look(&bench, 2)?;
    let profile = bench.finish()?;
    // Other tests may have executors at the same time: at least one, then.
    assert!(looks(&profile).all(|look| look.short.count >= 1 && look.long.count >= 1));
    assert!(profile.record(stranger.pid()).is_none());
    let is_executor =
        |class| matches!(class, ProcessClass::ShortExecutor | ProcessClass::LongExecutor);
    assert!(!profile.table.processes.iter().any(|record| is_executor(record.class)));
    let summary = summary(profile);
    assert_eq!(summary.short_peak, None);
    assert!(summary.upstream.expect("it was asked for").short_peak.is_some());
    Ok(())
}

#[test]
fn a_spike_of_40_ms_is_in_ours_whether_or_not_the_original_saw_it() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_SPIKE_MIB", "96")])?;
    let bench = Bench::watch_pid(server.pid(), |options| {
        options.api_port = Some(server.port());
        options.upstream_figures = true;
    })?;
    let_it_look(&bench, 1)?;
    let response = http::post(&format!("{}/status", server.url()), &json!({}))?;
    http::get(&format!("{}/api/get?request_id={}", server.url(), response.request_id()?))?;
    let summary = summary(bench.finish()?);
    assert!(summary.short_peak.expect("one served") >= ByteSize::mib(96 + 24));
    assert!(summary.upstream.is_some());
    server.finish()
}

#[test]
fn nobody_looks_as_the_original_did_unless_asked_to() -> anyhow::Result<()> {
    let root = Owned::shell("read forever")?;
    let profile = Bench::watch(&root, |_| ())?.finish()?;
    assert_eq!(looks(&profile).count(), 0);
    Ok(())
}
