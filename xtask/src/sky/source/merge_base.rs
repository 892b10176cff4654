//! Commit at which a checkout has left its main branch.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use host::tools::git::Git;
use host::tools::shell_in;

use super::checkout::Checkout;

/// Names of the main branch, the first of which a repository has is meant. A remote's branch comes
/// before the local one, which may be older.
const MAIN_BRANCHES: [&str; 8] = [
    "refs/remotes/upstream/HEAD",
    "refs/remotes/upstream/master",
    "refs/remotes/upstream/main",
    "refs/remotes/origin/HEAD",
    "refs/remotes/origin/master",
    "refs/remotes/origin/main",
    "refs/heads/master",
    "refs/heads/main",
];

/// Hash of the commit at which a checkout has left its main branch: its merge base.
pub(crate) fn merge_base(folder: &Path) -> Result<String> {
    let shell = shell_in(folder)?;
    let source = Checkout::open(folder, &shell)?.source()?;
    let Some(commit) = &source.commit else {
        bail!(
            "expected a checkout with commits, found none in `{}`\n  hint: name both versions",
            folder.display()
        );
    };
    let git = Git::require(&shell)?;
    let has = |branch: &str| -> Result<bool> {
        let found = git.try_read(folder, ["rev-parse", "--verify", "--quiet", branch])?;
        Ok(found.status.success())
    };
    let mut main = None;
    for branch in MAIN_BRANCHES {
        if has(branch)? {
            main = Some(branch);
            break;
        }
    }
    let main = main.with_context(|| {
        format!(
            "no main branch (master or main) found in `{}`\n  hint: name both versions",
            folder.display()
        )
    })?;
    let base = git.read(folder, ["merge-base", "HEAD", main])?;
    let base = String::from_utf8_lossy(&base).trim().to_owned();
    if base == commit.hash && source.uncommitted.is_none() {
        bail!(
            "`{}` has no changes beyond its main branch ({main})\n  hint: check out the branch \
             that is to be compared",
            folder.display()
        );
    }
    Ok(base)
}
