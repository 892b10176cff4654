//! Everything that is on disk, and nothing else: what the files of a run are called, what
//! is in them, and how they are written and read.
//!
//! The parts of a run are processes that meet here. Files are either written whole (to a
//! temporary file beside, then renamed) or grow line by line, so that whatever a crash
//! leaves can still be read. `cargo xtask report RUN` rebuilds a report from nothing else.

mod checksums;
mod directory;
pub mod environment;
mod error;
pub mod events;
mod file;
mod format;
mod log;
pub mod nodes;
pub mod outcome;
pub mod profile;
mod profile_dir;
mod profile_files;
pub mod request;
pub mod resources;
mod run_dir;
mod run_facts;
pub(crate) mod v2;

pub use directory::leads_to_run;
pub use error::RecordError;
pub use file::{read, read_json, read_json_optional, read_optional, write_json, write_with};
pub use format::{Document, Log, Readable, Version};
pub use log::{JsonLines, Lines, read_first, read_log};
pub use profile_dir::ProfileDir;
pub use profile_files::ProfileFiles;
pub use run_dir::RunDir;
pub use run_facts::{Estimate, RunFacts};
