//! Skipping of tests where the machine permits no nodes.

use skyload::env;

use crate::aws::nodes::obstacle::obstacle_in;

/// Whether nodes can run on this machine. A skipped test says so.
///
/// # Panics
///
/// If nodes are required to run: a test that CI skips would pass unnoticed.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub(super) fn can_run() -> bool {
    let folder = tempfile::tempdir().unwrap();
    let Some(obstacle) = obstacle_in(folder.path()) else { return true };
    ensure_skippable(&obstacle, env::text(env::REQUIRE_NODES).is_some());
    eprintln!("skipped: {obstacle}");
    false
}

fn ensure_skippable(obstacle: &str, are_required: bool) {
    assert!(!are_required, "{} requires that nodes can run: {obstacle}", env::REQUIRE_NODES);
}

#[test]
fn a_test_is_skipped_where_nodes_may_be_missing() {
    ensure_skippable("no namespaces", false);
}

#[test]
#[should_panic = "SKYLOAD_REQUIRE_NODES requires that nodes can run: no namespaces"]
fn a_test_fails_where_nodes_are_required() {
    ensure_skippable("no namespaces", true);
}
