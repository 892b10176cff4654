//! Files of a source tree: their list, hash and copies.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use skyload::hash::{sha256, sha256_of};

/// Folders that are no part of a source tree: git's own, compiled modules, packages of
/// JavaScript.
const LEFT_OUT: [&str; 3] = [".git", "__pycache__", "node_modules"];

/// Folders at the top that builds write. Files in them would get into the next wheel.
const BUILT: [&str; 2] = ["build", "dist"];

/// Paths of all files of a folder that is not in a git repository, relative to it.
pub(super) fn all(folder: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    walk(folder, Path::new(""), &mut found)?;
    found.retain(|path| !BUILT.iter().any(|built| path.starts_with(built)));
    Ok(found)
}

/// Paths in which each folder is replaced by the files in it: git lists a repository inside of
/// another one as a folder.
pub(super) fn expand(folder: &Path, paths: BTreeSet<PathBuf>) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    for path in paths {
        match metadata(&folder.join(&path))? {
            Some(metadata) if metadata.is_dir() => walk(folder, &path, &mut found)?,
            _ => _ = found.insert(path),
        }
    }
    Ok(found)
}

fn walk(root: &Path, below: &Path, found: &mut BTreeSet<PathBuf>) -> Result<()> {
    let folder = root.join(below);
    let reading = || format!("reading {}", folder.display());
    for entry in fs::read_dir(&folder).with_context(reading)? {
        let entry = entry.with_context(reading)?;
        let path = below.join(entry.file_name());
        if !entry.file_type().with_context(reading)?.is_dir() {
            found.insert(path);
        } else if !is_left_out(&entry.path()) {
            walk(root, &path, found)?;
        }
    }
    Ok(())
}

fn is_left_out(folder: &Path) -> bool {
    let is_environment = folder.join("pyvenv.cfg").exists();
    is_environment || folder.file_name().is_some_and(|name| LEFT_OUT.iter().any(|it| name == *it))
}

/// SHA-256 of the paths, kinds and contents of files below `folder`. Files that do not exist
/// count as deleted.
pub(super) fn hash(folder: &Path, paths: &BTreeSet<PathBuf>) -> Result<String> {
    let mut list = Vec::new();
    for path in paths {
        list.extend_from_slice(path.as_os_str().as_bytes());
        list.push(0);
        let content = match is_reached(folder, path)? {
            true => content(&folder.join(path))?,
            false => DELETED.to_owned(),
        };
        list.extend_from_slice(content.as_bytes());
        list.push(b'\n');
    }
    Ok(sha256(&list))
}

/// Content of a file that does not exist.
const DELETED: &str = "deleted";

/// Whether a path leads through folders alone. A folder of the commit may have been replaced by a
/// link or a file: what git lists below it is deleted, and a link leads out of the checkout.
fn is_reached(folder: &Path, path: &Path) -> Result<bool> {
    for parent in path.ancestors().skip(1).filter(|parent| *parent != Path::new("")) {
        if !metadata(&folder.join(parent))?.is_some_and(|metadata| metadata.is_dir()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Kind of a file, and a hash of its content.
fn content(path: &Path) -> Result<String> {
    let reading = || format!("reading {}", path.display());
    let Some(metadata) = metadata(path)? else { return Ok(DELETED.to_owned()) };
    if metadata.is_symlink() {
        let target = fs::read_link(path).with_context(reading)?;
        return Ok(format!("link {}", sha256(target.as_os_str().as_bytes())));
    }
    if !metadata.is_file() {
        return Ok("other".to_owned());
    }
    let is_executable = metadata.permissions().mode() & 0o111 != 0;
    let kind = if is_executable { "program" } else { "file" };
    let hash = File::open(path).and_then(sha256_of).with_context(reading)?;
    Ok(format!("{kind} {hash}"))
}

/// Copies files from one folder to another. Files that do not exist are left out.
pub(super) fn copy(from: &Path, paths: &BTreeSet<PathBuf>, to: &Path) -> Result<()> {
    for path in paths {
        if !is_reached(from, path)? {
            continue;
        }
        let (source, target) = (from.join(path), to.join(path));
        copy_one(&source, &target)
            .with_context(|| format!("copying {} to {}", source.display(), target.display()))?;
    }
    Ok(())
}

fn copy_one(source: &Path, target: &Path) -> io::Result<()> {
    let metadata = match source.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent)?;
    }
    if metadata.is_symlink() {
        symlink(fs::read_link(source)?, target)
    } else if metadata.is_file() {
        // Never an existing file: through a link in the copy, it could be one of the checkout.
        let mut copy = File::options().write(true).create_new(true).open(target)?;
        io::copy(&mut File::open(source)?, &mut copy)?;
        copy.set_permissions(metadata.permissions())
    } else {
        Ok(())
    }
}

/// Metadata of a file, not of the file that a link points to; `None` if there is no file.
fn metadata(path: &Path) -> Result<Option<Metadata>> {
    match path.symlink_metadata() {
        // A folder on the path may have been replaced by a file.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        found => found.map(Some).with_context(|| format!("reading {}", path.display())),
    }
}
