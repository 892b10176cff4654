//! Where an infrastructure's files live.
//!
//! Below the state directory, unless that is out of the nodes' reach (root's node
//! processes run as somebody else, who can't enter `/root`), or has a path that Slurm
//! cannot work with. What nodes read is opened to them by name: whoever runs skyload may
//! have a umask that keeps everything to himself.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use host::workspace::Workspace;
use nix::unistd::geteuid;

/// Folders that stay, and where those are made that go.
pub(super) struct Place {
    base: PathBuf,
    /// Why it is not the state directory.
    pub(super) note: Option<String>,
}

/// A socket's path has at most 107 bytes; the longest of ours, that of a job's step, adds
/// this much to the folder's.
const LONGEST_FOLDER: usize = 107 - "/slurmd/localhost_1234567.4294967291".len();

/// So that a folder of nodes in it is short enough.
const LONGEST_BASE: usize = LONGEST_FOLDER - "/nodes-20261124-081512-3fa9".len();

/// Where temporary files are when `TMPDIR` names no place that fits.
const LAST_RESORT: &str = "/tmp";

impl Place {
    pub(super) fn of(workspace: &Workspace) -> Result<Self> {
        let state = &workspace.state;
        let Some(obstacle) = obstacle(state) else {
            return Self::at(state.clone(), None);
        };
        let base = elsewhere(state, &std::env::temp_dir())?;
        let note = format!(
            "Packages and node images are in `{}` instead of `{}`: {obstacle}",
            base.display(),
            state.display()
        );
        Self::at(base, Some(note))
    }

    fn at(base: PathBuf, note: Option<String>) -> Result<Self> {
        let place = Self { base, note };
        make_open(&place.images())?;
        Ok(place)
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

/// Why nothing of an infrastructure can be in a folder.
fn obstacle(folder: &Path) -> Option<&'static str> {
    let longest = folder.as_os_str().len() + "/nodes-20261124-081512-3fa9".len();
    if !is_in_reach(folder) {
        Some("node processes can't enter it")
    } else if longest > LONGEST_FOLDER {
        Some("its path is too long for sockets")
    } else if odd_character(folder).is_some() {
        Some("Slurm's files cannot hold its path")
    } else {
        None
    }
}

/// Whether node processes can enter a folder. They run as somebody else only for root.
fn is_in_reach(folder: &Path) -> bool {
    !geteuid().is_root() || is_open(folder)
}

/// A character of a path that configuration files and shells take for something else.
fn odd_character(path: &Path) -> Option<char> {
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || "/._-+@".contains(*c);
    path.to_string_lossy().chars().find(|c| !is_plain(c))
}

/// Makes a folder that everybody may enter, whatever the umask says.
fn make_open(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)
        .and_then(|()| fs::set_permissions(folder, fs::Permissions::from_mode(0o755)))
        .with_context(|| format!("creating `{}`", folder.display()))
}

/// Lets everybody read what is in a folder, and run what its owner may run.
pub(super) fn open_all(folder: &Path) -> Result<()> {
    let opening = || format!("opening `{}` to the nodes", folder.display());
    open(folder).with_context(opening)?;
    for entry in fs::read_dir(folder).with_context(opening)? {
        let entry = entry.with_context(opening)?;
        let kind = entry.file_type().with_context(opening)?;
        if kind.is_dir() {
            open_all(&entry.path())?;
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
        // It is uv's cache that has it as well, and that is nobody else's to open.
        let own = path.with_extension("skyload-new");
        fs::copy(path, &own)?;
        fs::rename(&own, path)?;
    }
    fs::set_permissions(path, fs::Permissions::from_mode(wanted))
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

/// A folder for `state` below the temporary one, in nobody else's hands.
fn elsewhere(state: &Path, temporary: &Path) -> Result<PathBuf> {
    let name = format!("skyload-{}-{}", geteuid(), short_sum(state));
    let mut places = [temporary, Path::new(LAST_RESORT)].into_iter();
    let fits = |place: &&Path| {
        place.canonicalize().is_ok_and(|place| {
            // The folder itself is open to all; it is of those above it that it depends.
            obstacle(&place).is_none() && place.as_os_str().len() + name.len() < LONGEST_BASE
        })
    };
    let place = places.find(fits).with_context(|| {
        format!(
            "finding a temporary folder for nodes: neither `{}` nor `{LAST_RESORT}` is open to all \
             and has a short path\n  hint: set TMPDIR to one that is",
            temporary.display()
        )
    })?;
    let base = place.canonicalize().context("finding the temporary folder")?.join(name);
    if !base.exists() {
        fs::create_dir(&base).with_context(|| format!("creating `{}`", base.display()))?;
        // Whatever the umask: open to all, and to nobody else's changes.
        fs::set_permissions(&base, fs::Permissions::from_mode(0o755))
            .with_context(|| format!("opening `{}`", base.display()))?;
    }
    let found = base.symlink_metadata().context("looking at the folder just created")?;
    let is_ours = found.is_dir() && found.uid() == geteuid().as_raw() && found.mode() & 0o022 == 0;
    ensure!(is_ours, "`{}` is in somebody else's hands\n  hint: remove it", base.display());
    ensure!(is_in_reach(&base), "node processes can't enter `{}` either", base.display());
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
        assert!(!is_open(&below));
        assert!(is_open(Path::new("/usr")));
    }

    #[test]
    fn what_a_closed_umask_left_is_opened_and_a_cache_is_not() {
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
        open_all(&image).unwrap();
        assert_eq!(mode(&image.join("bin")), 0o755);
        assert_eq!(mode(&image.join("bin/python")), 0o755);
        assert_eq!(mode(&image.join("readme")), 0o644);
        assert_eq!(mode(&image.join("module.py")), 0o644);
        assert_eq!(mode(&cached), 0o600);
        assert_eq!(fs::read_to_string(image.join("module.py")).unwrap(), "module");
    }

    #[test]
    fn a_temporary_folder_that_does_not_fit_gives_way_to_the_systems() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["with a blank".to_owned(), "long".repeat(25)] {
            let temporary = folder.path().join(name);
            make_open(&temporary).unwrap();
            let state = temporary.join("state");
            let base = elsewhere(&state, &temporary).unwrap();
            assert_eq!(base.parent(), Some(Path::new(LAST_RESORT)));
            fs::remove_dir(base).unwrap();
        }
    }

    #[test]
    fn a_new_folder_is_in_nobody_elses_hands_whatever_the_umask_says() {
        use rustix::fs::Mode;
        use rustix::process::umask;
        for mask in [0o000, 0o002, 0o077] {
            let state = tempfile::tempdir().unwrap();
            let before = umask(Mode::from_raw_mode(mask));
            let base = elsewhere(state.path(), Path::new("/tmp"));
            umask(before);
            let base = base.unwrap();
            assert_eq!(base.metadata().unwrap().mode() & 0o777, 0o755);
            fs::remove_dir(base).unwrap();
        }
    }

    #[test]
    fn paths_that_slurm_cannot_work_with_are_an_obstacle() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for (name, words) in
            [("a b", "cannot hold"), ("a%n", "cannot hold"), (&"long".repeat(20), "too long")]
        {
            let path = folder.path().join(name);
            make_open(&path).unwrap();
            assert!(obstacle(&path).unwrap().contains(words), "{name}");
        }
        assert_eq!(obstacle(Path::new("/usr")), None);
    }

    #[test]
    fn a_state_directory_out_of_reach_has_one_substitute() {
        let elsewhere = |state: &str| elsewhere(Path::new(state), Path::new("/tmp")).unwrap();
        let first = elsewhere("/nowhere/skyload-test");
        assert_eq!(elsewhere("/nowhere/skyload-test"), first);
        assert_ne!(elsewhere("/nowhere/skyload-test-2"), first);
        for path in ["/nowhere/skyload-test", "/nowhere/skyload-test-2"] {
            fs::remove_dir(elsewhere(path)).unwrap();
        }
    }
}
