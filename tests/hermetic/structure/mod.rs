//! Which module may import which: the layers of the library, and no circle among files.

mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rstest::rstest;
use source::{Module, Sources};

/// Modules of the library from the bottom up: each imports from rows above its own alone.
const LAYERS: [&[&str]; 9] = [
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
        "target",
        "units",
    ],
    &["credentials", "limits", "process", "scenario", "usage"],
    &["metric"],
    &["record"],
    &["config", "profiler"],
    &["plan"],
    &["analysis", "api"],
    &["render", "resources", "schema", "traffic"],
    &["recommend"],
];

/// Parts of a run that meet in the run directory and nowhere else.
const STRANGERS: [(&str, &[&str]); 3] = [
    ("analysis", &["api", "profiler", "traffic"]),
    ("profiler", &["analysis", "api", "plan", "traffic"]),
    ("traffic", &["analysis", "profiler"]),
];

fn root(folder: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)
}

/// The first names of modules and of what they import.
fn rooms(sources: &Sources) -> BTreeMap<String, BTreeSet<String>> {
    let mut rooms: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (module, imports) in sources.imports() {
        let Some(room) = module.first() else { continue };
        let others = imports.iter().filter_map(|import| import.first()).filter(|one| *one != room);
        rooms.entry(room.clone()).or_default().extend(others.cloned());
    }
    rooms
}

#[test]
fn modules_of_the_library_import_from_the_layers_below_them() {
    let layer = |room: &String| LAYERS.iter().position(|rooms| rooms.contains(&room.as_str()));
    for (room, imports) in rooms(&Sources::read(&root("src"))) {
        let own = layer(&room).unwrap_or_else(|| panic!("`{room}` has no layer: add it to LAYERS"));
        for import in &imports {
            let below = layer(import).is_some_and(|theirs| theirs < own);
            assert!(below, "`{room}` imports `{import}`, which is not below it");
        }
        let strangers = STRANGERS.iter().filter(|(one, _)| *one == room);
        for stranger in strangers.flat_map(|(_, others)| *others) {
            assert!(!imports.contains(*stranger), "`{room}` knows of `{stranger}`");
        }
    }
}

#[rstest]
#[case::the_library("src")]
#[case::the_commands("xtask/src")]
#[case::what_they_do_on_a_machine("crates/host/src")]
#[case::the_nodes("crates/loopback/src")]
#[case::the_benchmark("crates/bench/src")]
#[case::the_stand_in("crates/fake-sky/src")]
fn no_files_import_one_another_in_a_circle(#[case] folder: &str) {
    let sources = Sources::read(&root(folder));
    let imports = sources.imports();
    assert!(imports.len() > 10, "{folder} has few files: {}", imports.len());
    let mut free: BTreeSet<&Module> = BTreeSet::new();
    // What imports only what is free of circles is free of them itself.
    loop {
        let next = imports.iter().filter(|(module, imports)| {
            !free.contains(module) && imports.iter().all(|import| free.contains(import))
        });
        let next: Vec<&Module> = next.map(|(module, _)| module).collect();
        if next.is_empty() {
            break;
        }
        free.extend(next);
    }
    let tied: Vec<String> = imports
        .iter()
        .filter(|(module, _)| !free.contains(module))
        .map(|(module, imports)| {
            let tied = imports.iter().filter(|import| !free.contains(import));
            let names: Vec<String> = tied.map(|import| import.join("::")).collect();
            format!("{} imports {}", module.join("::"), names.join(", "))
        })
        .collect();
    assert!(tied.is_empty(), "in a circle, or above one:\n{}", tied.join("\n"));
}
