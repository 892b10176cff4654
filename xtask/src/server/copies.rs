//! Copies of files for the home of an isolated server.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Copies a directory tree. Copies get the current time, since SkyPilot checks how old its wheels
/// are.
pub(super) fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    let copying = || format!("copying `{}` to `{}`", from.display(), to.display());
    fs::create_dir_all(to).with_context(copying)?;
    for entry in fs::read_dir(from).with_context(copying)? {
        let entry = entry.with_context(copying)?;
        let target = to.join(entry.file_name());
        if entry.file_type().with_context(copying)?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target).with_context(copying)?;
        }
    }
    Ok(())
}

/// Copies a file and makes the copy readable by its owner alone.
pub(super) fn copy_secret(from: &Path, to: &Path) -> Result<()> {
    let copy = || {
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::copy(from, to)?;
        fs::set_permissions(to, fs::Permissions::from_mode(0o600))
    };
    copy().with_context(|| format!("copying `{}` to `{}`", from.display(), to.display()))
}
