//! Where an infrastructure's files live.
//!
//! Below the state directory, unless that is out of the nodes' reach: root's node
//! processes run as somebody else, who can't enter `/root`.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use nix::unistd::geteuid;

use crate::workspace::Workspace;

/// Folders that stay, and where those are made that go.
pub(super) struct Place {
    base: PathBuf,
    /// Why it is not the state directory.
    pub(super) note: Option<String>,
}

/// A socket's path has at most 107 bytes; ours adds this much to the folder's.
const LONGEST_FOLDER: usize = 107 - "/munge/socket".len();

impl Place {
    pub(super) fn of(workspace: &Workspace) -> Result<Self> {
        let state = &workspace.state;
        let longest = state.as_os_str().len() + "/nodes-20261124-081512-3fa9".len();
        let obstacle = if geteuid().is_root() && !is_open(state) {
            Some("node processes can't enter it")
        } else if longest > LONGEST_FOLDER {
            Some("its path is too long for sockets")
        } else {
            None
        };
        let Some(obstacle) = obstacle else {
            return Ok(Self { base: state.clone(), note: None });
        };
        let base = elsewhere(state)?;
        let note = format!(
            "Packages and node images are in `{}` instead of `{}`: {obstacle}",
            base.display(),
            state.display()
        );
        Ok(Self { base, note: Some(note) })
    }

    pub(super) fn packages(&self) -> PathBuf {
        self.base.join("packages")
    }

    pub(super) fn images(&self) -> PathBuf {
        self.base.join("images")
    }

    /// The folder of the infrastructure `id`.
    pub(super) fn nodes(&self, id: &str) -> PathBuf {
        self.base.join(format!("nodes-{id}"))
    }
}

/// Whether everybody may walk through `path` and the folders above it.
pub(super) fn is_open(path: &Path) -> bool {
    path.ancestors().all(|folder| folder.metadata().is_ok_and(|it| it.mode() & 0o001 != 0))
}

/// Short, and for one path always the same.
pub(super) fn short_sum(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes().iter();
    let sum = bytes.fold(5381_u32, |sum, byte| sum.wrapping_mul(33) ^ u32::from(*byte));
    format!("{sum:08x}")
}

/// A folder for `state` below the system's temporary one, in nobody else's hands.
fn elsewhere(state: &Path) -> Result<PathBuf> {
    let temporary = std::env::temp_dir().canonicalize().context("finding the temporary folder")?;
    let base = temporary.join(format!("skyload-{}-{}", geteuid(), short_sum(state)));
    if !base.exists() {
        fs::DirBuilder::new()
            .mode(0o755)
            .create(&base)
            .with_context(|| format!("creating `{}`", base.display()))?;
    }
    let found = base.symlink_metadata().context("looking at the folder just created")?;
    let is_ours = found.is_dir() && found.uid() == geteuid().as_raw() && found.mode() & 0o022 == 0;
    ensure!(is_ours, "`{}` is in somebody else's hands\n  hint: remove it", base.display());
    ensure!(is_open(&base), "node processes can't enter `{}` either", base.display());
    Ok(base)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_folder_below_a_closed_one_is_not_open() {
        let closed = tempfile::tempdir().unwrap();
        fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let below = closed.path().join("below");
        fs::DirBuilder::new().mode(0o755).create(&below).unwrap();
        assert!(!is_open(&below));
        assert!(is_open(Path::new("/usr")));
    }

    #[test]
    fn a_state_directory_out_of_reach_has_one_substitute() {
        let first = elsewhere(Path::new("/nowhere/skyload-test")).unwrap();
        assert_eq!(elsewhere(Path::new("/nowhere/skyload-test")).unwrap(), first);
        assert_ne!(elsewhere(Path::new("/nowhere/skyload-test-2")).unwrap(), first);
        for path in ["/nowhere/skyload-test", "/nowhere/skyload-test-2"] {
            fs::remove_dir(elsewhere(Path::new(path)).unwrap()).unwrap();
        }
    }
}
