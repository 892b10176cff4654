//! Tests of metric names and of comparisons of amounts.

use std::collections::BTreeSet;

use super::*;
use crate::units::ByteSize;

#[test]
fn every_metric_has_a_unique_name_and_is_parsed_from_it() {
    let names: BTreeSet<String> = Metric::all().map(|metric| metric.to_string()).collect();
    assert_eq!(names.len(), Metric::all().count());
    for metric in Metric::all() {
        assert_eq!(metric.to_string().parse::<Metric>().unwrap(), metric);
    }
    assert!("treepss".parse::<Metric>().is_err());
}

#[test]
fn every_metric_survives_a_round_trip_through_json() {
    for metric in Metric::all() {
        let json = serde_json::to_string(&metric).unwrap();
        assert_eq!(serde_json::from_str::<Metric>(&json).unwrap(), metric, "{json}");
    }
    let leaked = Metric::Server(ServerMetric::LeakedProcesses);
    assert_eq!(serde_json::to_string(&leaked).unwrap(), "\"leaked-processes\"");
    assert_eq!(leaked.to_string(), "leaked-processes");
}

#[test]
fn amounts_of_one_unit_are_comparable() {
    assert!(Amount::Count(3) > Amount::Count(2));
    assert!(Amount::from(ByteSize::mib(2)) <= ByteSize::mib(2).into());
    assert_eq!(Amount::Count(1).share_of(Amount::Count(4)), Some(0.25));
}

#[test]
fn a_size_is_not_comparable_with_a_count() {
    let (size, count) = (Amount::Size(ByteSize(5)), Amount::Count(5));
    assert_ne!(size, count);
    assert_eq!(size.partial_cmp(&count), None);
    assert_eq!(size.share_of(count), None);
}

#[test]
fn there_is_no_share_of_zero() {
    assert_eq!(Amount::Count(0).share_of(Amount::Count(0)), None);
}

#[test]
fn a_small_rate_is_not_shown_as_zero() {
    let shown = [0.024, 0.96, 1.0, 31.82].map(|rate| Amount::Rate(rate).to_string());
    assert_eq!(shown, ["0.024/s", "0.96/s", "1.0/s", "31.8/s"]);
}

#[test]
fn an_amount_beside_its_limit_has_the_digits_that_tell_them_apart() {
    use std::time::Duration;
    let size = |bytes| Amount::Size(ByteSize(bytes));
    let time = |micros| Amount::Duration(Duration::from_micros(micros));
    let share = |part, whole| Amount::Share(crate::units::Percent::of(part, whole).unwrap());
    let growth = |mib| Amount::GrowthRate(crate::units::GrowthRate::mib_per_hour(mib));
    for (measured, limit, text) in [
        (Amount::Rate(0.96), Amount::Rate(1.0), "0.96/s"),
        (Amount::Rate(0.999_9), Amount::Rate(1.0), "0.9999/s"),
        (size((300 << 20) + (40 << 10)), size(300 << 20), "300.04 MiB"),
        (size((300 << 20) + 1), size(300 << 20), "300.000001 MiB"),
        (time(4_000_020), time(4_000_000), "4.00002 s"),
        (share(1_000_001, 10_000_000), share(1, 10), "10.00001%"),
        (growth(5.04), growth(5.0), "5.04 MiB/h"),
        (Amount::Count(3), Amount::Count(2), "3"),
        // What is told apart anyway, or is the limit, has the usual digits.
        (size(310 << 20), size(300 << 20), "310.0 MiB"),
        (time(4_000_000), time(4_000_000), "4.000 s"),
    ] {
        assert_eq!(measured.beside(limit), text);
    }
}

#[test]
fn metrics_with_a_constant_are_sizes() {
    let with_constant: Vec<Metric> = Metric::budgets().filter(|one| one.has_constant()).collect();
    assert_eq!(with_constant.len(), 4);
    assert!(with_constant.iter().all(|metric| metric.unit() == Unit::Size));
}
