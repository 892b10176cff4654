//! Path of the program that this package builds.

use std::path::{Path, PathBuf};

/// Path of the `fake-sky` program, from the path of the running test or program.
///
/// A test runs from `target/<profile>/deps`, a program from `target/<profile>`; cargo writes
/// `fake-sky` to the latter.
///
/// # Panics
///
/// When the program was not built: `cargo test -p` of another package does not build it.
pub fn executable() -> PathBuf {
    let running = std::env::current_exe().unwrap_or_default();
    let found =
        running.ancestors().skip(1).take(3).map(program_in).find(|program| program.is_file());
    found.unwrap_or_else(|| {
        panic!(
            "program `fake-sky` not found in a directory above {}\n  hint: cargo build -p fake-sky",
            running.display()
        )
    })
}

fn program_in(directory: &Path) -> PathBuf {
    directory.join(format!("fake-sky{}", std::env::consts::EXE_SUFFIX))
}
