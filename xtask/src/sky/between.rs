//! Versions after a good one, which a bisection searches.

use skyload::comparison::Revision;

/// Versions after a good one, up to a bad one.
#[derive(Debug)]
pub(crate) struct Between {
    /// Good version.
    pub(crate) good: Revision,
    /// Later versions, oldest first; the last one is the bad version.
    pub(crate) revisions: Vec<Revision>,
    /// Number of commits that change nothing in the package, which are left out.
    pub(crate) unchanged_commits: usize,
}
