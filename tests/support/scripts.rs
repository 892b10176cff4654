//! Shell scripts as stand-ins for programs that tests must not run.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use xshell::Shell;

/// Writes an executable shell script with the body `text` to `path`.
pub(crate) fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Shell that finds only the programs in `bin` below `folder`.
pub(crate) fn shell(folder: &Path) -> Shell {
    let shell = Shell::new().unwrap();
    shell.set_var("PATH", folder.join("bin"));
    shell.set_var("CARGO", folder.join("bin/cargo"));
    shell.set_var("CARGO_HOME", folder.join("cargo-home"));
    shell
}
