//! Tests of growth per hour: made readings of servers with and without leaks.

use rstest::rstest;

use super::*;
use crate::record::Version;
use crate::record::profile::{Ending, ProcessReading, ProcessTable, ProfileLine, ProfilerOverhead};

const MIB: f64 = 1024.0 * 1024.0;
const PERIOD: u64 = 10;

fn at(second: u64) -> Timestamp {
    Timestamp::from_micros(1_790_000_000_000_000).plus(Duration::from_secs(second))
}

/// Process of a made soak: its life in seconds from the start of the load, and its RSS in MiB by
/// its age in seconds.
struct Process {
    class: ProcessClass,
    life: std::ops::Range<u64>,
    rss: Box<dyn Fn(f64) -> f64>,
    /// Mapped files in the RSS, likewise; `None` in a profile that does not tell.
    mapped: Option<fn(f64) -> f64>,
}

fn process(class: ProcessClass, life: std::ops::Range<u64>, rss: fn(f64) -> f64) -> Process {
    Process { class, life, rss: Box::new(rss), mapped: None }
}

/// Growth over a load of this many seconds with these processes.
fn growth(seconds: u64, processes: &[Process]) -> GrowthRates {
    let pid = |index: usize| u32::try_from(index).unwrap() + 100;
    let reading = |second: u64| {
        let alive = processes.iter().enumerate().filter(|(_, it)| it.life.contains(&second));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "made sizes")]
        let size = |mib: f64| ByteSize((mib * MIB) as u64);
        #[expect(clippy::cast_precision_loss, reason = "seconds")]
        let age = |it: &Process| (second - it.life.start) as f64;
        let reading = |(index, it): (usize, &Process)| ProcessReading {
            pid: pid(index),
            started: 1,
            rss: size((it.rss)(age(it))),
            anonymous: it.mapped.map(|mapped| size((it.rss)(age(it)) - mapped(age(it)))),
            low: None,
            high: None,
            threads: 1,
            open_files: None,
        };
        let processes = alive.map(reading).collect();
        ProfileLine::Readings(Readings { at: at(second), processes, ..Readings::default() })
    };
    let lines: Vec<ProfileLine> =
        (0..=seconds / PERIOD).map(|index| reading(index * PERIOD)).collect();
    let records = processes.iter().enumerate().map(|(index, it)| ProcessRecord {
        identity: ProcessIdentity { pid: pid(index), started: 1 },
        parent: 1,
        class: it.class,
        title: String::new(),
        kind: None,
        first_seen: at(it.life.start),
        last_read: None,
        peak: None,
        peak_while_starting: None,
        swapped: None,
        threads: 1,
        fastest_growth: None,
        exited: None,
        signal: None,
        ending: Ending::Alive,
    });
    let table = ProcessTable {
        version: Version,
        processes: records.collect(),
        dropped_events: 0,
        profiler: ProfilerOverhead {
            samples: 0,
            missed_samples: 0,
            rate_hz: 20.0,
            cpu: Duration::ZERO,
            peak: ByteSize(0),
            longest_gap: Duration::ZERO,
        },
    };
    let recording = Recording { lines: &lines, processes: Some(&table) };
    assemble(recording, (at(0), at(seconds))).unwrap()
}

fn interval(growth: RateEstimate) -> RateInterval {
    growth.interval().unwrap_or_else(|| panic!("{growth:?}"))
}

use ProcessClass::{LongExecutor, Server, ShortExecutor};

#[test]
fn a_leaking_process_its_class_and_the_server_grow() {
    let rates = growth(
        1200,
        &[
            process(Server, 0..1300, |_| 200.0),
            process(ShortExecutor, 0..1300, |age| 170.0 + age / 60.0),
            process(ShortExecutor, 0..1300, |_| 170.0),
        ],
    );
    assert_eq!((rates.load.as_secs(), rates.warm_up.as_secs()), (1200, 300));
    let short = rates.class(ShortExecutor).unwrap();
    assert_eq!(short.processes, 2);
    for growth in [rates.all_processes, short.growth] {
        assert_eq!(interval(growth).estimate.to_string(), "60.0 MiB/h");
        assert!(interval(growth).is_growth());
    }
    let fastest = rates.fastest(ShortExecutor).unwrap();
    assert_eq!(fastest.identity.pid, 101);
    assert!(fastest.growth.to_string().starts_with("60.0 MiB/h ("), "{}", fastest.growth);
    assert!(!interval(rates.class(Server).unwrap().growth).is_growth());
    assert_eq!(rates.fastest(Server), None);
}

#[test]
fn executors_that_are_replaced_do_not_grow_by_being_replaced() {
    // Each is larger than the one before, which is the growth of no process.
    let executors = (0..8_u64).map(|index| Process {
        class: LongExecutor,
        life: index * 1200..index * 1200 + 1200,
        rss: Box::new(move |_| 170.0 + 5.0 * f64::from(u32::try_from(index).unwrap())),
        mapped: None,
    });
    let rates = growth(9600, &executors.collect::<Vec<_>>());
    assert_eq!(rates.class(LongExecutor), None, "none outlives its warm-up of half an hour");
    assert!(interval(rates.all_processes).is_growth(), "the server does grow");
}

#[test]
fn a_leak_is_found_through_processes_that_are_replaced() {
    let lives = (0..8_u64).map(|index| index * 3600..(index + 1) * 3600);
    let executors = lives.map(|life| process(ShortExecutor, life, |age| 170.0 + age / 60.0));
    let rates = growth(8 * 3600, &executors.collect::<Vec<_>>());
    let short = rates.class(ShortExecutor).unwrap();
    assert_eq!(short.processes, 8);
    let growth = interval(short.growth);
    // Half an hour of each hour counts.
    let expected = GrowthRate::mib_per_hour(60.0);
    assert!(growth.low <= expected && growth.is_growth(), "{growth}");
}

/// Mapped files of an executor by its age: the kernel drops 2 MiB of them after 18 minutes.
fn dropped(age: f64) -> f64 {
    if age < 1080.0 { 20.0 } else { 18.0 }
}

#[rstest]
#[case::without_a_leak(|age| 145.0 + dropped(age), false)]
#[case::with_a_leak(|age| 145.0 + dropped(age) + age / 3600.0, true)]
fn mapped_files_that_the_kernel_drops_do_not_count(
    #[case] rss: fn(f64) -> f64,
    #[case] leaks: bool,
) {
    let executor = || Process { mapped: Some(dropped), ..process(ShortExecutor, 0..1300, rss) };
    let rates = growth(1200, &[executor(), executor(), executor()]);
    assert_eq!(rates.memory, GrowingMemory::Anonymous);
    for growth in [rates.all_processes, rates.class(ShortExecutor).unwrap().growth] {
        let RateInterval { low, estimate, high } = interval(growth);
        let expected = GrowthRate::mib_per_hour(if leaks { 3.0 } else { 0.0 });
        for end in [low, estimate, high] {
            let difference = end.as_mib_per_hour() - expected.as_mib_per_hour();
            assert!(difference.abs() < 0.05, "{growth:?}");
        }
    }
}

#[test]
fn a_process_without_a_reading_of_anonymous_memory_does_not_count() {
    let with = Process { mapped: Some(dropped), ..process(ShortExecutor, 0..1300, |_| 170.0) };
    // As a command that ends soon after its start.
    let without = process(ShortExecutor, 0..1300, |age| 170.0 + age);
    let rates = growth(1200, &[with, without]);
    assert_eq!(rates.memory, GrowingMemory::Anonymous);
    let short = rates.class(ShortExecutor).unwrap();
    assert_eq!(short.processes, 1);
    assert!(interval(short.growth).estimate < GrowthRate::mib_per_hour(10.0), "{short:?}");
}

#[test]
fn a_profile_without_anonymous_memory_has_the_growth_of_the_rss() {
    let rates = growth(1200, &[process(ShortExecutor, 0..1300, |age| 170.0 + age / 60.0)]);
    assert_eq!(rates.memory, GrowingMemory::Rss);
    assert_eq!(interval(rates.all_processes).estimate.to_string(), "60.0 MiB/h");
}

#[test]
fn what_a_process_takes_in_its_warm_up_is_no_growth() {
    let start = |age: f64| if age < 240.0 { 100.0 + age / 4.0 } else { 160.0 };
    let rates =
        growth(1200, &[process(Server, 0..1300, start), process(LongExecutor, 350..1300, start)]);
    for one in &rates.classes {
        assert!(!interval(one.growth).is_growth(), "{one:?}");
    }
}

#[rstest]
#[case::shortest(SHORTEST_LOAD.as_secs(), true)]
#[case::shorter(420, false)]
fn a_load_of_nine_minutes_has_an_interval(#[case] seconds: u64, #[case] has_interval: bool) {
    let rates = growth(seconds, &[process(Server, 0..9999, |_| 200.0)]);
    let expected = if has_interval { None } else { Some(RateEstimate::TooShort) };
    let found = rates.all_processes;
    assert_eq!(Some(found).filter(|it| it.interval().is_none()), expected);
    assert_eq!(rates.processes.len(), usize::from(has_interval));
}

#[test]
fn of_ten_days_without_a_leak_none_grows_and_one_with_a_leak_does() {
    // A daemon every five minutes, requests that come and go, and noise by a fixed rule.
    let day = |number: u32, leak: f64| {
        let noise = move |age: f64| {
            let shift = f64::from(number) * 37.0;
            let wave = ((age + shift) / 300.0 * std::f64::consts::TAU).sin();
            let hashed = ((age * 12.9898 + shift).sin() * 43_758.545_3).fract();
            170.0 + 2.0 * wave + hashed + leak * age / 3600.0
        };
        let rss = Box::new(noise);
        let executor = Process { class: ShortExecutor, life: 0..90_000, rss, mapped: None };
        growth(86_400, &[process(Server, 0..90_000, |_| 200.0), executor])
    };
    for number in 0..10 {
        let rates = day(number, 0.0);
        assert!(!interval(rates.class(ShortExecutor).unwrap().growth).is_growth(), "{number}");
        assert!(!interval(rates.all_processes).is_growth(), "{number}");
    }
    let leaking = interval(day(0, 0.5).class(ShortExecutor).unwrap().growth);
    assert!(leaking.is_growth() && leaking.estimate < GrowthRate::mib_per_hour(0.6), "{leaking}");
}

#[test]
fn a_profile_without_readings_has_no_growth() {
    let recording = Recording { lines: &[], processes: None };
    assert_eq!(assemble(recording, (at(0), at(1200))), None);
}
