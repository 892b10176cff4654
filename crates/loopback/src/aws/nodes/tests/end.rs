//! Ends of nodes beside a node that does not get ready.

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use skyload::process::stat_fields;

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

/// CPU time of a process and of its reaped children, in clock ticks.
fn ticks(pid: u32) -> u64 {
    let stat = fs::read(format!("/proc/{pid}/stat")).unwrap();
    let fields = stat_fields(&stat).unwrap();
    // From utime to cstime in proc(5), where the first of these fields is the third.
    fields.skip(14 - 3).take(4).map(|field| field.parse::<u64>().unwrap()).sum()
}

#[test]
fn the_cpu_time_of_processes_that_end_with_their_node_is_the_keepers() {
    if !can_run() {
        return;
    }
    let keeper = TestKeeper::with_instance();
    let burn = "setsid python3 -c 'import time
while time.process_time() < 0.3: pass
open(\"/tmp/burnt\", \"w\"); time.sleep(606)' >/dev/null 2>&1 &
until [ -e /tmp/burnt ]; do sleep 0.02; done";
    keeper.run(burn);
    let own = keeper.child.id();
    let of_node = keeper.descendants();
    let all = of_node.iter().map(|it| ticks(it.pid)).sum::<u64>() + ticks(own);
    keeper.api.set("i-1", "stopped", None);
    // A process that is ended but not reaped is there, too.
    let is_gone = |it: &ProcessIdentity| !fs::exists(format!("/proc/{}", it.pid)).unwrap();
    soon(|| of_node.iter().all(is_gone).then_some(()));
    // Each of some processes has lost the rest of a tick.
    assert!(ticks(own) + 10 >= all, "{} of {all} ticks", ticks(own));
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
