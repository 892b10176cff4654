//! Explanations: which causes are repeated and how, which trace is the answer, and the text.

use std::time::Duration;

use rstest::rstest;
use skyload::analysis::largest_peaks;
use skyload::analysis::{Cause, Evidence, ExecutorPeak, NamedRequest, RequestKind, UnknownCause};
use skyload::class::ProcessClass;
use skyload::explanation::{
    Answer, ExplainedPeak, Explanation, Repetition, Subject, import_of, packages,
    plan as traced_plan, plan_of_installation, trace_of, trace_of_server,
};
use skyload::infrastructure::Infrastructure;
use skyload::plan::{LoadPlan, PlannedScenario};
use skyload::record::request::LoadRequest;
use skyload::record::trace::{AllocationSite, Allocations, Frame, ModuleCost, Trace};
use skyload::record::{ServerRequest, ServerRequests, Version};
use skyload::render::explanation::render;
use skyload::scenario::ScenarioId;
use skyload::shape::LoadShape;
use skyload::units::ByteSize;

use super::attribution::attributed_run;
use super::evidence::{config, plan};

/// Plan of these arguments on the loopback Slurm cluster.
fn planned(api: &[&str], cli: &[&str]) -> LoadPlan {
    let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
    let request = LoadRequest { api: words(api), cli: words(cli), ..LoadRequest::default() };
    plan(&config(), &request).expect("the test's data is valid")
}

fn peak(class: ProcessClass, cause: Cause) -> ExecutorPeak {
    ExecutorPeak { class, peak: ByteSize::mib(180), cause }
}

fn request(kind: RequestKind) -> NamedRequest {
    NamedRequest { id: "7f-1".to_owned(), kind, cluster: None, user: None }
}

fn named(name: &str) -> NamedRequest {
    request(RequestKind::Named(name.to_owned()))
}

fn caused_by(request: NamedRequest) -> ExecutorPeak {
    peak(ProcessClass::LongExecutor, Cause::Request { request, growth: None })
}

/// Scenarios that repeat a request of this name.
fn scenarios(name: &str, plan: &LoadPlan) -> Vec<ScenarioId> {
    match Repetition::of(&caused_by(named(name)), plan) {
        Repetition::Request { scenarios, .. } => scenarios.iter().map(|one| one.id).collect(),
        Repetition::None(_) => Vec::new(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_request_is_repeated_by_the_scenarios_of_the_run_that_send_it() {
    let both = planned(&["status", "status_refresh", "launch_and_logs"], &["launch"]);
    let sending = scenarios("sky.status", &both);
    assert_eq!(sending, [ScenarioId::ApiStatus, ScenarioId::ApiStatusRefresh]);
    let launching = scenarios("sky.launch", &both);
    assert_eq!(launching, [ScenarioId::ApiLaunchAndLogs, ScenarioId::CliLaunch]);
    let repetition = Repetition::of(&caused_by(named("sky.launch")), &both);
    let Repetition::Request { scenarios, .. } = repetition else { panic!("{repetition:?}") };
    assert!(scenarios.iter().all(|one| one.users == 1 && one.shape == LoadShape::SINGLE));
    assert!(scenarios.iter().all(|one| !one.infras.is_empty()), "{scenarios:?}");
    // The operations of a mix are scenarios, too.
    let request = LoadRequest { mix: Some("status=6 exec=1".to_owned()), ..LoadRequest::default() };
    let mixed = plan(&config(), &request).expect("the test's data is valid");
    assert_eq!(self::scenarios("sky.exec", &mixed), [ScenarioId::ApiExec]);
}

#[test]
fn a_request_of_setup_or_check_is_repeated_by_a_scenario_that_needs_it() {
    let followed = planned(&["tail_logs"], &["none"]);
    assert_eq!(scenarios("sky.launch", &followed), [ScenarioId::ApiTailLogs]);
    assert_eq!(scenarios("sky.check", &followed), [ScenarioId::ApiTailLogs]);
    assert_eq!(scenarios("sky.serve.up", &followed), []);
}

#[test]
fn what_needs_the_users_cloud_is_named_and_not_repeated() {
    let mut plan = planned(&["status", "launch_and_logs"], &["none"]);
    // `check` launches nothing, but needs the credentials.
    let check = PlannedScenario { id: ScenarioId::ApiCheck, ..plan.scenarios[0].clone() };
    plan.scenarios.push(check);
    plan.infrastructure = Infrastructure::Clouds(vec!["aws".to_owned()]);
    for name in ["sky.launch", "sky.check"] {
        let repetition = Repetition::of(&caused_by(named(name)), &plan);
        assert_eq!(repetition, Repetition::None(format!("{name} needs your cloud: aws")));
    }
    assert_eq!(scenarios("sky.status", &plan), [ScenarioId::ApiStatus]);
    let status = Subject::Scenario(plan.scenario(ScenarioId::ApiStatus).expect("it is planned"));
    for subject in [status, Subject::OfServer, Subject::Import] {
        assert_eq!(traced_plan(&plan, subject).infrastructure, Infrastructure::None, "{subject:?}");
    }
    // Executors import the packages of the cloud all the same.
    assert_eq!(plan_of_installation(&plan).infrastructure, plan.infrastructure);
}

#[rstest]
#[case::import(Cause::Import, Repetition::Import)]
#[case::no_request(Cause::NoRequest, Repetition::None("no request ran".to_owned()))]
#[case::unknown(
    Cause::Unknown(UnknownCause::NotRead),
    Repetition::None("the cause is unknown".to_owned())
)]
#[case::a_daemon(
    Cause::Request { request: request(RequestKind::Daemon("x-daemon".to_owned())), growth: None },
    Repetition::OfServer("x-daemon".to_owned())
)]
#[case::of_the_server_itself(
    Cause::Request {
        request: NamedRequest { user: Some("skypilot-system".to_owned()), ..named("sky.check") },
        growth: None,
    },
    Repetition::OfServer("7f-1".to_owned())
)]
#[case::unrecorded(
    Cause::Request { request: request(RequestKind::Unrecorded), growth: None },
    Repetition::None("the server's record lacks the request".to_owned())
)]
#[case::several_kinds(
    Cause::OneOf { requests: vec![named("sky.status"), named("sky.launch")], growth: None },
    Repetition::None("requests of several kinds may be the cause".to_owned())
)]
#[case::of_nobody(
    Cause::Request { request: named("sky.cost_report"), growth: None },
    Repetition::None("no scenario of the run is known to send sky.cost_report".to_owned())
)]
fn each_other_cause_has_its_way_or_the_reason_for_none(
    #[case] cause: Cause,
    #[case] expected: Repetition,
) {
    let plan = planned(&["status"], &["none"]);
    assert_eq!(Repetition::of(&peak(ProcessClass::ShortExecutor, cause), &plan), expected);
}

#[test]
fn a_traced_server_has_one_scenario_and_no_limits() {
    let plan = planned(&["status", "launch_and_logs"], &["none"]);
    let scenario = plan.scenario(ScenarioId::ApiStatus).expect("it is planned");
    let traced = traced_plan(&plan, Subject::Scenario(scenario));
    assert_eq!(traced.scenarios, std::slice::from_ref(scenario));
    assert!(traced.budgets.is_empty() && traced.baseline.is_zero() && !plan.baseline.is_zero());
    assert_eq!(traced.infrastructure, plan.infrastructure, "what a request imports depends on it");
    let of_server = traced_plan(&plan, Subject::OfServer);
    assert_eq!(
        (of_server.scenarios, of_server.infrastructure),
        (vec![], plan.infrastructure.clone())
    );
    assert_eq!(traced_plan(&plan, Subject::Import).infrastructure, Infrastructure::None);
    let installation = plan_of_installation(&plan);
    assert_eq!(
        installation.infrastructure, plan.infrastructure,
        "it has the packages of the infras"
    );
}

#[test]
fn peaks_are_those_of_different_causes_the_largest_first() {
    let run = attributed_run();
    let peaks = largest_peaks(&run);
    let causes: Vec<String> = peaks.iter().map(ExecutorPeak::cause_in_words).collect();
    assert!(causes[0].starts_with("sky.launch of skyload-f7eb-launch-0"), "{causes:?}");
    assert!(causes[1].starts_with("daemon skypilot-status-refresh-daemon"), "{causes:?}");
    let sizes: Vec<ByteSize> = peaks.iter().map(|peak| peak.peak).collect();
    assert!(sizes.is_sorted_by(|one, other| one >= other), "{sizes:?}");
    // Four executors more with the cause of one that is there.
    let mut more = run.clone();
    let records = &mut more.processes.as_mut().expect("a good run has one").processes;
    let first = records.iter().find(|record| record.class == ProcessClass::ShortExecutor);
    let first = first.expect("executors ran").clone();
    for pid in 1000..1004 {
        let mut record = first.clone();
        record.identity.pid = pid;
        records.push(record);
    }
    assert!(largest_peaks(&more).len() <= peaks.len() + 1, "one cause counts once");
    assert_eq!(largest_peaks(&Evidence { profile: Vec::new(), ..run }), []);
}

fn mib(number: u64) -> ByteSize {
    ByteSize::mib(number)
}

fn module(name: &str, by: Option<&str>, rss: u64) -> ModuleCost {
    ModuleCost {
        name: name.to_owned(),
        imported_by: by.map(str::to_owned),
        rss: mib(rss),
        seconds: Duration::from_millis(rss * 10),
        rss_with_imports: mib(rss),
        seconds_with_imports: Duration::from_millis(rss * 10),
    }
}

fn trace(request: Option<&str>, queue: &str, peak: u64) -> Trace {
    let frame = |file: &str, line| Frame { file: file.to_owned(), line };
    // As skyload installs them: all below a folder `sky`.
    let package = |file: &str, line| {
        let packages = "/w/target/skyload/sky/0.14.1/lib/python3.11/site-packages";
        frame(&format!("{packages}/{file}"), line)
    };
    let site = |number: u64, frames| AllocationSite { size: mib(number), count: 20, frames };
    Trace {
        pid: 7,
        queue: Some(queue.to_owned()),
        request: request.map(str::to_owned),
        earlier_requests: 1,
        is_whole: true,
        seconds: Duration::from_millis(4200),
        rss_before: mib(120),
        rss_after: mib(170),
        mark_before: mib(120),
        mark_after: mib(200),
        allocations: Some(Allocations {
            peak: mib(peak),
            after: mib(30),
            at_sites: mib(48),
            site_count: 412,
            sites: vec![
                site(
                    20,
                    vec![
                        package("pandas/io/parsers.py", 17),
                        package("pandas/io/common.py", 3),
                        package("sky/catalog/common.py", 200),
                    ],
                ),
                site(
                    8,
                    vec![
                        package("sqlalchemy/event/attr.py", 214),
                        package("sqlalchemy/event/attr.py", 328),
                        package("sqlalchemy/event/base.py", 154),
                    ],
                ),
                site(
                    6,
                    vec![
                        package("sky/core.py", 10),
                        package("sky/core.py", 90),
                        package("networkx/classes/graph.py", 1),
                        frame("/home/ann/skypilot/sky/dag.py", 40),
                    ],
                ),
                site(4, vec![frame("/usr/lib/python3.11/json/decoder.py", 353)]),
                site(1, vec![frame("<string>\n", 1)]),
            ],
        }),
        modules: vec![
            module("sky.catalog", None, 1),
            module("pandas", Some("sky.catalog"), 9),
            module("pandas.io", Some("pandas"), 30),
        ],
    }
}

#[test]
fn modules_of_a_package_count_together_under_the_module_that_imported_it() {
    // In the order in which their imports end.
    let mut modules = trace(None, "short", 1).modules;
    modules.insert(0, module("pandas.lib", Some("numpy.core"), 0));
    let costs = packages(&modules);
    let rows: Vec<_> =
        costs.iter().map(|it| (it.name, it.imported_by, it.modules, it.rss)).collect();
    let expected = [("pandas", Some("sky.catalog"), 3, mib(39)), ("sky", None, 1, mib(1))];
    assert_eq!(rows, expected);
}

#[test]
fn the_answer_is_the_request_of_the_name_that_grew_most_in_the_queue() {
    let recorded = |id: &str, name: &str| ServerRequest {
        id: id.to_owned(),
        name: name.to_owned(),
        user: "ann".to_owned(),
        cluster: None,
        queue: None,
        created: None,
        finished: None,
    };
    let requests = ServerRequests {
        version: Version,
        requests: vec![
            recorded("1", "sky.status"),
            recorded("2", "sky.status"),
            recorded("3", "sky.status"),
            recorded("4", "sky.check"),
        ],
        is_cut: false,
    };
    let traces = [
        trace(Some("1"), "short", 10),
        trace(Some("2"), "short", 20),
        trace(Some("3"), "long", 30),
        trace(Some("4"), "short", 40),
        trace(None, "short", 50),
    ];
    let found = |class| {
        let trace = trace_of("sky.status", class, &traces, &requests)?;
        trace.request.as_deref()
    };
    assert_eq!(found(ProcessClass::ShortExecutor), Some("2"));
    assert_eq!(found(ProcessClass::LongExecutor), Some("3"));
    assert_eq!(trace_of("sky.launch", ProcessClass::LongExecutor, &traces, &requests), None);
    // An executor that was not told its queue may be of any.
    let of_unknown_queue = [Trace { queue: None, ..traces[0].clone() }];
    let found = trace_of("sky.status", ProcessClass::LongExecutor, &of_unknown_queue, &requests);
    assert!(found.is_some());
}

#[test]
fn of_the_server_and_the_import_the_trace_that_grew_most_in_the_class_counts() {
    let (short, long) = (ProcessClass::ShortExecutor, ProcessClass::LongExecutor);
    let traces = [
        trace(Some("x-daemon"), "short", 10),
        trace(Some("x-daemon"), "short", 20),
        trace(Some("x-daemon"), "long", 30),
        trace(None, "short", 60),
        trace(None, "long", 40),
        trace(None, "long", 50),
    ];
    let peak = |found: Option<&Trace>| Some(found?.allocations.as_ref()?.peak);
    assert_eq!(peak(trace_of_server("x-daemon", short, &traces)), Some(mib(20)));
    assert_eq!(peak(trace_of_server("x-daemon", long, &traces)), Some(mib(30)));
    assert_eq!(trace_of_server("y-daemon", long, &traces), None);
    assert_eq!(peak(import_of(Some(long), &traces)), Some(mib(50)));
    assert_eq!(peak(import_of(None, &traces)), Some(mib(60)));
    assert_eq!(import_of(Some(short), &traces[4..]), None);
}

fn explanation(answers: Vec<Answer>, import: Option<Trace>) -> Explanation {
    let cause = |answer| {
        ExplainedPeak::new(
            &caused_by(NamedRequest { user: Some("ann".to_owned()), ..named("sky.launch") }),
            answer,
        )
    };
    Explanation {
        version: Version,
        run: attributed_run().run,
        sky: "0.14.1".to_owned(),
        import,
        peaks: answers.into_iter().map(cause).collect(),
        notes: Vec::new(),
    }
}

fn not_explained() -> Answer {
    Answer::NotExplained { reason: "sky.launch needs your cloud: aws".to_owned() }
}

#[test]
fn the_text_has_each_peak_with_its_sites_and_packages() {
    let repeated = Answer::Repeated {
        scenario: Some(ScenarioId::ApiLaunchAndLogs),
        trace: Box::new(trace(Some("1"), "long", 50)),
        notes: Vec::new(),
    };
    let answers = vec![repeated, not_explained(), Answer::Import];
    let import = Trace { allocations: None, ..trace(None, "short", 45) };
    insta::assert_snapshot!(text(&explanation(answers, Some(import))));
}

fn text(explanation: &Explanation) -> String {
    let mut text = Vec::new();
    render(explanation, Some("/results".as_ref()), &mut text)
        .expect("writing to memory cannot fail");
    String::from_utf8(text).expect("output is UTF-8")
}

#[test]
fn the_text_names_what_is_missing_and_why() {
    let failed = "the iteration failed: see servers/20261128-a";
    let without_allocations = Answer::Repeated {
        scenario: Some(ScenarioId::ApiStatus),
        trace: Box::new(Trace { allocations: None, ..trace(Some("1"), "long", 50) }),
        notes: vec![failed.to_owned(), "under tracemalloc: the server did not start".to_owned()],
    };
    let answers = vec![without_allocations, Answer::Import];
    let explanation =
        Explanation { notes: vec!["import: interrupted".to_owned()], ..explanation(answers, None) };
    let text = text(&explanation);
    let missing = "\n  Allocations unknown: no trace under tracemalloc\n  Note: the iteration failed: \
                   see servers/20261128-a\n  Note: under tracemalloc: the server did not start\n";
    assert!(text.contains(missing), "{text}");
    assert!(text.contains("\n  Not explained: no trace of the import of SkyPilot\n"), "{text}");
    assert!(text.contains("\n\nNote: import: interrupted\n"), "{text}");
}

#[test]
fn an_explanation_without_any_trace_of_a_peak_is_inconclusive() {
    let import = || Some(trace(None, "short", 45));
    assert_eq!(explanation(vec![not_explained()], import()).exit_code(), 12);
    assert_eq!(explanation(vec![Answer::Import], None).exit_code(), 12);
    assert_eq!(explanation(vec![not_explained(), Answer::Import], import()).exit_code(), 0);
}
