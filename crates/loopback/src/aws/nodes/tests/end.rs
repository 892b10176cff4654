//! Ends of nodes beside a node that does not get ready.

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::*;

/// Instance whose node hangs in its start, before it is ready. The first by its id.
const SLOW: &str = "i-0";
const SLOW_ADDRESS: &str = "54.0.0.9";

/// Connects to the node of [`SLOW`], and waits until its init has begun. The connection ends with
/// the keeper.
fn start_slow_node(keeper: &TestKeeper) {
    let files = keeper.settings.folder.join("nodes").join(SLOW);
    let etc = files.join("system/etc");
    fs::create_dir_all(&etc).unwrap();
    // Init reads it as a file of the node, and waits for a writer.
    mkfifo(&etc.join("passwd"), Mode::S_IRWXU).unwrap();
    keeper.api.set(SLOW, "running", Some(SLOW_ADDRESS));
    let socket = keeper.settings.socket();
    std::thread::spawn(move || connect_to(&socket, SLOW_ADDRESS, "echo"));
    soon(|| files.join("root").exists().then_some(()));
}

#[test]
fn a_node_that_is_starting_keeps_no_other_from_ending() {
    if !can_run() {
        return;
    }
    let keeper = TestKeeper::with_instance();
    keeper.run("echo");
    start_slow_node(&keeper);
    keeper.api.set("i-1", "terminated", None);
    let files = keeper.settings.folder.join("nodes/i-1");
    soon(|| (!files.exists()).then_some(()));
}

#[test]
fn a_node_that_is_starting_ends_with_the_keeper() {
    if !can_run() {
        return;
    }
    let mut keeper = TestKeeper::start();
    start_slow_node(&keeper);
    let processes = keeper.descendants();
    assert!(!processes.is_empty());
    kill(keeper.pid(), Signal::SIGTERM).unwrap();
    soon(|| keeper.child.try_wait().unwrap());
    // The kernel ends the init with its parent.
    soon(|| processes.iter().all(|process| !process.is_alive()).then_some(()));
}
