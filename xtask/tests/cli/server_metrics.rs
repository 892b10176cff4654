//! `--metrics` and `--metrics-url`: the server's own metrics, read beside the load.

use std::os::unix::fs::symlink;

use fake_sky::FakeServer;
use predicates::prelude::{PredicateBooleanExt as _, predicate};
use skyload::analysis::{LimitState, ServerView, Severity, ThresholdState, Verdict};
use skyload::class::ProcessClass;
use skyload::metric::{Metric, ScenarioMetric, ServerFigure};

use skyload::record::server_metrics::Quantile;

use crate::support::{Settings, Site, Xtask, assert_finding};

/// Site whose runs scrape often, for servers that make snapshots often.
fn site() -> anyhow::Result<Site> {
    let more = "[server-metrics]\ninterval = \"100ms\"";
    Site::with(&Settings { more, ..Settings::default() })
}

/// Load of an isolated server with metrics, whose module is started by a Python: the stand-in under
/// that name.
fn load_with_metrics<'a>(site: &'a Site, args: &[&str]) -> anyhow::Result<Xtask<'a>> {
    let python = site.path("python");
    symlink(fake_sky::executable(), &python)?;
    let load = site.load(["--metrics"].iter().chain(args));
    Ok(load.fake("PYTHON", python.display()).fake("METRICS_TTL_MS", 300))
}

/// Median lag of the server's event loop.
fn lag(view: &ServerView) -> Option<std::time::Duration> {
    view.quantile(&ServerFigure::Lag, ScenarioMetric::P50).map(Quantile::duration)
}

/// Settings of a server that exports its metrics.
fn exporting<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let settings = [
        ("SKY_API_SERVER_METRICS_ENABLED", "true"),
        ("PROMETHEUS_MULTIPROC_DIR", "/nowhere"),
        ("FAKE_SKY_METRICS_TTL_MS", "300"),
    ];
    settings.into_iter().chain(more.iter().copied()).collect()
}

#[test]
fn an_isolated_server_exports_its_metrics_on_a_port_of_its_own() -> anyhow::Result<()> {
    let site = site()?;
    let run = load_with_metrics(&site, &[])?.run()?;
    let report = run.expect(&site, Verdict::Pass)?;
    let view = report.server_view.expect("the server's metrics were read");
    assert!(view.is_complete() && view.failed_scrapes == 0, "{view:?}");
    assert!(lag(&view).is_some() && view.absent.is_empty(), "{view:?}");
    let status = &view.requests["sky.status"];
    assert_eq!(status.run.as_ref().map(|run| run.count()), Some(2));
    assert_eq!(status.client.map(|client| client.count), Some(2), "two users, one iteration each");
    let submitted = &view.http["/status"];
    assert_eq!((submitted.server.count(), submitted.client.map(|one| one.count)), (2, Some(2)));
    let executor = view.processes.iter().find(|one| one.class == ProcessClass::ShortExecutor);
    let executor = executor.expect("executors have gauges");
    assert!(executor.profiled >= Some(executor.largest), "{executor:?}");
    run.assert().stdout(predicate::str::contains("SERVER'S OWN VIEW"));
    assert!(!run.run_dir()?.instance().exists(), "the metrics' files are removed");
    Ok(())
}

#[test]
fn a_stall_of_the_event_loop_breaches_a_threshold_on_its_lag() -> anyhow::Result<()> {
    let site = site()?;
    let thresholds = ["server lag p99.9 < 500ms", "server queue-wait short p50 < 10m"];
    let thresholds = thresholds.map(|text| ["--threshold", text]).concat();
    let args = ["--api", "status"].into_iter().chain(thresholds).collect::<Vec<_>>();
    let load = load_with_metrics(&site, &args)?;
    let run = load.fake("STALL_MS", 2_000).run()?;
    let report = run.expect(&site, Verdict::ScenarioFailed)?;
    assert_finding(&report, Severity::ScenarioFailed, "server lag p99.9: ");
    let states: Vec<_> = report.thresholds.iter().map(|check| check.state).collect();
    assert_eq!(states, [ThresholdState::Breached, ThresholdState::Met]);
    // Without the stall, the same thresholds are met.
    let site = self::site()?;
    load_with_metrics(&site, &args)?.run()?.expect(&site, Verdict::Pass)?;
    Ok(())
}

#[test]
fn a_threshold_on_the_server_needs_its_metrics() -> anyhow::Result<()> {
    let site = site()?;
    let run = site.load(["--api", "status", "--threshold", "server lag p99 < 1s"]).run()?;
    run.assert().code(2).stderr(predicate::str::contains("are not read; add --metrics"));
    Ok(())
}

#[test]
fn a_run_without_metrics_reads_none() -> anyhow::Result<()> {
    let site = site()?;
    let run = site.load(["--api", "status"]).run()?;
    let report = run.expect(&site, Verdict::Pass)?;
    assert!(report.server_view.is_none() && !run.run_dir()?.server_metrics().exists());
    run.assert().stdout(predicate::str::contains("SERVER'S OWN VIEW").not());
    Ok(())
}

#[test]
fn a_metric_that_a_release_lacks_is_absent() -> anyhow::Result<()> {
    let site = site()?;
    let omitted = "sky_apiserver_event_loop_lag_seconds,sky_apiserver_queue_wait_seconds";
    let load = load_with_metrics(&site, &["--api", "status"])?;
    let run = load.fake("METRICS_OMIT", omitted).run()?;
    let view = run.expect(&site, Verdict::Pass)?.server_view.expect("metrics were read");
    assert_eq!(view.absent.join(","), omitted);
    assert!(lag(&view).is_none());
    Ok(())
}

#[test]
fn a_failed_scrape_is_a_note_and_no_failure() -> anyhow::Result<()> {
    let site = site()?;
    let load = load_with_metrics(&site, &["--api", "status"])?;
    let run = load.fake("METRICS_FAIL", "/metrics:2!").run()?;
    let report = run.expect(&site, Verdict::Pass)?;
    assert_finding(&report, Severity::Note, "1 failed scrape, the last one: HTTP 500");
    Ok(())
}

#[test]
fn a_breach_that_ends_the_load_waits_for_the_metrics_of_the_load() -> anyhow::Result<()> {
    // With this interval, only the wait at the end reads a snapshot from after the load.
    let more = "[server-metrics]\ninterval = \"60s\"\n[thresholds]\n\"api:validate\" = \
                [{ when = \"max < 1us\", abort = true, after = \"1s\" }]";
    let site = Site::with(&Settings { more, ..Settings::default() })?;
    let args = ["--api", "validate", "--rate", "5/s", "--for", "10m"];
    // The snapshot from before the load outlasts it.
    let run = load_with_metrics(&site, &args)?.fake("METRICS_TTL_MS", 5_000).run()?;
    let view = run.expect(&site, Verdict::ScenarioFailed)?.server_view;
    assert!(view.is_some_and(|view| view.is_complete()));
    Ok(())
}

#[test]
fn budgets_of_a_remote_server_are_judged_by_its_gauges() -> anyhow::Result<()> {
    // Executors of the stand-in have 24 MiB.
    for (budget, verdict, state) in [
        ("short-executor=200MiB", Verdict::Pass, LimitState::Within),
        ("short-executor=10MiB", Verdict::OverBudget, LimitState::Over),
    ] {
        let site = site()?;
        let server = FakeServer::start(&exporting(&[]))?;
        let (url, metrics) = (server.url(), server.metrics_url());
        let args = ["--server", &url, "--metrics-url", &metrics, "--budget", budget];
        let run = site.load(args).run()?;
        let report = run.expect(&site, verdict)?;
        let metric = Metric::max_peak(ProcessClass::ShortExecutor);
        let check = report.budgets.iter().find(|check| check.metric == metric);
        assert_eq!(check.map(|check| check.state), Some(state));
        assert_finding(&report, Severity::Note, "memory sampled by the server itself");
        server.finish()?;
    }
    Ok(())
}

#[test]
fn metrics_that_cannot_be_reached_are_a_note() -> anyhow::Result<()> {
    let site = site()?;
    let server = FakeServer::start(&[])?;
    let (url, metrics) = (server.url(), server.metrics_url());
    let args = ["--server", &url, "--metrics-url", &metrics, "--api", "status"];
    let report = site.load(args).run()?.expect(&site, Verdict::Pass)?;
    assert_finding(&report, Severity::Note, "server metrics: no snapshot");
    server.finish()
}

#[test]
fn a_login_of_the_metrics_is_in_no_file() -> anyhow::Result<()> {
    let site = site()?;
    let server = FakeServer::start(&exporting(&[]))?;
    let metrics = server.metrics_url().replacen("http://", "http://me:s3cret@", 1);
    let url = server.url();
    let args = ["--server", &url, "--metrics-url", &metrics, "--api", "status"];
    let run = site.load(args).run()?;
    run.expect(&site, Verdict::Pass)?;
    for entry in std::fs::read_dir(run.run_dir()?.path())? {
        let path = entry?.path();
        if path.is_file() {
            let text = String::from_utf8_lossy(&std::fs::read(&path)?).into_owned();
            assert!(!text.contains("s3cret"), "{}", path.display());
        }
    }
    server.finish()
}
