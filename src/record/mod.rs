//! Everything that is on disk, and nothing else: what the files of a run are called, what
//! is in them, and how they are written and read.
//!
//! The parts of a run are processes that meet here. Files are either written whole (to a
//! temporary file beside, then renamed) or grow line by line, so that whatever a crash
//! leaves can still be read. `cargo xtask report RUN` rebuilds a report from nothing else.

mod checksums;
pub mod environment;
mod error;
pub mod events;
mod file;
pub mod nodes;
pub mod outcome;
pub mod profile;
mod profile_dir;
pub mod request;
pub mod resources;
mod run_dir;

pub use error::RecordError;
pub use file::{JsonLines, Lines, read_json, read_lines, read_optional, write_json, write_with};
pub use profile_dir::{ProfileDir, ProfileFiles};
pub use run_dir::{FORMAT_VERSION, RunDir, leads_to_run};
