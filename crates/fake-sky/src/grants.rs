//! What the kernel tells nobody but root, and a test that is left out where it is refused.
//!
//! Such a test must not pass in silence: whoever it is granted to would not notice that it
//! no longer is.

use std::fmt::Display;
use std::fs;

/// Something that kernels grant to root of the machine itself, if they have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// The records of exits, with marks.
    ExitRecords,
    /// The word of births and execs.
    Births,
}

impl Grant {
    /// Part of kernels that can do it, and of no others.
    fn function(self) -> &'static str {
        match self {
            Self::ExitRecords => "xacct_add_tsk",
            Self::Births => "proc_fork_connector",
        }
    }
}

/// Says that a test is left out since something was refused, and why.
///
/// # Panics
///
/// When it is to be granted here: then the refusal is what the test was to find.
#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
pub fn leave_test_out(refused: Grant, reason: impl Display) {
    let is_due = is_root_of_the_machine() && kernel_has(refused.function());
    assert!(!is_due, "{refused:?} must be granted to root, and was refused: {reason}");
    eprintln!("left out, since {refused:?} is not granted here: {reason}");
}

/// Whether this is root, and in no container.
fn is_root_of_the_machine() -> bool {
    /// `CAP_NET_ADMIN`, as a bit of what `/proc` shows.
    const NET_ADMIN: u64 = 1 << 12;
    let may = fs::read("/proc/self/status").is_ok_and(|status| {
        let status = String::from_utf8_lossy(&status);
        let granted = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
        let granted = granted.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
        granted.is_some_and(|bits| bits & NET_ADMIN != 0)
    });
    let space = |process: &str, kind: &str| fs::read_link(format!("/proc/{process}/ns/{kind}"));
    // The machine's own have had these numbers ever since.
    let is_first = |kind: &str, number: u32| {
        space("self", kind).is_ok_and(|space| space.as_os_str() == &*format!("{kind}:[{number}]"))
    };
    // Of networks the first process has the machine's own. Who may not look at it cannot
    // know.
    let is_first_network = match (space("self", "net"), space("1", "net")) {
        (Ok(ours), Ok(first)) => ours == first,
        _ => false,
    };
    may && is_first("pid", 0xEFFF_FFFC) && is_first("user", 0xEFFF_FFFD) && is_first_network
}

fn kernel_has(function: &str) -> bool {
    fs::read_to_string("/proc/kallsyms").is_ok_and(|symbols| {
        symbols.lines().any(|line| line.split_ascii_whitespace().nth(2) == Some(function))
    })
}
