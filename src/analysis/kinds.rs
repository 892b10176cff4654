//! Kinds of processes in the classes `subprocess` and `other`, which hold many programs.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::class::ProcessClass;
use crate::record::profile::ProcessRecord;
use crate::server_command;
use crate::units::total;

/// Number of processes of each kind, by class.
pub(super) type Kinds = BTreeMap<ProcessClass, BTreeMap<String, u32>>;

/// Lines, one per class: the most frequent kinds with their counts, and the sum of the others.
pub(super) fn in_words(kinds: &Kinds) -> impl Iterator<Item = String> {
    const NAMED: usize = 8;
    kinds.iter().map(|(class, kinds)| {
        let mut kinds: Vec<_> = kinds.iter().collect();
        kinds.sort_by_key(|(name, count)| (Reverse(**count), *name));
        let named = kinds.iter().take(NAMED).map(|(name, count)| format!("{count} {name}"));
        let rest = total(kinds.iter().skip(NAMED).map(|(_, count)| **count));
        let rest = (rest > 0).then(|| format!("{rest} others"));
        format!("{class}: {}", named.chain(rest).collect::<Vec<_>>().join(", "))
    })
}

/// Counts the kinds of processes in the classes `subprocess` and `other`.
pub(super) fn of(records: &[ProcessRecord]) -> Kinds {
    let mut kinds = BTreeMap::<_, BTreeMap<_, _>>::new();
    for record in records {
        if !matches!(record.class, ProcessClass::Subprocess | ProcessClass::Other) {
            continue;
        }
        // Without a recorded kind, the title (`argv[0]`) still names the program.
        let from_title = || server_command::kind(std::iter::once(record.title.as_bytes()));
        let kind = record.kind.clone().or_else(from_title).filter(|kind| !kind.is_empty());
        let kind = kind.unwrap_or_else(|| "unknown".to_owned());
        *kinds.entry(record.class).or_default().entry(kind).or_insert(0) += 1;
    }
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_kinds_are_named_and_the_others_counted() {
        let kinds = (1..=10).map(|count| (format!("k{count}"), count)).collect();
        let kinds = BTreeMap::from([(ProcessClass::Subprocess, kinds)]);
        let expected = "subprocess: 10 k10, 9 k9, 8 k8, 7 k7, 6 k6, 5 k5, 4 k4, 3 k3, 3 others";
        assert_eq!(in_words(&kinds).collect::<Vec<_>>(), [expected]);
    }
}
