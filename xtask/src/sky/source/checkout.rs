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

/// Arguments that list the files which differ from the commit, whatever settings leave out.
const CHANGED: [&str; 11] = [
    "diff",
    "--name-only",
    "-z",
    "--relative",
    "--no-renames",
    "--no-ext-diff",
    "--no-textconv",
    "--ignore-submodules=none",
    "HEAD",
    "--",
    ".",
];

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

    /// Hash of the folder's files in the commit, for a folder below the top of its repository:
    /// other folders have the same commit. `None` at the top, and for a folder that the commit
    /// does not have.
    pub(super) fn tree(&self) -> Result<Option<String>> {
        let Some(git) = &self.git else { return Ok(None) };
        let prefix = git.read(&self.folder, ["rev-parse", "--show-prefix"])?;
        if prefix.trim_ascii().is_empty() {
            return Ok(None);
        }
        let found = git.try_read(&self.folder, ["rev-parse", "--verify", "--quiet", "HEAD:./"])?;
        let hash = String::from_utf8_lossy(&found.stdout).trim().to_owned();
        Ok(found.status.success().then_some(hash))
    }

    fn commit(&self) -> Result<Option<Commit>> {
        let Some(git) = &self.git else { return Ok(None) };
        repository::commit_of(git, &self.folder, "HEAD").map(Some)
    }

    /// Files that differ from the commit, and files that git neither knows nor ignores.
    fn uncommitted(&self, git: &Git) -> Result<BTreeSet<PathBuf>> {
        let mut paths = self.paths(git, &CHANGED)?;
        paths.extend(self.paths(git, &["ls-files", "-z", "--others", "--exclude-standard"])?);
        paths.extend(self.changed_unseen(git)?);
        Ok(paths)
    }

    /// Files that differ from the commit, and whose marks in the index keep git from looking at
    /// them: `skip-worktree`, which a sparse checkout sets, and `assume-unchanged`.
    fn changed_unseen(&self, git: &Git) -> Result<BTreeSet<PathBuf>> {
        let entries = git.read(&self.folder, ["ls-files", "-v", "-z"])?;
        // `H NAME` is a file without marks.
        let unseen = entries.split(|byte| *byte == 0).filter_map(|entry| match entry {
            [b'S' | b'a'..=b'z', b' ', name @ ..] => Some(path(name)),
            _ => None,
        });
        let unseen: BTreeSet<PathBuf> = unseen.collect();
        if unseen.is_empty() {
            return Ok(unseen);
        }
        // An index that is read from the commit has no marks.
        let index = tempfile::tempdir().context("creating a folder for an index of git")?;
        let git = git.with_index(&index.path().join("index"));
        git.read(&self.folder, ["read-tree", "HEAD"])?;
        let mut changed = self.listed(&git, &CHANGED)?;
        changed.retain(|path| unseen.contains(path));
        files::expand(&self.folder, changed)
    }

    /// Files in the output of a command that separates paths by zero bytes.
    fn paths(&self, git: &Git, args: &[&str]) -> Result<BTreeSet<PathBuf>> {
        files::expand(&self.folder, self.listed(git, args)?)
    }

    fn listed(&self, git: &Git, args: &[&str]) -> Result<BTreeSet<PathBuf>> {
        let output = git.read(&self.folder, args)?;
        let names = output.split(|byte| *byte == 0).filter(|name| !name.is_empty());
        Ok(names.map(path).collect())
    }
}

fn path(name: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(name))
}
