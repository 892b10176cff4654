//! Python and packages that SkyPilot runs on, where they differ: between base and candidate, a
//! difference that is listed; within one of them, a condition that disturbs.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conditions::{Difference, Part};
use super::measured_run::MeasuredRun;
use crate::record::environment::PythonPackages;

/// Package whose version differs between base and candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PackageDifference {
    /// Normalized name of the package, or `Python`.
    pub name: String,
    /// Version that the base runs on; `None` if it is not installed there.
    pub base: Option<String>,
    /// Version that the candidate runs on; `None` if it is not installed there.
    pub candidate: Option<String>,
}

/// Names under which SkyPilot itself is installed, whose versions are meant to differ.
const SKYPILOT: [&str; 2] = ["skypilot", "skypilot-nightly"];

/// Name of Python among those of packages, which are in lower case.
const PYTHON: &str = "Python";

/// Number of packages that a condition names.
const NAMED: usize = 3;

/// Packages that differ between base and candidate, in the order of their names, Python first;
/// `None` if those of either are unknown.
pub(super) fn between(
    base: &[&MeasuredRun],
    candidate: &[&MeasuredRun],
) -> Option<Vec<PackageDifference>> {
    Some(differences(first(base)?, first(candidate)?))
}

/// Packages of the first run that has a record of them, which stand for those of all: others are
/// a condition that disturbs.
pub(super) fn first<'a>(runs: &[&'a MeasuredRun]) -> Option<&'a PythonPackages> {
    runs.iter().find_map(|run| run.packages.as_ref())
}

/// Condition that packages differ between runs that belong together, such as those of the
/// `base`, if they do. A run without a record is not compared.
pub(super) fn within(name: &str, runs: &[&MeasuredRun]) -> Option<Difference> {
    let mut known = runs.iter().filter_map(|run| Some((&run.run, run.packages.as_ref()?)));
    let (run, packages) = known.next()?;
    known.find_map(|(other_run, others)| {
        let differences = differences(packages, others);
        let named = |of: fn(&PackageDifference) -> &Option<String>| {
            let one = |differing: &PackageDifference| match of(differing) {
                Some(version) => format!("{} {version}", differing.name),
                None => format!("no {}", differing.name),
            };
            let texts: Vec<String> = differences.iter().take(NAMED).map(one).collect();
            match differences.len().saturating_sub(NAMED) {
                0 => texts.join(", "),
                more => format!("{} and {more} more", texts.join(", ")),
            }
        };
        (!differences.is_empty()).then(|| Difference {
            what: format!("packages of the {name}"),
            run: run.clone(),
            value: named(|differing| &differing.base),
            other_run: other_run.clone(),
            other_value: named(|differing| &differing.candidate),
            part: Part::Memory,
            may_be_skypilots: false,
        })
    })
}

fn differences(base: &PythonPackages, candidate: &PythonPackages) -> Vec<PackageDifference> {
    let (base, candidate) = (versions(base), versions(candidate));
    let names: BTreeSet<&str> = base.keys().chain(candidate.keys()).copied().collect();
    let version = |of: &BTreeMap<&str, &str>, name| of.get(name).map(|it| (*it).to_owned());
    let compared = names.into_iter().map(|name| PackageDifference {
        name: name.to_owned(),
        base: version(&base, name),
        candidate: version(&candidate, name),
    });
    compared.filter(|package| package.base != package.candidate).collect()
}

/// Versions by name, without SkyPilot.
fn versions(packages: &PythonPackages) -> BTreeMap<&str, &str> {
    let installed = packages.installed.iter().map(|(name, version)| (&**name, &**version));
    let others = installed.filter(|(name, _)| !SKYPILOT.contains(name));
    others.chain([(PYTHON, &*packages.python)]).collect()
}
