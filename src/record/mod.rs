//! Files of runs and profiles: their names, formats and versions, and how they are written and
//! read.
//!
//! The processes of a run exchange data through these files. A file is either written as a whole
//! (to a temporary file that is then renamed) or appended to line by line, so that it can be
//! read after a crash. `cargo xtask report RUN` rebuilds a report from these files alone.

mod bisection_dir;
mod checksums;
mod comparison_dir;
mod directory;
pub mod environment;
mod error;
pub mod events;
mod explanation_dir;
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
pub mod server_metrics;
mod server_requests;
mod server_size;
mod tail;
pub mod trace;
pub(crate) mod v2;
pub(crate) mod v3;
pub(crate) mod v4;

pub use bisection_dir::BisectionDir;
pub use comparison_dir::ComparisonDir;
pub use directory::is_run_link;
pub use error::RecordError;
pub use explanation_dir::ExplanationDir;
pub use file::{read, read_json, read_json_optional, read_optional, write_json, write_with};
pub use format::{Document, Log, Readable, Version};
pub use log::{JsonLines, Lines, read_first, read_log};
pub use profile_dir::ProfileDir;
pub use profile_files::ProfileFiles;
pub use run_dir::RunDir;
pub use run_facts::{Estimate, PlaceInSet, RunFacts};
pub use server_requests::{ServerRequest, ServerRequests};
pub use server_size::{HeldTo, SizeRecord};
pub use tail::LogTail;
