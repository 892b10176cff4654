//! Other names of flags: all that there are, so that each is a decision.
//!
//! Names of upstream's `tests/load_tests` are shown in `--help`, so that its command lines work
//! here. Names of earlier builds are accepted and not shown.

/// Earlier names of `--users`.
pub(super) const USERS: [&str; 1] = ["requests-per-scenario"];

/// Upstream's names of `--cli`; it has `-r`, too.
pub(super) const CLI: [&str; 1] = ["requests"];

/// Upstream's names of `--api`.
pub(super) const API: [&str; 1] = ["apis"];

/// Upstream's names of `--infra`; it has `-c`, too.
pub(super) const INFRA: [&str; 2] = ["clouds", "cloud"];

/// Earlier names of `--iterations`.
pub(super) const ITERATIONS: [&str; 1] = ["waves"];

/// Earlier names of `--plan`.
pub(super) const PLAN: [&str; 1] = ["profile"];
