//! The table's names, and amounts that are compared.

use std::collections::BTreeSet;

use super::*;
use crate::units::ByteSize;

#[test]
fn every_metric_has_a_name_of_its_own_and_is_found_by_it() {
    let names: BTreeSet<String> = Metric::all().map(|metric| metric.to_string()).collect();
    assert_eq!(names.len(), Metric::all().count());
    for metric in Metric::all() {
        assert_eq!(metric.to_string().parse::<Metric>().unwrap(), metric);
    }
    assert!("treepss".parse::<Metric>().is_err());
}

#[test]
fn json_brings_every_metric_back() {
    for metric in Metric::all() {
        let json = serde_json::to_string(&metric).unwrap();
        assert_eq!(serde_json::from_str::<Metric>(&json).unwrap(), metric, "{json}");
    }
    let leaked = Metric::Server(ServerMetric::LeakedProcesses);
    assert_eq!(serde_json::to_string(&leaked).unwrap(), "\"leaked-processes\"");
    assert_eq!(leaked.to_string(), "leaked-processes");
}

#[test]
fn amounts_of_one_unit_are_compared() {
    assert!(Amount::Count(3) > Amount::Count(2));
    assert!(Amount::from(ByteSize::mib(2)) <= ByteSize::mib(2).into());
    assert_eq!(Amount::Count(1).share_of(Amount::Count(4)), Some(0.25));
}

#[test]
fn a_size_is_not_compared_with_a_count() {
    let (size, count) = (Amount::Size(ByteSize(5)), Amount::Count(5));
    assert_ne!(size, count);
    assert_eq!(size.partial_cmp(&count), None);
    assert_eq!(size.share_of(count), None);
}

#[test]
fn nothing_is_a_share_of_nothing() {
    assert_eq!(Amount::Count(0).share_of(Amount::Count(0)), None);
}

#[test]
fn what_can_be_limited_to_a_constant_is_a_peak() {
    let with_constant: Vec<Metric> = Metric::budgets().filter(|one| one.has_constant()).collect();
    assert_eq!(with_constant.len(), 4);
    assert!(with_constant.iter().all(|metric| metric.unit() == Unit::Size));
}
