//! Reports of runs on an emulated cloud.

use std::time::Duration;

use skyload::analysis::{Evidence, Report};
use skyload::clock::Timestamp;
use skyload::record::environment::{CatalogFacts, CatalogSource, Fingerprint};
use skyload::record::nodes::{CloudApiFigures, NodeFigures};
use skyload::render::{markdown, text};
use skyload::units::ByteSize;

use super::evidence::{four_users, good_run};
use super::pages::page;

/// Evidence of a run on an emulated cloud with these catalogs.
fn emulated(source: CatalogSource, date: Option<Timestamp>) -> Evidence {
    let mut run = good_run(&four_users());
    let api = CloudApiFigures {
        cpu: Duration::from_millis(12_300),
        memory: ByteSize::mib(200),
        peak_memory: ByteSize::mib(230),
    };
    let nodes = NodeFigures { cpu: Duration::from_secs(40), ..NodeFigures::default() };
    run.nodes = Some(NodeFigures { cloud_api: Some(api), ..nodes });
    let environment = run.environment.as_mut().expect("the run has an environment");
    environment.infrastructure = vec!["aws/us-east-1".to_owned()];
    let hash = "0123456789abcdef".to_owned();
    let schema = "v8".to_owned();
    environment.catalog = Some(CatalogFacts { source, schema, date, hash, rows: 45_849 });
    run
}

fn assert_shown_in_all_reports(run: &Evidence, lines: &[&str]) {
    let report = Report::assemble(run);
    let (mut terminal, mut summary) = (Vec::new(), Vec::new());
    text::render(&report, text::Detail::Full, None, &mut terminal).expect("memory can be written");
    markdown::render(&report, &mut summary).expect("memory can be written");
    let texts = [terminal, summary].map(|text| String::from_utf8(text).expect("UTF-8"));
    for text in texts.into_iter().chain([page(run)]) {
        assert!(lines.iter().all(|line| text.contains(line)), "{lines:?} in {text}");
    }
}

#[test]
fn the_api_of_an_emulated_cloud_has_a_line_next_to_the_nodes() {
    let run = emulated(CatalogSource::Generated, None);
    let of_api = "12.3 CPU-s, max 230 MiB (RSS sum); not part of the server";
    let of_nodes = "40.0 CPU-s, max 0 MiB (RSS sum); not part of the server";
    assert_shown_in_all_reports(&run, &["cloud API", of_api, of_nodes]);
}

#[test]
fn a_run_without_an_emulated_cloud_has_no_such_line() {
    let mut run = emulated(CatalogSource::Generated, None);
    run.nodes = Some(NodeFigures::default());
    assert!(!page(&run).contains("cloud API"));
}

#[test]
fn catalogs_are_named_by_source_date_size_and_hash() {
    let date = Timestamp::from_micros(1_795_737_600_000_000);
    let run = emulated(CatalogSource::Downloaded, Some(date));
    let downloaded = "downloaded 2026-11-27 (v8, 45849 offers of AWS, SHA-256 0123456789ab)";
    assert_shown_in_all_reports(&run, &[downloaded]);
    let run = emulated(CatalogSource::Generated, None);
    assert_shown_in_all_reports(&run, &["generated (v8, 45849 offers of AWS"]);
}

#[test]
fn other_catalogs_are_other_settings_and_another_date_is_not() {
    let environment = emulated(CatalogSource::Downloaded, None).environment.expect("is there");
    let fingerprint = |date, hash: &str| {
        let mut environment = environment.clone();
        let catalog = environment.catalog.as_mut().expect("is there");
        (catalog.date, catalog.hash) = (date, hash.to_owned());
        Fingerprint::of(&environment)
    };
    let first = fingerprint(None, "a");
    assert_eq!(first, fingerprint(Some(Timestamp::from_micros(1)), "a"));
    assert_ne!(first.settings, fingerprint(None, "b").settings);
}
