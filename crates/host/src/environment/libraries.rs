//! `LD_LIBRARY_PATH` as the shell has it. A Python may need the variable, but not the folders
//! that cargo puts in front for the programs that cargo runs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Name of the variable with the folders that the dynamic linker searches first.
pub const NAME: &str = "LD_LIBRARY_PATH";

/// Variable without the folders that cargo has added; `None` if no other folder is in it.
pub(super) fn without_cargo_folders(
    (name, value): (OsString, OsString),
) -> Option<(OsString, OsString)> {
    if name != NAME {
        return Some((name, value));
    }
    let own = std::env::current_exe().ok().and_then(|program| program.parent().map(PathBuf::from));
    let kept = std::env::split_paths(&value).filter(|path| !is_cargo_folder(path, own.as_deref()));
    let kept = std::env::join_paths(kept).ok()?;
    (!kept.is_empty()).then_some((name, kept))
}

/// Whether `path` is a folder of cargo's build output (below `own`) or of a Rust toolchain.
fn is_cargo_folder(path: &Path, own: Option<&Path>) -> bool {
    let has = |name: &str| path.components().any(|part| part.as_os_str() == name);
    let in_toolchain = has("rustlib") || (has("toolchains") && path.ends_with("lib"));
    own.is_some_and(|own| path.starts_with(own)) || in_toolchain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_cargo_are_recognized() {
        let own = Path::new("/checkout/target/debug");
        for (path, expected) in [
            ("/checkout/target/debug/deps", true),
            ("/checkout/target/debug", true),
            ("/home/u/.rustup/toolchains/stable/lib/rustlib/x86_64-unknown-linux-gnu/lib", true),
            ("/home/u/.rustup/toolchains/stable/lib", true),
            ("/opt/python/lib", false),
        ] {
            assert_eq!(is_cargo_folder(Path::new(path), Some(own)), expected, "{path}");
        }
    }

    #[test]
    fn a_path_of_cargo_folders_alone_is_not_passed_on() {
        let own = std::env::current_exe().unwrap();
        let set = |value: OsString| without_cargo_folders((NAME.into(), value));
        assert_eq!(set(own.parent().unwrap().into()), None);
        let shells = set("/opt/lib:/usr/lib/x".into());
        assert_eq!(shells, Some((NAME.into(), "/opt/lib:/usr/lib/x".into())));
    }
}
