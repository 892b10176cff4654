//! Tests on file trees of control groups, and on the groups of this machine where it grants some.

use std::fs;
use std::path::PathBuf;

use fake_sky::kernel_features::{KernelFeature, skip_test};
use rstest::rstest;

use super::*;
use crate::limits::tests::{Tree, VERSION_1, VERSION_2};
use crate::machine_size::MachineSize;
use crate::units::ByteSize;

const SIZE: MachineSize = MachineSize { cpus: 2, memory: ByteSize::gib(4) };

impl Tree {
    fn places(&self) -> Vec<Place> {
        Place::candidates_below(self.root(), "skyload-1")
    }

    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.root().join(file)).unwrap_or_default()
    }

    /// Groups in the first place that grants them, and the reasons why others do not.
    fn create(&self) -> (Option<ServerGroup>, Vec<String>) {
        let mut reasons = Vec::new();
        for place in self.places() {
            match ServerGroup::create(place, SIZE, None) {
                Ok(group) => return (Some(group), reasons),
                Err(reason) => reasons.push(reason.to_string()),
            }
        }
        (None, reasons)
    }
}

fn version_1() -> Tree {
    Tree::new("8:pids:/t\n4:memory:/t\n1:cpu,cpuacct:/t\n0::/\n", VERSION_1)
        .with("sys/fs/cgroup/memory/t/cgroup.procs", "")
        .with("sys/fs/cgroup/cpu,cpuacct/t/cgroup.procs", "")
        .with("sys/fs/cgroup/pids/t/cgroup.procs", "")
}

#[test]
fn groups_of_version_1_limit_memory_with_swap_and_cpus() {
    let folder = "sys/fs/cgroup/memory/t/skyload-1";
    let tree = version_1()
        .with(&format!("{folder}/memory.memsw.limit_in_bytes"), "9223372036854771712\n")
        .with(&format!("{folder}/memory.oom_control"), "oom_kill_disable 0\noom_kill 3\n")
        .with(&format!("{folder}/memory.max_usage_in_bytes"), "4294967296\n")
        .with(&format!("{folder}/memory.failcnt"), "7\n");
    let (group, reasons) = tree.create();
    assert_eq!(reasons, [""; 0]);
    let group = group.unwrap();
    let bytes = ByteSize::gib(4).as_u64().to_string();
    assert_eq!(tree.text(&format!("{folder}/memory.limit_in_bytes")), bytes);
    let with_swap = (ByteSize::gib(4).as_u64() + (64 << 10)).to_string();
    assert_eq!(tree.text(&format!("{folder}/memory.memsw.limit_in_bytes")), with_swap);
    let cpu = "sys/fs/cgroup/cpu,cpuacct/t/skyload-1";
    assert_eq!(tree.text(&format!("{cpu}/cpu.cfs_quota_us")), "200000");
    assert_eq!(group.cpus(), &CpuLimit::Cpus(2));
    assert!(!group.counts_into_own(), "version 1 counts kills of a group alone");
    fs::write(
        tree.root().join(cpu).join("cpu.stat"),
        "nr_periods 9\nnr_throttled 4\nthrottled_time 1500000000\n",
    )
    .unwrap();
    let figures = group.figures();
    assert_eq!((figures.peak, figures.oom_kills), (Some(ByteSize::gib(4)), Some(3)));
    assert_eq!(figures.limit_hits, Some(7));
    assert_eq!(figures.throttled, Some(Duration::from_millis(1500)));
    assert_eq!((figures.cpu_periods, figures.throttled_periods), (Some(9), Some(4)));
    assert_eq!(figures.tasks, None, "this kernel has no peak of pids");
}

#[test]
fn a_group_of_version_2_is_made_in_the_own_group_if_that_passes_controllers_on() {
    let folder = "sys/fs/cgroup/a/skyload-1";
    let tree = Tree::new("0::/a\n", VERSION_2)
        .with("sys/fs/cgroup/a/cgroup.controllers", "cpu memory pids\n")
        .with("sys/fs/cgroup/a/cgroup.subtree_control", "cpu memory pids\n")
        .with(&format!("{folder}/memory.swap.max"), "max\n")
        .with(&format!("{folder}/memory.events"), "max 8\noom 1\noom_kill 1\n")
        .with(&format!("{folder}/memory.peak"), "1048576\n")
        .with(&format!("{folder}/pids.peak"), "77\n");
    let (group, _) = tree.create();
    let group = group.unwrap();
    assert!(group.counts_into_own());
    assert_eq!(tree.text(&format!("{folder}/memory.max")), ByteSize::gib(4).as_u64().to_string());
    assert_eq!(tree.text(&format!("{folder}/memory.swap.max")), "0");
    assert_eq!(tree.text(&format!("{folder}/cpu.max")), "200000 100000");
    let figures = group.figures();
    assert_eq!((figures.peak, figures.oom_kills), (Some(ByteSize::mib(1)), Some(1)));
    assert_eq!((figures.limit_hits, figures.tasks), (Some(8), Some(77)));
    assert_eq!(group.folders(), [tree.root().join(folder)]);
}

/// Group of version 2 with this content of `memory.events`.
fn with_events(events: &str) -> (Tree, ServerGroup) {
    let tree = Tree::new("0::/a\n", VERSION_2)
        .with("sys/fs/cgroup/a/cgroup.controllers", "cpu memory pids\n")
        .with("sys/fs/cgroup/a/cgroup.subtree_control", "cpu memory pids\n")
        .with("sys/fs/cgroup/a/skyload-1/memory.events", events);
    let group = tree.create().0.unwrap();
    (tree, group)
}

/// Group of version 1 with these counts of kills and of times at the limit.
fn with_counts(kills: u64, at_limit: u64) -> (Tree, ServerGroup) {
    let folder = "sys/fs/cgroup/memory/t/skyload-1";
    let control = format!("oom_kill_disable 0\nunder_oom 0\noom_kill {kills}\n");
    let tree = version_1()
        .with(&format!("{folder}/memory.oom_control"), &control)
        .with(&format!("{folder}/memory.failcnt"), &at_limit.to_string());
    let group = tree.create().0.unwrap();
    (tree, group)
}

#[rstest]
#[case::at_the_limit_of_version_2(
    with_events("max 8\noom 1\noom_kill 2\n"),
    Some(OomKills::AtSize(2))
)]
#[case::of_a_machine_without_memory(
    with_events("max 0\noom 0\noom_kill 2\n"),
    Some(OomKills::BelowSize(2))
)]
#[case::of_a_machine_without_memory_beside_page_cache_at_the_limit(
    with_events("max 8\noom 0\noom_kill 2\n"),
    Some(OomKills::BelowSize(2))
)]
#[case::none_of_version_2(with_events("max 8\noom 1\noom_kill 0\n"), None)]
#[case::at_the_limit_of_version_1(with_counts(1, 7), Some(OomKills::AtSize(1)))]
#[case::of_a_machine_without_memory_in_version_1(with_counts(1, 0), Some(OomKills::BelowSize(1)))]
#[case::none_of_version_1(with_counts(0, 7), None)]
#[case::not_counted(with_events("max 8\n"), None)]
fn a_kill_is_one_at_the_size_only_if_the_group_was_at_its_limit(
    #[case] (_tree, group): (Tree, ServerGroup),
    #[case] kills: Option<OomKills>,
) {
    assert_eq!(group.kills_so_far(), kills);
}

#[test]
fn a_limit_that_was_reached_long_before_a_kill_is_not_its_reason() {
    let mut readings = OomReadings::default();
    let mut add = |kills, at_limit| readings.add(OomCounts { kills, at_limit });
    assert_eq!(add(0, 0), None);
    assert_eq!(add(0, 3), None);
    assert_eq!(add(1, 3), Some(OomKills::AtSize(1)), "the kill came after the reading");
    assert_eq!(add(1, 3), None);
    assert_eq!(add(3, 3), Some(OomKills::BelowSize(2)));
    assert_eq!(add(4, 5), Some(OomKills::AtSize(1)));
}

/// A group that has processes cannot pass controllers on: a scope of a systemd user, whose
/// slice can.
fn scope_in_a_slice() -> Tree {
    let slice = "sys/fs/cgroup/user.slice";
    Tree::new("0::/user.slice/run.scope\n", VERSION_2)
        .with(&format!("{slice}/cgroup.controllers"), "cpu memory pids\n")
        .with(&format!("{slice}/cgroup.subtree_control"), "memory pids\n")
        .with(&format!("{slice}/run.scope/cgroup.controllers"), "memory pids\n")
        // No file: what is written to it fails, as in the kernel.
        .with(&format!("{slice}/run.scope/cgroup.subtree_control/busy"), "")
}

#[test]
fn the_nearest_group_above_that_passes_controllers_on_is_used() {
    let tree = scope_in_a_slice();
    let (group, reasons) = tree.create();
    let group = group.unwrap();
    assert_eq!(group.memory_folder(), tree.root().join("sys/fs/cgroup/user.slice/skyload-1"));
    assert!(!group.counts_into_own());
    assert!(reasons[0].contains("run.scope/cgroup.subtree_control"), "{reasons:?}");
    assert!(!tree.root().join("sys/fs/cgroup/user.slice/run.scope/skyload-1").exists());
}

#[test]
fn no_group_with_a_limit_is_left() {
    let limit = "sys/fs/cgroup/user.slice/run.scope/memory.max";
    let tree = scope_in_a_slice().with(limit, "4294967296\n");
    let (group, reasons) = tree.create();
    assert_eq!((group, reasons.len()), (None, 1));
    let tree = scope_in_a_slice().with("sys/fs/cgroup/user.slice/run.scope/cpu.max", "max 100000");
    assert!(tree.create().0.is_some(), "`max` is no limit");
}

#[rstest]
#[case::of_memory("memory.high", "4294967296\n", "max\n")]
#[case::of_swap("memory.swap.max", "0\n", "max\n")]
#[case::of_cpu_time("cpu.max", "50000 100000\n", "max 100000\n")]
#[case::to_cpus("cpuset.cpus", "0-3\n", "\n")]
#[case::to_numa_nodes("cpuset.mems", "0\n", "\n")]
#[case::of_devices("io.max", "8:0 rbps=1048576 wbps=max riops=max wiops=max\n", "")]
#[case::of_processes("pids.max", "512\n", "max\n")]
fn a_limit_of_any_controller_keeps_the_server_in_its_group(
    #[case] file: &str,
    #[case] limit: &str,
    #[case] none: &str,
) {
    let file = format!("sys/fs/cgroup/user.slice/run.scope/{file}");
    assert_eq!(scope_in_a_slice().with(&file, limit).places().len(), 1);
    let without = scope_in_a_slice().places().len();
    assert!(without > 1);
    assert_eq!(scope_in_a_slice().with(&file, none).places().len(), without);
}

#[test]
fn without_a_controller_of_memory_nothing_is_granted() {
    let tree = Tree::new("0::/\n", VERSION_2).with("sys/fs/cgroup/cgroup.controllers", "cpu\n");
    let (group, reasons) = tree.create();
    assert_eq!(group, None);
    assert!(reasons[0].contains("does not pass the memory controller on"), "{reasons:?}");
    assert_eq!(tree.places().len(), 1, "the outermost group has none above");
}

#[test]
fn a_machine_that_cannot_limit_cpus_still_limits_memory() {
    let tree =
        Tree::new("4:memory:/t\n", VERSION_1).with("sys/fs/cgroup/memory/t/cgroup.procs", "");
    let group = tree.create().0.unwrap();
    let CpuLimit::None(reason) = group.cpus() else { panic!("{group:?}") };
    assert!(reason.contains("no controller `cpu`"), "{reason}");
}

/// Groups of this machine; `None` where it grants none, which is said.
fn real_group(name: &str, size: MachineSize) -> Option<ServerGroup> {
    let name = format!("skyload-test-{name}-{}", std::process::id());
    let mut reasons = Vec::new();
    for place in Place::candidates(&name) {
        match ServerGroup::create(place, size, None) {
            Ok(group) => return Some(group),
            Err(reason) => reasons.push(reason.to_string()),
        }
    }
    skip_test(KernelFeature::ControlGroups, reasons.join("; "));
    None
}

/// Guard that removes groups however a test ends.
struct Removed(Vec<PathBuf>);

impl Drop for Removed {
    fn drop(&mut self) {
        _ = remove(&self.0);
    }
}

#[test]
fn a_process_that_exceeds_the_memory_of_a_real_group_is_killed_and_counted() {
    let size = MachineSize { cpus: 1, memory: ByteSize::mib(32) };
    let Some(group) = real_group("oom", size) else { return };
    let _removed = Removed(group.folders());
    let fits = group.command("true").status().unwrap();
    assert!(fits.success());
    assert_eq!(group.kills_so_far(), None);
    // `tail` keeps a line of 100 MB in memory.
    let script = "head -c 100000000 /dev/zero | tail -n 1 > /dev/null";
    let status = group.command("sh").args(["-c", script]).status().unwrap();
    assert!(!status.success());
    let figures = group.figures();
    assert_eq!(figures.oom_kills, Some(1), "{figures:?}");
    assert!(figures.limit_hits.is_some_and(|hits| hits > 0), "{figures:?}");
    assert_eq!(group.kills_so_far(), Some(OomKills::AtSize(1)));
    remove(&group.folders()).unwrap();
    assert!(group.folders().iter().all(|folder| !folder.exists()));
}

#[test]
fn a_real_group_is_not_removed_under_its_processes() {
    let Some(group) = real_group("busy", SIZE) else { return };
    let _removed = Removed(group.folders());
    let mut sleeper = group.command("sleep").arg("600").spawn().unwrap();
    let is_inside = || pids_in(&group.folders()).contains(&sleeper.id());
    while !is_inside() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let folder = vec![group.memory_folder().to_owned()];
    assert!(remove(&folder).is_err());
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    remove(&group.folders()).unwrap();
}
