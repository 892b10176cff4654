//! Suspected wedges in findings and reports, and loads that could not show one.

use std::time::Duration;

use skyload::analysis::{ChartData, Evidence, Report, ScenarioState, Severity, Verdict};
use skyload::ids::ProcessIdentity;
use skyload::record::outcome::{
    CancelledRequest, Failure, LimitedSince, RequestExecutor, RequestRecord, SegmentOutcome,
    SuspectedWedge,
};
use skyload::record::request::LoadRequest;
use skyload::render::text::{self, Detail};
use skyload::render::{html, junit, markdown};
use skyload::scenario::ScenarioId::{ApiLaunchCancel, ApiStatus};

use super::evidence::{at, good_run};
use super::next_steps::after;

/// Request for API scenarios on a cloud.
fn request(api: &str) -> LoadRequest {
    LoadRequest {
        api: vec![api.to_owned()],
        infra: vec!["aws".to_owned()],
        copy_credentials: true,
        users: Some("5".to_owned()),
        ..LoadRequest::default()
    }
}

/// Run of five launches in which three launches were cancelled and, `with_probe`, one was a probe.
fn launches(with_probe: bool) -> Evidence {
    let mut run = good_run(&request("launch_cancel"));
    let segment = segment(&mut run);
    for step in ["cancel", "cancel", "cancel"].iter().chain(with_probe.then_some(&"launch")) {
        segment.steps.entry((*step).to_owned()).or_default().record(Duration::from_secs(1));
    }
    run
}

fn segment(run: &mut Evidence) -> &mut SegmentOutcome {
    &mut run.outcomes.get_mut(&ApiLaunchCancel).expect("it is planned").segments[0]
}

/// Makes one of the iterations a suspected wedge.
fn wedge(run: &mut Evidence) {
    let process = ProcessIdentity { pid: 1234, started: 7 };
    let cancelled = |id: &str| CancelledRequest {
        request_id: id.to_owned(),
        at: at(3_000),
        pid: Some(1234),
        started: Some(7),
    };
    let wedge = SuspectedWedge {
        at: at(9_000),
        user: 2,
        request_id: "3fa2b1c0-8a7b-4a4e-9d2f-000000000000".to_owned(),
        name: "sky.launch".to_owned(),
        age: Duration::from_secs(300),
        limit: Duration::from_secs(300),
        since: LimitedSince::Submission,
        record: RequestRecord::Listed { status: "RUNNING".to_owned() },
        executor: RequestExecutor::Process(process),
        cancelled_before: vec![cancelled("9c1d0000"), cancelled("77ab0000")],
        cancelled_in_earlier_processes: 0,
    };
    let segment = segment(run);
    (segment.succeeded, segment.failed) = (segment.succeeded - 1, 1);
    let failure = Failure {
        step: "launch".to_owned(),
        status: None,
        error_type: "suspected-wedge".to_owned(),
        message: wedge.excess(),
    };
    segment.tally.add(segment.began, failure, None);
    segment.suspected_wedges.push(wedge);
}

/// Beginning of the finding.
const FINDING: &str = "api:launch_cancel: request 3fa2b1c0 (sky.launch) of user 2 not finished \
                       after 5m, suspected wedge: RUNNING in executor 1234; 2 requests were \
                       cancelled there before: 77ab0000 in 1234 at ";

#[test]
fn a_suspected_wedge_is_named_in_every_form_of_the_report() {
    let mut run = launches(true);
    wedge(&mut run);
    let report = Report::assemble(&run);
    assert_eq!(report.verdict, Verdict::ScenarioFailed);
    let first = &report.findings[0];
    assert!(first.severity == Severity::ScenarioFailed, "{first:?}");
    assert!(first.message.starts_with(FINDING), "{}", first.message);
    let (data, mut forms) = (ChartData::assemble(&report, &run), [(); 5].map(|()| Vec::new()));
    let [compact, full, page, pull_request, cases] = &mut forms;
    text::render(&report, Detail::Compact, None, compact).expect("memory is enough");
    text::render(&report, Detail::Full, None, full).expect("memory is enough");
    html::render(&report, &data, page).expect("memory is enough");
    markdown::render(&report, pull_request).expect("memory is enough");
    junit::render(&report, cases).expect("memory is enough");
    let json = serde_json::to_vec(&report).expect("it is valid");
    for form in forms.into_iter().chain([json]) {
        let form = String::from_utf8(form).expect("it is text");
        // Lines are wrapped.
        let form = form.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(form.contains("3fa2b1c0") && form.contains("executor 1234"), "{form}");
    }
}

#[test]
fn an_allowed_error_rate_excuses_no_suspected_wedge() {
    let mut run = launches(true);
    wedge(&mut run);
    let allowed = "api:launch_cancel error-rate <= 50%".parse().expect("it is one");
    run.plan.thresholds.push(allowed);
    let report = Report::assemble(&run);
    assert_eq!(report.verdict, Verdict::ScenarioFailed);
    let scenario = report.scenarios.iter().find(|it| it.id == ApiLaunchCancel).expect("it ran");
    assert_eq!(scenario.state, ScenarioState::Failed);
    assert_eq!(scenario.suspected_wedges.len(), 1);
}

#[test]
fn the_next_command_has_the_flags_of_cancellations_where_they_have_an_effect() {
    let request = LoadRequest {
        cancel_after: Some("5s".to_owned()),
        probe_every: Some("3".to_owned()),
        stuck_after: Some("1m".to_owned()),
        ..request("launch_cancel status")
    };
    let flags = "--cancel-after 5s --probe-every 3 --stuck-after 1m";
    let mut run = good_run(&request);
    wedge(&mut run);
    let command = after(&run).command;
    assert!(command.contains("--api launch_cancel ") && command.contains(flags), "{command}");
    let mut run = good_run(&request);
    let status = run.outcomes.get_mut(&ApiStatus).expect("it is planned");
    (status.segments[0].succeeded, status.segments[0].failed) = (0, 4);
    let command = after(&run).command;
    assert!(command.contains("--api status ") && !command.contains("--cancel"), "{command}");
    // Without the request, the plan tells them.
    let mut run = good_run(&request);
    run.request = None;
    wedge(&mut run);
    let command = after(&run).command;
    assert!(command.contains(flags), "{command}");
}

#[test]
fn further_suspects_are_counted() {
    let mut run = launches(true);
    (0..4).for_each(|_| wedge(&mut run));
    let report = Report::assemble(&run);
    let named = report.findings.iter().filter(|it| it.message.starts_with(FINDING)).count();
    let more = "api:launch_cancel: 1 more suspected wedge, see report.json";
    assert!(named == 3 && report.findings.iter().any(|it| it.message == more), "{report:#?}");
}

#[test]
fn a_load_without_a_probe_launch_shows_nothing() {
    let message = "api:launch_cancel: no probe launch finished, so a wedge would not show; use \
                   more iterations or a lower --probe-every";
    let finding = |run: &Evidence| {
        let findings = Report::assemble(run).findings;
        findings.into_iter().find(|it| it.message == message).map(|it| it.severity)
    };
    assert_eq!(finding(&launches(false)), Some(Severity::Inconclusive));
    assert_eq!(finding(&launches(true)), None);
}
