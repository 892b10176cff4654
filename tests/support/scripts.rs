//! Stand-ins for the programs that tools call, as shell scripts.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use xshell::Shell;

/// Writes a program whose body is `text`.
pub(crate) fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A shell for which no program exists but those in `bin` below `folder`.
pub(crate) fn shell(folder: &Path) -> Shell {
    let shell = Shell::new().unwrap();
    shell.set_var("PATH", folder.join("bin"));
    shell.set_var("CARGO", folder.join("bin/cargo"));
    shell.set_var("CARGO_HOME", folder.join("cargo-home"));
    shell
}
