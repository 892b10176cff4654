//! Base folder of packages, node images and clusters.
//!
//! Usually the state directory. A fallback is used if node processes cannot enter the state
//! directory (root's node processes run as another user, which cannot enter `/root`), or if
//! Slurm does not support its path. Files that nodes read get their modes explicitly: the umask
//! may keep other users out.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use host::workspace::Workspace;
use nix::unistd::geteuid;

/// Base folder of packages and node images, which are kept, and of clusters' folders.
pub(crate) struct BaseDir {
    path: PathBuf,
    /// Message for the user if the base folder is not the state directory.
    pub(crate) note: Option<String>,
}

/// Maximum length of a cluster's folder, in bytes. Linux limits a socket's path to 107 bytes;
/// the longest one in the folder is the socket of a job step.
const LONGEST_FOLDER: usize = 107 - "/slurmd/localhost_1234567.4294967291".len();

/// Maximum length of the base folder, in bytes.
const LONGEST_BASE: usize = LONGEST_FOLDER - "/nodes-20261124-081512-3fa9".len();

/// Folder for the fallback if the one of `TMPDIR` is not suitable.
const DEFAULT_TEMPORARY: &str = "/tmp";

impl BaseDir {
    pub(crate) fn of(workspace: &Workspace) -> Result<Self> {
        let state = &workspace.state;
        let Some(obstacle) = obstacle(state) else {
            return Self::at(state.clone(), None);
        };
        let path = fallback(state, &std::env::temp_dir())?;
        let note = format!(
            "Packages and node images are in `{}` instead of `{}`: {obstacle}",
            path.display(),
            state.display()
        );
        Self::at(path, Some(note))
    }

    fn at(path: PathBuf, note: Option<String>) -> Result<Self> {
        let base_dir = Self { path, note };
        create_open(&base_dir.images())?;
        Ok(base_dir)
    }

    /// Base folder itself, on whose file system all files of nodes are.
    pub(crate) fn folder(&self) -> &Path {
        &self.path
    }

    pub(crate) fn packages(&self) -> PathBuf {
        self.path.join("packages")
    }

    /// Packages of the nodes of emulated AWS.
    pub(crate) fn node_packages(&self) -> PathBuf {
        self.path.join("node-packages")
    }

    pub(crate) fn images(&self) -> PathBuf {
        self.path.join("images")
    }

    /// Folder of the cluster `id`.
    pub(crate) fn nodes(&self, id: &str) -> PathBuf {
        self.path.join(format!("nodes-{id}"))
    }
}

/// Reason why `folder`, usually the state directory, cannot be the base folder.
fn obstacle(folder: &Path) -> Option<&'static str> {
    let longest = folder.as_os_str().len() + "/nodes-20261124-081512-3fa9".len();
    if !is_in_reach_of_nodes(folder) {
        Some("node processes cannot enter the state directory")
    } else if longest > LONGEST_FOLDER {
        Some("the state directory's path is too long for sockets")
    } else if unsupported_character(folder).is_some() {
        Some("Slurm does not support the state directory's path")
    } else {
        None
    }
}

/// Whether node processes can enter a folder. Only root's run as another user.
fn is_in_reach_of_nodes(folder: &Path) -> bool {
    !geteuid().is_root() || is_open_to_all(folder)
}

/// First character of a path that is special in Slurm's configuration files or in shells.
fn unsupported_character(path: &Path) -> Option<char> {
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || "/._-+@".contains(*c);
    path.to_string_lossy().chars().find(|c| !is_plain(c))
}

/// Creates a folder that all users can enter, regardless of the umask.
fn create_open(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)
        .and_then(|()| fs::set_permissions(folder, fs::Permissions::from_mode(0o755)))
        .with_context(|| format!("creating `{}`", folder.display()))
}

/// Makes all files below a folder readable to all users, and executable if they are executable
/// for their owner.
pub(crate) fn open_tree(folder: &Path) -> Result<()> {
    let opening = || format!("making `{}` readable to the nodes", folder.display());
    open(folder).with_context(opening)?;
    for entry in fs::read_dir(folder).with_context(opening)? {
        let entry = entry.with_context(opening)?;
        let kind = entry.file_type().with_context(opening)?;
        if kind.is_dir() {
            open_tree(&entry.path())?;
        } else if kind.is_file() {
            open(&entry.path()).with_context(opening)?;
        }
    }
    Ok(())
}

fn open(path: &Path) -> io::Result<()> {
    let found = path.symlink_metadata()?;
    let mode = found.mode() & 0o7777;
    let wanted = mode | 0o444 | if mode & 0o100 == 0 { 0 } else { 0o111 };
    if mode == wanted {
        return Ok(());
    }
    if found.is_file() && found.nlink() > 1 {
        // A hard link into uv's cache, whose modes must not change: replaced by a copy.
        let copy = path.with_extension("skyload-new");
        fs::copy(path, &copy)?;
        fs::rename(&copy, path)?;
    }
    fs::set_permissions(path, fs::Permissions::from_mode(wanted))
}

/// Whether all users can enter `path` and the folders above.
pub(crate) fn is_open_to_all(path: &Path) -> bool {
    path.ancestors().all(|folder| folder.metadata().is_ok_and(|it| it.mode() & 0o001 != 0))
}

/// Hash of a path (djb2), in 8 hexadecimal digits. Stable across builds, as it names folders
/// that later runs reuse.
pub(crate) fn short_hash(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes().iter();
    let hash = bytes.fold(5381_u32, |hash, byte| hash.wrapping_mul(33) ^ u32::from(*byte));
    format!("{hash:08x}")
}

/// Base folder instead of the state directory `state`, below the folder `temporary` or `/tmp`.
/// Only this user can write to the base folder.
fn fallback(state: &Path, temporary: &Path) -> Result<PathBuf> {
    let name = format!("skyload-{}-{}", geteuid(), short_hash(state));
    let mut parents = [temporary, Path::new(DEFAULT_TEMPORARY)].into_iter();
    let is_suitable = |parent: &&Path| {
        parent.canonicalize().is_ok_and(|parent| {
            // Less than the maximum, since a slash joins the two.
            obstacle(&parent).is_none() && parent.as_os_str().len() + name.len() < LONGEST_BASE
        })
    };
    let parent = parents.find(is_suitable).with_context(|| {
        format!(
            "no temporary folder for nodes: expected a short path that all users can enter, got \
             `{}` and `{DEFAULT_TEMPORARY}`\n  hint: set TMPDIR to such a folder",
            temporary.display()
        )
    })?;
    let base = parent.canonicalize().context("resolving the temporary folder's path")?.join(name);
    if !base.exists() {
        fs::create_dir(&base).with_context(|| format!("creating `{}`", base.display()))?;
        // Regardless of the umask: all users can read, only this one can write.
        fs::set_permissions(&base, fs::Permissions::from_mode(0o755))
            .with_context(|| format!("setting the mode of `{}`", base.display()))?;
    }
    // Checked even if just created, and without following links: in a folder that all users can
    // write to, another user may have created it first.
    let found = base.symlink_metadata().context("checking the owner of the fallback folder")?;
    let is_ours = found.is_dir() && found.uid() == geteuid().as_raw() && found.mode() & 0o022 == 0;
    ensure!(
        is_ours,
        "`{}` is not owned by you, or others can write to it\n  hint: remove it",
        base.display()
    );
    ensure!(is_in_reach_of_nodes(&base), "node processes cannot enter `{}`", base.display());
    Ok(base)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::DirBuilderExt as _;

    use super::*;

    #[test]
    fn a_folder_below_a_closed_one_is_not_open() {
        let closed = tempfile::tempdir().unwrap();
        fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let below = closed.path().join("below");
        fs::DirBuilder::new().mode(0o755).create(&below).unwrap();
        assert!(!is_open_to_all(&below));
        assert!(is_open_to_all(Path::new("/usr")));
    }

    #[test]
    fn an_image_is_made_readable_and_a_linked_cache_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (image, cached) = (folder.path().join("image"), folder.path().join("cached"));
        let mode = |path: &Path| path.metadata().unwrap().mode() & 0o777;
        let close = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        fs::create_dir_all(image.join("bin")).unwrap();
        for (name, closed) in [("bin/python", 0o700), ("readme", 0o600)] {
            fs::write(image.join(name), name).unwrap();
            close(&image.join(name), closed);
        }
        fs::write(&cached, "module").unwrap();
        close(&cached, 0o600);
        fs::hard_link(&cached, image.join("module.py")).unwrap();
        close(&image.join("bin"), 0o700);
        open_tree(&image).unwrap();
        assert_eq!(mode(&image.join("bin")), 0o755);
        assert_eq!(mode(&image.join("bin/python")), 0o755);
        assert_eq!(mode(&image.join("readme")), 0o644);
        assert_eq!(mode(&image.join("module.py")), 0o644);
        assert_eq!(mode(&cached), 0o600);
        assert_eq!(fs::read_to_string(image.join("module.py")).unwrap(), "module");
    }

    #[test]
    fn an_unsuitable_temporary_folder_is_replaced_by_the_default() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["with a blank".to_owned(), "long".repeat(25)] {
            let temporary = folder.path().join(name);
            create_open(&temporary).unwrap();
            let state = temporary.join("state");
            let base = fallback(&state, &temporary).unwrap();
            assert_eq!(base.parent(), Some(Path::new(DEFAULT_TEMPORARY)));
            fs::remove_dir(base).unwrap();
        }
    }

    #[test]
    fn a_fallback_is_writable_by_its_owner_alone_with_any_umask() {
        use rustix::fs::Mode;
        use rustix::process::umask;
        for mask in [0o000, 0o002, 0o077] {
            let state = tempfile::tempdir().unwrap();
            let before = umask(Mode::from_raw_mode(mask));
            let base = fallback(state.path(), Path::new("/tmp"));
            umask(before);
            let base = base.unwrap();
            assert_eq!(base.metadata().unwrap().mode() & 0o777, 0o755);
            fs::remove_dir(base).unwrap();
        }
    }

    #[test]
    fn paths_that_slurm_does_not_support_are_an_obstacle() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for (name, text) in [
            ("a b", "does not support"),
            ("a%n", "does not support"),
            (&"long".repeat(20), "too long"),
        ] {
            let path = folder.path().join(name);
            create_open(&path).unwrap();
            assert!(obstacle(&path).unwrap().contains(text), "{name}");
        }
        assert_eq!(obstacle(Path::new("/usr")), None);
    }

    #[test]
    fn each_state_directory_out_of_reach_has_its_own_fallback() {
        let fallback = |state: &str| fallback(Path::new(state), Path::new("/tmp")).unwrap();
        let first = fallback("/nowhere/skyload-test");
        assert_eq!(fallback("/nowhere/skyload-test"), first);
        assert_ne!(fallback("/nowhere/skyload-test-2"), first);
        for path in ["/nowhere/skyload-test", "/nowhere/skyload-test-2"] {
            fs::remove_dir(fallback(path)).unwrap();
        }
    }
}
