//! Samples by the rule of upstream's tool, compared with the profiler's own.

use fake_sky::{FakeServer, http};
use serde_json::json;
use skyload::analysis::{MonitoringSummary, ProfileEvidence, ProfileReport};
use skyload::class::ProcessClass;
use skyload::ids::RunId;
use skyload::record::profile::ProfileLine;
use skyload::units::ByteSize;

use super::ProfilerHarness;
use super::harness::{Profile, TestProcess};

fn upstream_samples(
    profile: &Profile,
) -> impl Iterator<Item = &skyload::record::profile::UpstreamSample> {
    profile.lines.iter().filter_map(|line| match line {
        ProfileLine::Upstream(sample) => Some(sample),
        _ => None,
    })
}

/// Waits until there are `count` samples by upstream's rule.
fn wait_for_upstream_samples(harness: &ProfilerHarness, count: usize) -> anyhow::Result<()> {
    while upstream_samples(&harness.read()?).count() < count {
        harness.wait_for_sample()?;
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
    report.summary.expect("there are samples")
}

#[test]
fn a_foreign_process_with_the_keyword_counts_only_by_upstreams_rule() -> anyhow::Result<()> {
    let root = TestProcess::shell("read forever")?;
    let foreign =
        TestProcess::shell("read forever # SkyPilot:executor:short SkyPilot:executor:long")?;
    let harness = ProfilerHarness::start(&root, |options| options.upstream_figures = true)?;
    wait_for_upstream_samples(&harness, 2)?;
    let profile = harness.finish()?;
    // Other tests may run executors at the same time, so the counts may be higher than 1.
    assert!(
        upstream_samples(&profile).all(|sample| sample.short.count >= 1 && sample.long.count >= 1)
    );
    assert!(profile.record(foreign.pid()).is_none());
    let is_executor =
        |class| matches!(class, ProcessClass::ShortExecutor | ProcessClass::LongExecutor);
    assert!(!profile.table.processes.iter().any(|record| is_executor(record.class)));
    let summary = summary(profile);
    assert_eq!(summary.short_peak, None);
    assert!(summary.upstream.expect("upstream figures were requested").short_peak.is_some());
    Ok(())
}

#[test]
fn a_spike_of_40_ms_is_in_the_peak_even_if_upstream_misses_it() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_SPIKE_MIB", "96")])?;
    let harness = ProfilerHarness::start_for_pid(server.pid(), |options| {
        options.api_port = Some(server.port());
        options.upstream_figures = true;
    })?;
    wait_for_upstream_samples(&harness, 1)?;
    let response = http::post(&format!("{}/status", server.url()), &json!({}))?;
    http::get(&format!("{}/api/get?request_id={}", server.url(), response.request_id()?))?;
    let summary = summary(harness.finish()?);
    assert!(summary.short_peak.expect("an executor ran") >= ByteSize::mib(96 + 24));
    assert!(summary.upstream.is_some());
    server.finish()
}

#[test]
fn upstream_samples_are_taken_only_on_request() -> anyhow::Result<()> {
    let root = TestProcess::shell("read forever")?;
    let profile = ProfilerHarness::start(&root, |_| ())?.finish()?;
    assert_eq!(upstream_samples(&profile).count(), 0);
    Ok(())
}
