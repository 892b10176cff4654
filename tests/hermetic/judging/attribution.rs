//! Requests that made executors grow, in every form of the report.

use skyload::analysis::{Evidence, RequestKind};
use skyload::analysis::{ProfileEvidence, ProfileReport, Report};
use skyload::class::ProcessClass;
use skyload::ids::ProcessIdentity;
use skyload::recommend::Recommendation;
use skyload::record::profile::{
    ExecutorMemory, ExecutorReading, Output, ProcessRecord, ProfileLine,
};
use skyload::record::{ServerRequest, ServerRequests, Version};
use skyload::render::text::{self, Detail};
use skyload::render::{html, markdown};
use skyload::units::ByteSize;

use super::changes::Change;
use super::evidence::{LOAD_BEGAN, LOAD_ENDED, at, four_users, good_run};
use super::pages::page;
use super::texts::rendered_with;

const DAEMON: &str = "skypilot-status-refresh-daemon";

fn reading(pid: u32, millis: u64, output: Output, before: u64, peak: u64) -> ProfileLine {
    let memory = |peak| ExecutorMemory { rss: ByteSize::mib(100), peak: ByteSize::mib(peak) };
    ProfileLine::Executor(ExecutorReading {
        at: at(millis),
        process: ProcessIdentity { pid, started: u64::from(pid) },
        output,
        memory: memory(peak),
        before: Some(memory(before)),
        since: Some(at(millis - 50)),
        cpu: None,
        thinned: false,
    })
}

fn ran(id: &str) -> Output {
    Output::Request(id.to_owned())
}

/// Run with readings of executors.
pub(crate) fn attributed_run() -> Evidence {
    let mut run = good_run(&four_users());
    attribute(&mut run);
    run
}

/// Makes executor 2 grow by a daemon to 170 MiB, and executor 3 by a launch to 180 MiB.
pub(super) fn attribute(run: &mut Evidence) {
    let (began, ended) = (LOAD_BEGAN, LOAD_ENDED);
    let readings = [
        reading(2, began + 100, Output::NoRequest, 120, 120),
        reading(2, began + 200, ran(DAEMON), 120, 170),
        reading(3, began + 100, Output::NoRequest, 120, 120),
        reading(3, began + 1000, ran("7f-1"), 120, 150),
        reading(3, began + 2750, ran("7f-1"), 150, 180),
        reading(3, ended, Output::NoRequest, 180, 180),
    ];
    // Before the footer.
    let end = run.profile.len() - 1;
    run.profile.splice(end..end, readings);
    run.server_requests = Some(ServerRequests {
        version: Version,
        requests: vec![ServerRequest {
            id: "7f-1".to_owned(),
            name: "sky.launch".to_owned(),
            user: "ann".to_owned(),
            cluster: Some("skyload-f7eb-launch-0".to_owned()),
            queue: Some("short".to_owned()),
            created: Some(at(began + 900)),
            finished: Some(at(ended)),
        }],
        is_cut: false,
    });
}

const CAUSE: &str = "sky.launch of skyload-f7eb-launch-0 (user ann), +60.0 MiB in 1.8 s; \
                     without sky.launch: 170.0 MiB";

#[test]
fn every_form_of_the_report_names_the_request_behind_the_peak() {
    let run = attributed_run();
    let report = Report::assemble(&run);
    for detail in [Detail::Compact, Detail::Full] {
        let text = rendered_with(&run, detail);
        let in_two_lines = CAUSE.replace("; ", "\n    ");
        let line = format!("  short-executor peak 180.0 MiB: {in_two_lines}\n");
        assert!(text.contains(&line), "{text}");
    }
    assert!(page(&run).contains(&format!("<li>short-executor peak 180.0 MiB: {CAUSE}</li>")));
    let mut pull_request = Vec::new();
    markdown::render(&report, &mut pull_request).expect("writing to memory cannot fail");
    let pull_request = String::from_utf8(pull_request).expect("output is UTF-8");
    let (before, _) = pull_request.split_once("<details>").expect("the full report is collapsed");
    assert!(before.contains("short-executor peak 180.0 MiB: sky.launch of"), "{before}");
    let attribution = report.attribution.expect("the profile has readings of executors");
    let cause = &attribution.class(ProcessClass::ShortExecutor).expect("two ran").cause;
    assert_eq!(cause.kind(), Some(&RequestKind::Named("sky.launch".to_owned())));
}

#[test]
fn costs_of_requests_and_the_spread_of_executors_are_in_the_full_text() {
    insta::assert_snapshot!(
        rendered_with(&attributed_run(), Detail::Full)
            .lines()
            .skip_while(|line| !line.starts_with("MEMORY by process class"))
            .take_while(|line| !line.starts_with("SERVER AT PHASE END"))
            .collect::<Vec<_>>()
            .join("\n")
    );
}

#[test]
fn the_page_says_how_many_executors_are_not_drawn() {
    let mut run = attributed_run();
    let record = run.record(3).clone();
    for pid in 1000..1300 {
        let identity = ProcessIdentity { pid, started: u64::from(pid) };
        let records = &mut run.processes.as_mut().expect("a good run has one").processes;
        records.push(ProcessRecord { identity, ..record.clone() });
        run.profile.push(reading(pid, LOAD_BEGAN + 100, Output::NoRequest, 120, 120));
    }
    let note = "executors with the smallest RSS are not drawn";
    assert!(page(&run).contains(&format!(" 2 {note}")));
    assert!(!page(&attributed_run()).contains(note));
}

#[test]
fn a_profile_without_a_run_names_daemons_only() {
    let run = attributed_run();
    let evidence = ProfileEvidence {
        profile: run.run,
        lines: run.profile,
        processes: run.processes,
        damage: Vec::new(),
    };
    let mut text = Vec::new();
    text::render_profile(&ProfileReport::assemble(&evidence), &mut text)
        .expect("writing to memory cannot fail");
    let text = String::from_utf8(text).expect("output is UTF-8");
    assert!(text.contains("peak 180.0 MiB: unrecorded request 7f-1, +60.0 MiB"), "{text}");
    assert!(text.contains(&format!("daemon {DAEMON}")), "{text}");
}

#[test]
fn a_recommendation_says_what_is_stable_and_names_the_outlier() {
    let report = Report::assemble(&attributed_run());
    let recommendation = Recommendation::assemble(&[report]).expect("the run is valid");
    let mut text = Vec::new();
    skyload::recommend::text::render(&recommendation, &["a".to_owned()], &mut text)
        .expect("writing to memory cannot fail");
    let text = String::from_utf8(text).expect("output is UTF-8");
    assert!(text.contains("\nSTABLE AND OUTLIER: memory of executors, in MiB\n"), "{text}");
    assert!(text.contains(&format!("180.0 MiB by {CAUSE}\n")), "{text}");
}

#[test]
fn names_from_the_server_stay_in_their_line_and_are_escaped() {
    let mut run = attributed_run();
    let requests = &mut run.server_requests.as_mut().expect("a record").requests;
    requests[0].user = "<b>ann\n::error::".to_owned();
    for detail in [Detail::Compact, Detail::Full] {
        let text = rendered_with(&run, detail);
        assert!(!text.contains("\n::error::"), "{text}");
    }
    let mut out = Vec::new();
    let report = Report::assemble(&run);
    let data = skyload::analysis::ChartData::assemble(&report, &run);
    html::render(&report, &data, &mut out).expect("writing to memory cannot fail");
    assert!(!String::from_utf8_lossy(&out).contains("<b>ann"));
}
