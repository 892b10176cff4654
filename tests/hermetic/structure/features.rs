//! One build of each dependency, for commands, scenarios and tests alike.

use std::collections::BTreeSet;
use std::process::Command;

use rstest::rstest;

/// Dependencies of packages, each with its features, as cargo would build them.
fn dependencies(args: &[&str]) -> BTreeSet<String> {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--prefix", "none", "--format", "{p} {f}"])
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo can be started");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let text = String::from_utf8(tree.stdout).expect("output is UTF-8");
    text.lines().map(|line| line.trim_end_matches(" (*)").trim_end().to_owned()).collect()
}

#[rstest]
#[case::of_commands(&["--package", "xtask", "--edges", "normal,build"])]
#[case::of_scenarios(&["--package", "skyload", "--edges", "normal,build,dev"])]
fn dependencies_are_built_once_with_the_features_of_all_tests(#[case] args: &[&str]) {
    let all = dependencies(&["--workspace", "--edges", "normal,build,dev"]);
    let some = dependencies(args);
    let twice: Vec<&String> = some.difference(&all).collect();
    assert!(
        twice.is_empty(),
        "built with other features than for `cargo xtask test`, and all that depends on them, \
         twice: {twice:#?}\nadd the missing features to Cargo.toml"
    );
}
