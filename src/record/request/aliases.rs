//! Aliases of flags, in one place so that each is a deliberate decision.
//!
//! Flags of upstream's `tests/load_tests` work here too and are shown in `--help`. Flags of
//! earlier builds are accepted, but not shown.

/// Earlier names of `--users`.
pub(super) const USERS: [&str; 1] = ["requests-per-scenario"];

/// Upstream's names of `--cli`, in addition to `-r`.
pub(super) const CLI: [&str; 1] = ["requests"];

/// Upstream's names of `--api`.
pub(super) const API: [&str; 1] = ["apis"];

/// Upstream's names of `--infra`, in addition to `-c`.
pub(super) const INFRA: [&str; 2] = ["clouds", "cloud"];

/// Earlier names of `--iterations`.
pub(super) const ITERATIONS: [&str; 1] = ["waves"];

/// Earlier names of `--plan`.
pub(super) const PLAN: [&str; 1] = ["profile"];
