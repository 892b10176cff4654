//! Checkout of SkyPilot: its commit, and its files that are not committed.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use host::tools::git::Git;
use skyload::record::environment::{Commit, SkySource, Uncommitted};
use xshell::Shell;

use super::{files, repository};

/// Folder with the source of SkyPilot. It is only read.
pub(super) struct Checkout {
    /// Folder as given.
    typed: PathBuf,
    folder: PathBuf,
    /// Git, if the folder's files are in a repository.
    git: Option<Git>,
}

impl Checkout {
    /// Checkout in `folder`.
    pub(super) fn open(folder: &Path, shell: &Shell) -> Result<Self> {
        let typed = folder.to_owned();
        let folder = folder
            .canonicalize()
            .with_context(|| format!("finding the checkout {}", folder.display()))?;
        let is_below_git = folder.ancestors().any(|above| above.join(".git").exists());
        if !is_below_git {
            return Ok(Self { typed, folder, git: None });
        }
        let git = Git::require(shell)?;
        // An unpacked release may lie in a repository of something else, which ignores it.
        let tracked = git.read(&folder, ["ls-files", "-z", "--", "setup.py", "pyproject.toml"])?;
        let head = git.try_read(&folder, ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])?;
        let is_committed = !tracked.is_empty() && head.status.success();
        Ok(Self { typed, folder, git: is_committed.then_some(git) })
    }

    /// Exact source: the commit, and the hash of what is not committed.
    pub(super) fn source(&self) -> Result<SkySource> {
        let commit = self.commit()?;
        let paths = match &self.git {
            Some(git) => self.uncommitted(git)?,
            None => files::all(&self.folder)?,
        };
        let uncommitted = match paths.len() {
            0 => None,
            files => Some(Uncommitted { files, sha256: files::hash(&self.folder, &paths)? }),
        };
        let repository = self.typed.display().to_string();
        Ok(SkySource { repository, reference: None, commit, uncommitted })
    }

    /// Copies the files, without those that git ignores.
    pub(super) fn copy_to(&self, folder: &Path) -> Result<()> {
        let paths = match &self.git {
            Some(git) => {
                let options = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
                self.paths(git, &options)?
            }
            None => files::all(&self.folder)?,
        };
        files::copy(&self.folder, &paths, folder)
    }

    fn commit(&self) -> Result<Option<Commit>> {
        let Some(git) = &self.git else { return Ok(None) };
        repository::commit_of(git, &self.folder, "HEAD").map(Some)
    }

    /// Files that differ from the commit, and files that git neither knows nor ignores.
    fn uncommitted(&self, git: &Git) -> Result<BTreeSet<PathBuf>> {
        const CHANGED: [&str; 10] = [
            "diff",
            "--name-only",
            "-z",
            "--relative",
            "--no-renames",
            "--no-ext-diff",
            "--no-textconv",
            "HEAD",
            "--",
            ".",
        ];
        let mut paths = self.paths(git, &CHANGED)?;
        paths.extend(self.paths(git, &["ls-files", "-z", "--others", "--exclude-standard"])?);
        Ok(paths)
    }

    /// Paths in the output of a command that separates them by zero bytes.
    fn paths(&self, git: &Git, args: &[&str]) -> Result<BTreeSet<PathBuf>> {
        let output = git.read(&self.folder, args)?;
        let names = output.split(|byte| *byte == 0).filter(|name| !name.is_empty());
        let paths = names.map(|name| PathBuf::from(OsStr::from_bytes(name))).collect();
        files::expand(&self.folder, paths)
    }
}
