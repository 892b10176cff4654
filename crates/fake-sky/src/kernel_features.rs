//! Kernel features that need root, and skipping a test where one is unavailable.
//!
//! A skipped test says so, and fails where the feature must be available: a regression
//! would otherwise pass unnoticed.

use std::fmt::Display;
use std::fs;

/// Kernel feature that root on the host has, if the kernel is built with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KernelFeature {
    /// Exit records (taskstats) with high-water marks.
    ExitRecords,
    /// Fork and exec events (proc connector).
    ForkEvents,
    /// Control groups that limit memory.
    ControlGroups,
}

impl KernelFeature {
    /// Kernel function that exists only in kernels with the feature.
    fn function(self) -> &'static str {
        match self {
            Self::ExitRecords => "xacct_add_tsk",
            Self::ForkEvents => "proc_fork_connector",
            Self::ControlGroups => "mem_cgroup_print_oom_group",
        }
    }
}

/// Prints that the test is skipped because `feature` is unavailable, with the reason.
///
/// # Panics
///
/// If the feature must be available: to root on the host, on a kernel that has it.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub fn skip_test(feature: KernelFeature, reason: impl Display) {
    let must_work = is_root_on_host() && kernel_has(feature.function());
    assert!(!must_work, "{feature:?} must be available to root, but is not: {reason}");
    eprintln!("skipped: {feature:?} is not available here: {reason}");
}

/// Whether this process has root's network rights and is in no container.
fn is_root_on_host() -> bool {
    /// Bit of `CAP_NET_ADMIN` in `CapEff` of `/proc/PID/status`.
    const NET_ADMIN: u64 = 1 << 12;
    let has_capability = fs::read("/proc/self/status").is_ok_and(|status| {
        let status = String::from_utf8_lossy(&status);
        let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
        let effective = effective.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
        effective.is_some_and(|bits| bits & NET_ADMIN != 0)
    });
    let namespace = |process: &str, kind: &str| fs::read_link(format!("/proc/{process}/ns/{kind}"));
    // The initial pid and user namespaces have fixed inode numbers (`proc_ns.h`).
    let is_initial = |kind: &str, number: u32| {
        namespace("self", kind)
            .is_ok_and(|namespace| namespace.as_os_str() == &*format!("{kind}:[{number}]"))
    };
    // The initial network namespace has none, so compare with that of pid 1. If it cannot
    // be read, assume a container.
    let is_initial_network = match (namespace("self", "net"), namespace("1", "net")) {
        (Ok(own), Ok(init)) => own == init,
        _ => false,
    };
    has_capability
        && is_initial("pid", 0xEFFF_FFFC)
        && is_initial("user", 0xEFFF_FFFD)
        && is_initial_network
}

fn kernel_has(function: &str) -> bool {
    fs::read_to_string("/proc/kallsyms").is_ok_and(|symbols| {
        symbols.lines().any(|line| line.split_ascii_whitespace().nth(2) == Some(function))
    })
}
