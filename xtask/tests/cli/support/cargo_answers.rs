//! Answers of cargo that all commands of the tests share.
//!
//! Each run asks cargo for the scenarios' binaries. Whether they are up to date takes a second of
//! CPU time to find out, under the lock of the build directory, for which other runs wait. Sources
//! do not change while tests run, so the first answer holds for all: programs in front of cargo
//! and nextest keep it. Tests that set their own PATH call cargo itself.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use skyload::env;
use tempfile::NamedTempFile;

/// Answers of all nextest runs, each in a directory of its id.
const FOLDER: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/cargo-answers");

/// Age at which the answers of a nextest run are removed: it has ended by then.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// PATH with the programs that keep answers. Unchanged without nextest: then nothing tells apart
/// two runs of the tests, between which sources may change.
pub(crate) fn path() -> anyhow::Result<String> {
    let path = env::text("PATH").unwrap_or_default();
    let Some(id) = env::text("NEXTEST_RUN_ID") else { return Ok(path) };
    let folder = Path::new(FOLDER).join(id);
    let programs = folder.join("bin");
    if !programs.exists() {
        remove_old();
        fs::create_dir_all(&programs)?;
    }
    for name in ["cargo", "cargo-nextest"] {
        if let Some(real) = find(name, &path) {
            write(&programs.join(name), &real, &folder)?;
        }
    }
    Ok(format!("{}:{path}", programs.display()))
}

fn find(name: &str, path: &str) -> Option<PathBuf> {
    std::env::split_paths(path).map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// Writes a program that calls `real`, unless the answer to the same arguments is known.
fn write(program: &Path, real: &Path, folder: &Path) -> anyhow::Result<()> {
    if program.exists() {
        return Ok(());
    }
    let quoted = |path: &Path| anyhow::Ok(shlex::try_quote(&path.to_string_lossy())?.into_owned());
    let (real, answers) = (quoted(real)?, quoted(folder)?);
    let script = format!(
        r#"#!/bin/sh
case "$*" in
"metadata "* | *" --list-type binaries-only "*) ;;
*) exec {real} "$@" ;;
esac
answer={answers}/$(printf %s "$*" | cksum | tr ' ' -)
[ -f "$answer" ] || {{ {real} "$@" > "$answer.$$" && mv "$answer.$$" "$answer"; }} || exit
exec cat "$answer"
"#
    );
    // Other tests write the same one at the same time.
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(script.as_bytes())?;
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o755))?;
    file.into_temp_path().persist(program).with_context(|| format!("writing {}", program.display()))
}

fn remove_old() {
    for entry in fs::read_dir(FOLDER).into_iter().flatten().flatten() {
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        if modified.is_ok_and(|time| time.elapsed().is_ok_and(|age| age > KEPT)) {
            // Another run of the tests may be removing the same.
            _ = fs::remove_dir_all(entry.path());
        }
    }
}
