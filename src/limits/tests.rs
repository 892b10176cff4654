//! Tests on cgroup file trees of machines and containers.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::units::ByteSize;

pub(super) const VERSION_1: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
";
pub(super) const VERSION_2: &str =
    "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";

/// Files of a machine in a temporary folder.
pub(super) struct Tree(TempDir);

impl Tree {
    pub(super) fn new(membership: &str, mounts: &str) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        tree.with("proc/self/cgroup", membership).with("proc/self/mountinfo", mounts)
    }

    pub(super) fn with(self, file: &str, text: &str) -> Self {
        let path = self.0.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    pub(super) fn root(&self) -> &Path {
        self.0.path()
    }

    fn limits(&self) -> MachineLimits {
        MachineLimits::below(self.0.path())
    }

    fn memory(&self) -> MemoryGroups {
        MemoryGroups::below(self.0.path(), "self")
    }
}

fn memory_limit(gib: u64, file: &str) -> Option<MemoryLimit> {
    Some(MemoryLimit { limit: ByteSize::gib(gib), file: file.to_owned() })
}

fn gib(gib: u64) -> String {
    format!("{}\n", gib << 30)
}

#[test]
fn a_machine_without_control_groups_has_no_limits() {
    let tree = Tree(tempfile::tempdir().unwrap());
    assert_eq!(tree.limits(), MachineLimits::NONE);
    assert_eq!((tree.memory().available(), tree.memory().oom_kills()), (None, None));
}

#[test]
fn limits_of_version_1_are_read() {
    let tree = Tree::new("8:pids:/t\n4:memory:/t\n1:cpu,cpuacct:/t\n0::/\n", VERSION_1)
        .with("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
        .with("sys/fs/cgroup/memory/t/memory.limit_in_bytes", &gib(4))
        .with("sys/fs/cgroup/memory/t/memory.usage_in_bytes", &gib(3))
        .with(
            "sys/fs/cgroup/memory/t/memory.stat",
            &format!("cache 1\ntotal_inactive_file {}", gib(1)),
        )
        .with(
            "sys/fs/cgroup/memory/t/memory.oom_control",
            "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
        )
        .with("sys/fs/cgroup/cpu,cpuacct/t/cpu.cfs_quota_us", "150000\n")
        .with("sys/fs/cgroup/cpu,cpuacct/t/cpu.cfs_period_us", "100000\n")
        .with("sys/fs/cgroup/pids/t/pids.max", "512\n");
    let limits = tree.limits();
    let file = "/sys/fs/cgroup/memory/t/memory.limit_in_bytes";
    assert_eq!(limits.memory, memory_limit(4, file));
    assert_eq!(limits.cpu.map(|quota| quota.cpus()), Some(1.5));
    assert_eq!(limits.tasks.map(|limit| limit.tasks), Some(512));
    let available = AvailableMemory { limit: ByteSize::gib(4), available: ByteSize::gib(2) };
    let memory = tree.memory();
    assert_eq!((memory.available(), memory.oom_kills()), (Some(available), Some(2)));
}

#[test]
fn limits_of_version_2_are_read_and_memory_high_counts() {
    let tree = Tree::new("0::/a\n", VERSION_2)
        .with("sys/fs/cgroup/a/memory.max", &gib(8))
        .with("sys/fs/cgroup/a/memory.high", &gib(6))
        .with("sys/fs/cgroup/a/memory.current", &gib(5))
        .with("sys/fs/cgroup/a/memory.stat", &format!("anon 5\ninactive_file {}", gib(2)))
        .with("sys/fs/cgroup/a/memory.events", "low 0\nhigh 3\nmax 0\noom 1\noom_kill 1\n")
        .with("sys/fs/cgroup/a/cpu.max", "50000 100000\n")
        .with("sys/fs/cgroup/a/pids.max", "max\n");
    let limits = tree.limits();
    assert_eq!(limits.memory, memory_limit(6, "/sys/fs/cgroup/a/memory.high"));
    assert_eq!(limits.cpu.map(|quota| quota.cpus()), Some(0.5));
    assert_eq!(limits.tasks, None);
    let available = AvailableMemory { limit: ByteSize::gib(6), available: ByteSize::gib(3) };
    let memory = tree.memory();
    assert_eq!((memory.available(), memory.oom_kills()), (Some(available), Some(1)));
}

#[test]
fn the_smallest_of_nested_limits_counts() {
    let tree = Tree::new("0::/slice/pod/box\n", VERSION_2)
        .with("sys/fs/cgroup/slice/memory.max", &gib(12))
        .with("sys/fs/cgroup/slice/memory.current", &gib(11))
        .with("sys/fs/cgroup/slice/pod/memory.max", &gib(4))
        .with("sys/fs/cgroup/slice/pod/memory.current", &gib(1))
        .with("sys/fs/cgroup/slice/pod/pids.max", "100\n")
        .with("sys/fs/cgroup/slice/pod/cpu.max", "max 100000\n")
        .with("sys/fs/cgroup/slice/cpu.max", "200000 100000\n")
        .with("sys/fs/cgroup/slice/pod/box/memory.max", "max\n");
    let limits = tree.limits();
    assert_eq!(limits.memory, memory_limit(4, "/sys/fs/cgroup/slice/pod/memory.max"));
    assert_eq!(limits.tasks.map(|limit| limit.tasks), Some(100));
    assert_eq!(limits.cpu.map(|quota| quota.file), Some("/sys/fs/cgroup/slice/cpu.max".to_owned()));
    // Other groups of the slice use 10 GiB, so the outer limit leaves less than the inner one.
    let available = AvailableMemory { limit: ByteSize::gib(12), available: ByteSize::gib(1) };
    assert_eq!(tree.memory().available(), Some(available));
}

#[test]
fn a_version_1_parent_without_use_hierarchy_does_not_limit_its_children() {
    let tree = Tree::new("4:memory:/a/b\n", VERSION_1)
        .with("sys/fs/cgroup/memory/a/memory.limit_in_bytes", &gib(1))
        .with("sys/fs/cgroup/memory/a/memory.use_hierarchy", "0\n")
        .with("sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", &gib(2))
        .with("sys/fs/cgroup/memory/a/b/memory.use_hierarchy", "0\n");
    let file = "/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes";
    assert_eq!(tree.limits().memory, memory_limit(2, file));
}

#[test]
fn a_container_with_the_hosts_path_of_its_group_reads_the_top() {
    let bind = "35 31 0:32 /docker/7 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
    let tree = Tree::new("4:memory:/docker/7\n", bind)
        .with("sys/fs/cgroup/memory/memory.limit_in_bytes", &gib(3));
    let file = "/sys/fs/cgroup/memory/memory.limit_in_bytes";
    assert_eq!(tree.limits().memory, memory_limit(3, file));
    // The mount does not show the host's path either.
    let tree = Tree::new("0::/docker/7\n", VERSION_2).with("sys/fs/cgroup/memory.max", &gib(3));
    assert_eq!(tree.limits().memory, memory_limit(3, "/sys/fs/cgroup/memory.max"));
    let tree = Tree::new("0::/../other\n", VERSION_2).with("sys/fs/cgroup/memory.max", &gib(3));
    assert_eq!(tree.limits().memory, memory_limit(3, "/sys/fs/cgroup/memory.max"));
}

#[test]
fn each_controller_is_read_from_the_hierarchy_that_has_it() {
    let hybrid = "\
35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
";
    let tree = Tree::new("4:memory:/m\n0::/u\n", hybrid)
        .with("sys/fs/cgroup/memory/m/memory.limit_in_bytes", &gib(5))
        .with("sys/fs/cgroup/unified/u/memory.max", &gib(1))
        .with("sys/fs/cgroup/unified/u/pids.max", "64\n");
    let file = "/sys/fs/cgroup/memory/m/memory.limit_in_bytes";
    assert_eq!(tree.limits().memory, memory_limit(5, file));
    assert_eq!(tree.limits().tasks.map(|limit| limit.tasks), Some(64));
}

#[test]
fn mount_points_with_spaces_are_found() {
    let mounts = "30 23 0:26 / /my\\040groups rw - cgroup2 cgroup2 rw\n";
    let tree = Tree::new("0::/\n", mounts).with("my groups/memory.max", &gib(2));
    assert_eq!(tree.limits().memory, memory_limit(2, "/my groups/memory.max"));
}

#[test]
fn descriptions_of_limits_name_their_files() {
    let tree = Tree::new("0::/\n", VERSION_2)
        .with("sys/fs/cgroup/memory.max", &gib(4))
        .with("sys/fs/cgroup/cpu.max", "150000 100000\n");
    assert_eq!(
        tree.limits().in_words(),
        [
            "memory limit 4.0 GiB (/sys/fs/cgroup/memory.max)",
            "CPU quota of 1.5 CPUs (/sys/fs/cgroup/cpu.max)"
        ]
    );
}
