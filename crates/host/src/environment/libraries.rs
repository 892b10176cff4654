//! `LD_LIBRARY_PATH` as the shell has it: a Python may be built to need it, but what
//! cargo puts in front of it for programs that it runs is for those alone.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where programs look for libraries first.
pub const NAME: &str = "LD_LIBRARY_PATH";

/// A variable, without what cargo has put into it; `None` where nothing else is in it.
pub(super) fn without_cargos((name, value): (OsString, OsString)) -> Option<(OsString, OsString)> {
    if name != NAME {
        return Some((name, value));
    }
    let own = std::env::current_exe().ok().and_then(|program| program.parent().map(PathBuf::from));
    let kept = std::env::split_paths(&value).filter(|path| !is_cargos(path, own.as_deref()));
    let kept = std::env::join_paths(kept).ok()?;
    (!kept.is_empty()).then_some((name, kept))
}

/// Whether a folder is one of a build's, this program's own or the compiler's.
fn is_cargos(path: &Path, own: Option<&Path>) -> bool {
    let has = |name: &str| path.components().any(|part| part.as_os_str() == name);
    let is_toolchains = has("rustlib") || (has("toolchains") && path.ends_with("lib"));
    own.is_some_and(|own| path.starts_with(own)) || is_toolchains
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargos_folders_are_told_from_the_shells() {
        let own = Path::new("/checkout/target/debug");
        for (path, expected) in [
            ("/checkout/target/debug/deps", true),
            ("/checkout/target/debug", true),
            ("/home/u/.rustup/toolchains/stable/lib/rustlib/x86_64-unknown-linux-gnu/lib", true),
            ("/home/u/.rustup/toolchains/stable/lib", true),
            ("/opt/python/lib", false),
        ] {
            assert_eq!(is_cargos(Path::new(path), Some(own)), expected, "{path}");
        }
    }

    #[test]
    fn what_only_cargo_has_set_is_not_passed_on() {
        let own = std::env::current_exe().unwrap();
        let set = |value: OsString| without_cargos((NAME.into(), value));
        assert_eq!(set(own.parent().unwrap().into()), None);
        let shells = set("/opt/lib:/usr/lib/x".into());
        assert_eq!(shells, Some((NAME.into(), "/opt/lib:/usr/lib/x".into())));
    }
}
