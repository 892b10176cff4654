//! Where the program is that this package builds.

use std::path::{Path, PathBuf};

/// The path of the `fake-sky` program that stands beside the running test.
///
/// A test runs from `target/<profile>/deps`, a program from
/// `target/<profile>`; cargo puts `fake-sky` into the latter.
///
/// # Panics
///
/// When the program was not built, as with `cargo test -p` another package.
pub fn executable() -> PathBuf {
    let running = std::env::current_exe().unwrap_or_default();
    let found = running.ancestors().skip(1).take(3).map(beside).find(|program| program.is_file());
    found.unwrap_or_else(|| {
        panic!(
            "the program `fake-sky` is not near {}\n  hint: cargo build -p fake-sky",
            running.display()
        )
    })
}

fn beside(directory: &Path) -> PathBuf {
    directory.join(format!("fake-sky{}", std::env::consts::EXE_SUFFIX))
}
