//! Budgets on growth per hour: a server whose executor leaks, in a load of 20 minutes.

use rstest::rstest;
use skyload::analysis::{Evidence, LimitState, Report, Severity, Verdict};
use skyload::class::ProcessClass;
use skyload::metric::{Amount, ClassMetric, Limit, Metric, ServerMetric};
use skyload::record::events::{Event, LoggedEvent};
use skyload::record::profile::{Phase, ProcessReading, ProfileLine, Readings, Sample};
use skyload::render::{junit, markdown, text};
use skyload::units::{ByteSize, GrowthRate};

use super::evidence::{at, four_users, good_run};
use super::page_tables::key_figure;
use super::pages::page;

const MINUTE: u64 = 60_000;
const SHORT: Metric = Metric::Class(ProcessClass::ShortExecutor, ClassMetric::GrowthRate);
const WHOLE: Metric = Metric::Server(ServerMetric::GrowthRate);

/// Evidence of a load of `minutes` in which the first short executor of the good run gains this
/// much, with noise of up to 4 MiB by a fixed rule.
fn soak(minutes: u64, mib_per_hour: u64) -> Evidence {
    let mut run = good_run(&four_users());
    let (began, ended) = (MINUTE, MINUTE + minutes * MINUTE);
    run.events = [
        (0, Event::PhaseBegan(Phase::Baseline)),
        (began, Event::PhaseBegan(Phase::Load)),
        (ended, Event::PhaseBegan(Phase::Cooldown)),
        (ended + MINUTE, Event::PhasesEnded),
    ]
    .map(|(millis, event)| LoggedEvent { at: at(millis), event })
    .to_vec();
    let identities: Vec<_> = run.processes.iter().flat_map(|table| &table.processes).collect();
    let leaking = identities.iter().find(|one| one.class == ProcessClass::ShortExecutor);
    let leaking = leaking.expect("the good run has executors").identity;
    let identities: Vec<_> = identities.iter().map(|one| one.identity).collect();
    let reading = |millis: u64| {
        let noise = (millis / 10_000).wrapping_mul(2_654_435_761) % 4_096;
        let leak = millis * mib_per_hour * 1024 / (60 * MINUTE);
        let process = |identity: &skyload::ids::ProcessIdentity| ProcessReading {
            pid: identity.pid,
            started: identity.started,
            rss: match *identity == leaking {
                true => ByteSize((100 * 1024 + noise + leak) * 1024),
                false => ByteSize::mib(190),
            },
            anonymous: None,
            low: None,
            high: None,
            threads: 3,
            open_files: Some(12),
        };
        let processes = identities.iter().map(process).collect();
        let databases = [("requests.db".to_owned(), ByteSize::mib(1))].into();
        ProfileLine::Readings(Readings { at: at(millis), processes, databases })
    };
    let ProfileLine::Sample(first) = run.profile[1].clone() else { panic!("a sample") };
    let (header, footer) = (run.profile.remove(0), run.profile.pop().expect("a footer"));
    run.profile = vec![header];
    for millis in (0..=ended + MINUTE).step_by(2_000) {
        run.profile.push(ProfileLine::Sample(Sample { at: at(millis), ..first.clone() }));
        if millis.is_multiple_of(10_000) {
            run.profile.push(reading(millis));
        }
    }
    run.profile.push(footer);
    if let Some(table) = &mut run.processes {
        table.profiler.samples = (ended + MINUTE) / 2_000 + 1;
    }
    run
}

fn with_budget(mut run: Evidence, metric: Metric, mib_per_hour: f64) -> Evidence {
    let at_most = Some(Amount::GrowthRate(GrowthRate::mib_per_hour(mib_per_hour)));
    run.plan.budgets = vec![Limit { metric, at_most }];
    run
}

fn message(report: &Report, metric: Metric) -> String {
    let about = format!("{metric}");
    let of_metric = report
        .findings
        .iter()
        .filter(|it| it.about.as_ref().is_some_and(|it| it.to_string() == about));
    of_metric.map(|it| it.message.as_str()).collect::<Vec<_>>().join("\n")
}

#[rstest]
#[case::class_over(20, 60, SHORT, 5.0, LimitState::Over, "short-executor grows by")]
#[case::whole_over(20, 60, WHOLE, 5.0, LimitState::Over, "RSS of all processes grows by")]
#[case::within(20, 60, SHORT, 200.0, LimitState::Within, "")]
#[case::no_leak(20, 0, SHORT, 60.0, LimitState::Within, "")]
#[case::undecided(
    20,
    60,
    SHORT,
    62.0,
    LimitState::Undecided,
    "not decided against the budget 62.0 MiB/h (configured)"
)]
#[case::too_short(
    7,
    60,
    SHORT,
    5.0,
    LimitState::NotMeasured,
    "the load is too short for an interval; needs --for 9m"
)]
fn the_interval_decides_a_budget_on_growth(
    #[case] minutes: u64,
    #[case] leak: u64,
    #[case] metric: Metric,
    #[case] budget: f64,
    #[case] state: LimitState,
    #[case] expected: &str,
) {
    let report = Report::assemble(&with_budget(soak(minutes, leak), metric, budget));
    assert_eq!(report.budgets[0].state, state, "{:?}", report.memory.map(|it| it.growth_rates));
    let found = message(&report, metric);
    assert!(found.contains(expected), "{found}");
    let verdict = match state {
        LimitState::Over => Verdict::OverBudget,
        LimitState::Within => Verdict::Pass,
        _ => Verdict::Inconclusive,
    };
    assert_eq!(report.verdict, verdict, "{:?}", report.findings);
}

#[test]
fn the_key_figure_of_an_undecided_budget_has_no_share_of_it() {
    let page = page(&with_budget(soak(20, 60), SHORT, 62.0));
    let figure = key_figure(&page, "growth per hour short-executor");
    assert!(figure.contains("of 62.0 MiB/h, undecided"), "{figure}");
    assert!(!figure.contains("% left") && !figure.contains("class=\"share\""), "{figure}");
}

#[test]
fn what_was_too_short_for_an_interval_is_said() {
    let of = |mut run: Evidence, change: fn(&mut Evidence)| {
        change(&mut run);
        let report = Report::assemble(&with_budget(run, SHORT, 5.0));
        assert_eq!(report.budgets[0].state, LimitState::NotMeasured);
        message(&report, SHORT)
    };
    let starts_late = of(soak(20, 60), |run| {
        let records = &mut run.processes.as_mut().expect("the good run has one").processes;
        records.iter_mut().for_each(|record| record.first_seen = at(13 * MINUTE));
    });
    assert!(starts_late.contains("its processes lived too shortly after"), "{starts_late}");
    let reads_no_longer = |run: &mut Evidence| {
        run.profile.retain(
            |line| !matches!(line, ProfileLine::Readings(readings) if readings.at > at(MINUTE)),
        );
    };
    let short = of(soak(7, 60), reads_no_longer);
    assert!(short.contains("the load is too short for an interval; needs --for 9m"), "{short}");
    let long = of(soak(20, 60), reads_no_longer);
    assert!(long.contains("cover too little of the load"), "{long}");
}

#[test]
fn growth_without_a_budget_is_a_note() {
    let report = Report::assemble(&soak(20, 60));
    let note = report.findings.iter().find(|it| it.message.starts_with("short-executor grows by"));
    assert_eq!(note.map(|it| it.severity), Some(Severity::Note));
    let report = Report::assemble(&soak(20, 0));
    assert!(!report.findings.iter().any(|it| it.message.contains("grows by")));
}

#[test]
fn every_report_has_the_growth_with_its_interval() {
    let report = Report::assemble(&with_budget(soak(20, 60), SHORT, 5.0));
    let rates = report.memory.as_ref().and_then(|memory| memory.growth_rates.as_ref());
    let growth = rates.and_then(|it| it.class(ProcessClass::ShortExecutor)).unwrap().growth;
    let growth = growth.interval().unwrap();
    let [low, high] = [growth.low, growth.high].map(|it| format!("{:.1}", it.as_mib_per_hour()));
    let interval = format!("{low} to {high}");
    let mut texts = [Vec::new(), Vec::new(), Vec::new()];
    text::render(&report, text::Detail::Compact, None, &mut texts[0]).unwrap();
    markdown::render(&report, &mut texts[1]).unwrap();
    junit::render(&report, &mut texts[2]).unwrap();
    for text in texts.map(|it| String::from_utf8(it).unwrap()) {
        assert!(text.contains(&interval), "{interval} in {text}");
    }
}

#[test]
fn swapped_processes_leave_growth_undecided() {
    let mut run = with_budget(soak(20, 0), SHORT, 60.0);
    run.processes.as_mut().unwrap().processes[0].swapped = Some(ByteSize::mib(5));
    assert_eq!(Report::assemble(&run).verdict, Verdict::Inconclusive);
}

#[test]
fn threads_files_and_databases_are_series() {
    let run = soak(10, 0);
    let series = skyload::analysis::RunSeries::of(&run);
    for (metric, subject, value) in [
        ("threads", "short-executor", 6.0),
        ("open-files", "short-executor", 24.0),
        ("database-size", "requests.db", 1.0),
    ] {
        let found = series.points().find(|it| it.metric == metric && it.subject == subject);
        assert_eq!(found.map(|it| it.value), Some(value), "{metric}");
    }
}
