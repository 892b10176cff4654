//! Costs of imported modules by their packages.

use std::time::Duration;

use crate::record::trace::ModuleCost;
use crate::units::{self, ByteSize};

/// Cost of the modules of one package.
#[derive(Clone, Debug, PartialEq)]
pub struct PackageCost<'a> {
    /// Name of the package: the first part of the names of its modules.
    pub name: &'a str,
    /// Number of modules.
    pub modules: usize,
    /// Growth of RSS by them.
    pub rss: ByteSize,
    /// Time of their imports.
    pub seconds: Duration,
    /// Module of another package whose code imported the package; `None` if there is none.
    pub imported_by: Option<&'a str>,
}

/// Costs of modules by package, the largest growth of RSS first.
pub fn packages(modules: &[ModuleCost]) -> Vec<PackageCost<'_>> {
    let mut packages: Vec<(&str, Vec<&ModuleCost>)> = Vec::new();
    for module in modules {
        let name = package_of(&module.name);
        match packages.iter_mut().find(|(other, _)| *other == name) {
            Some((_, members)) => members.push(module),
            None => packages.push((name, vec![module])),
        }
    }
    let mut costs: Vec<PackageCost<'_>> =
        packages.into_iter().map(|(name, modules)| of(name, &modules)).collect();
    costs.sort_by(|one, other| other.rss.cmp(&one.rss).then_with(|| one.name.cmp(other.name)));
    costs
}

fn of<'a>(name: &'a str, modules: &[&'a ModuleCost]) -> PackageCost<'a> {
    let importer = |module: &&'a ModuleCost| {
        module.imported_by.as_deref().filter(|importer| package_of(importer) != name)
    };
    let package = modules.iter().find(|module| module.name == name);
    PackageCost {
        name,
        modules: modules.len(),
        rss: modules.iter().map(|module| module.rss).sum(),
        seconds: units::total(modules.iter().map(|module| module.seconds)),
        imported_by: match package {
            Some(package) => importer(package),
            // The package itself was there before.
            None => modules.iter().find_map(importer),
        },
    }
}

fn package_of(module: &str) -> &str {
    module.split('.').next().unwrap_or(module)
}
