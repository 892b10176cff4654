//! Import rules: layers of the library, and no import cycles among files.

mod features;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rstest::rstest;
use source::{Module, Sources};

/// Modules of the library, lowest layer first. A module may import from lower layers only.
const LAYERS: [&[&str]; 11] = [
    &[
        "class",
        "clock",
        "env",
        "fact",
        "hash",
        "ids",
        "infrastructure",
        "listeners",
        "poll",
        "server_command",
        "shell",
        "suggest",
        "target",
        "units",
    ],
    &["machine_size"],
    &["credentials", "limits", "process", "scenario", "shape", "usage"],
    &["metric"],
    &["record"],
    &["config", "profiler"],
    &["plan"],
    &["analysis", "api"],
    &["comparison", "explanation", "live"],
    &["render", "resources", "schema", "traffic"],
    &["recommend"],
];

/// Modules with the modules that they must not import: parts of a run exchange data through files
/// in the run directory only.
const INDEPENDENT: [(&str, &[&str]); 3] = [
    ("analysis", &["api", "profiler", "traffic"]),
    ("profiler", &["analysis", "api", "plan", "traffic"]),
    ("traffic", &["analysis", "profiler"]),
];

fn root(folder: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)
}

/// Imports among the top-level modules.
fn top_level_imports(sources: &Sources) -> BTreeMap<String, BTreeSet<String>> {
    let mut top_level: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (module, imports) in sources.imports() {
        let Some(top) = module.first() else { continue };
        let others = imports.iter().filter_map(|import| import.first()).filter(|one| *one != top);
        top_level.entry(top.clone()).or_default().extend(others.cloned());
    }
    top_level
}

#[test]
fn modules_of_the_library_import_from_lower_layers_only() {
    let layer = |name: &String| LAYERS.iter().position(|layer| layer.contains(&name.as_str()));
    for (module, imports) in top_level_imports(&Sources::read(&root("src"))) {
        let own =
            layer(&module).unwrap_or_else(|| panic!("`{module}` has no layer: add it to LAYERS"));
        for import in &imports {
            let is_lower = layer(import).is_some_and(|other| other < own);
            assert!(is_lower, "`{module}` imports `{import}`, which is not in a lower layer");
        }
        let independent = INDEPENDENT.iter().filter(|(one, _)| *one == module);
        for other in independent.flat_map(|(_, others)| *others) {
            assert!(!imports.contains(*other), "`{module}` imports `{other}`, see INDEPENDENT");
        }
    }
}

#[rstest]
#[case::library("src")]
#[case::xtask("xtask/src")]
#[case::host("crates/host/src")]
#[case::loopback("crates/loopback/src")]
#[case::bench("crates/bench/src")]
#[case::fake_sky("crates/fake-sky/src")]
fn files_have_no_import_cycle(#[case] folder: &str) {
    let sources = Sources::read(&root(folder));
    let imports = sources.imports();
    assert!(imports.len() > 10, "{folder} has few files: {}", imports.len());
    // Topological sort: a file whose imports are all sorted is on no cycle.
    let mut sorted: BTreeSet<&Module> = BTreeSet::new();
    loop {
        let next = imports.iter().filter(|(module, imports)| {
            !sorted.contains(module) && imports.iter().all(|import| sorted.contains(import))
        });
        let next: Vec<&Module> = next.map(|(module, _)| module).collect();
        if next.is_empty() {
            break;
        }
        sorted.extend(next);
    }
    let unsorted: Vec<String> = imports
        .iter()
        .filter(|(module, _)| !sorted.contains(module))
        .map(|(module, imports)| {
            let unsorted = imports.iter().filter(|import| !sorted.contains(import));
            let names: Vec<String> = unsorted.map(|import| import.join("::")).collect();
            format!("{} imports {}", module.join("::"), names.join(", "))
        })
        .collect();
    assert!(unsorted.is_empty(), "on an import cycle, or above one:\n{}", unsorted.join("\n"));
}
