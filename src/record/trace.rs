//! Traces of executors: memory, imports and allocations of one request, or of the import of
//! SkyPilot.
//!
//! Executors write them in a server that `cargo xtask explain` starts. Memory and imports are those
//! of a server without tracemalloc, allocations those of another one with it: tracing takes several
//! times the memory that it traces.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{RecordError, RunDir, read_json};
use crate::class::ProcessClass;
use crate::units::{self, ByteSize, Seconds};

/// Trace of one request in an executor, or of the import of SkyPilot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Trace {
    /// Process ID of the executor.
    pub pid: u32,
    /// Queue of the executor: `short` or `long`; `None` if SkyPilot did not tell the executor.
    pub queue: Option<String>,
    /// ID of the request; `None` for the import of SkyPilot.
    pub request: Option<String>,
    /// Number of requests that the executor ran before.
    pub earlier_requests: u32,
    /// Whether the trace reaches to the end of the request. A daemon does not end.
    pub is_whole: bool,
    /// Time from the begin of the trace, in seconds.
    #[serde(with = "units::seconds")]
    #[schemars(with = "Seconds")]
    pub seconds: Duration,
    /// RSS at the begin.
    pub rss_before: ByteSize,
    /// RSS at the end.
    pub rss_after: ByteSize,
    /// High-water mark (`VmHWM`) at the begin, after a reset.
    pub mark_before: ByteSize,
    /// High-water mark at the end.
    pub mark_after: ByteSize,
    /// Modules that were imported since the begin.
    pub modules: Vec<ModuleCost>,
    /// Allocations; `None` if they were not traced.
    pub allocations: Option<Allocations>,
}

/// Blocks that a request allocated through Python.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Allocations {
    /// Largest sum of the blocks.
    pub peak: ByteSize,
    /// Sum of the blocks at the end.
    pub after: ByteSize,
    /// Sum of the blocks when the sites were recorded.
    pub at_sites: ByteSize,
    /// Number of sites, those beyond the list included.
    pub site_count: u32,
    /// Sites, the largest first.
    pub sites: Vec<AllocationSite>,
}

/// Line of code with the blocks that it allocated and that existed when the sites were recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AllocationSite {
    /// Sum of the blocks.
    pub size: ByteSize,
    /// Number of the blocks.
    pub count: u64,
    /// Line of code, and the callers of its largest part, innermost first. Python's import machinery
    /// is left out.
    pub frames: Vec<Frame>,
}

/// Line of code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Frame {
    /// Path of the file.
    pub file: String,
    /// Number of the line.
    pub line: u32,
}

/// Cost of a module's import, without the imports within unless stated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ModuleCost {
    /// Name of the module.
    pub name: String,
    /// Module whose code imported this one; `None` if no code of a module did.
    pub imported_by: Option<String>,
    /// Growth of RSS.
    pub rss: ByteSize,
    /// Time, in seconds.
    #[serde(with = "units::seconds")]
    #[schemars(with = "Seconds")]
    pub seconds: Duration,
    /// Growth of RSS with the imports within.
    pub rss_with_imports: ByteSize,
    /// Time with the imports within, in seconds.
    #[serde(with = "units::seconds")]
    #[schemars(with = "Seconds")]
    pub seconds_with_imports: Duration,
}

impl Trace {
    /// Growth of the high-water mark.
    pub fn growth(&self) -> ByteSize {
        ByteSize(self.mark_after.as_u64().saturating_sub(self.mark_before.as_u64()))
    }

    /// Part of the growth that was not allocated through Python: memory of native code, and free
    /// memory between blocks. `None` without traced allocations.
    pub fn untraced(&self) -> Option<ByteSize> {
        let traced = self.allocations.as_ref()?.peak.as_u64();
        Some(ByteSize(self.growth().as_u64().saturating_sub(traced)))
    }

    /// Class of the executor; `None` for an unknown queue.
    pub fn class(&self) -> Option<ProcessClass> {
        match self.queue.as_deref() {
            Some("short") => Some(ProcessClass::ShortExecutor),
            Some("long") => Some(ProcessClass::LongExecutor),
            _ => None,
        }
    }
}

impl RunDir {
    /// Traces of the run's executors; none in a run whose executors were not traced.
    ///
    /// # Errors
    ///
    /// If the directory or a trace cannot be read.
    pub fn read_traces(&self) -> Result<Vec<Trace>, RecordError> {
        self.trace_files("json")?.iter().map(|path| read_json(path, "trace")).collect()
    }

    /// Errors of the tracing in the run's executors: the first line of each file, each once.
    ///
    /// # Errors
    ///
    /// If the directory or a file cannot be read.
    pub fn read_trace_errors(&self) -> Result<Vec<String>, RecordError> {
        let mut errors = Vec::new();
        for path in self.trace_files("txt")? {
            let text = fs::read_to_string(&path);
            let text = text.map_err(|source| RecordError::Io { act: "read", path, source })?;
            let first = text.lines().next().unwrap_or_default().to_owned();
            if !errors.contains(&first) {
                errors.push(first);
            }
        }
        Ok(errors)
    }

    fn trace_files(&self, extension: &str) -> Result<Vec<PathBuf>, RecordError> {
        let io = |source| RecordError::Io { act: "list", path: self.traces(), source };
        let mut paths = Vec::new();
        for entry in fs::read_dir(self.traces()).map_err(io)? {
            let path = entry.map_err(io)?.path();
            // A file that is being written begins with a dot.
            let is_hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes()[0] == b'.');
            if !is_hidden && path.extension().is_some_and(|its| its == extension) {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn trace() -> Trace {
        serde_json::from_value(json!({
            "pid": 7, "queue": "long", "request": null, "earlier-requests": 0, "is-whole": true,
            "seconds": 1.5, "rss-before": 10, "rss-after": 90, "mark-before": 12, "mark-after": 112,
            "modules": [], "allocations": null,
        }))
        .unwrap()
    }

    #[test]
    fn growth_is_what_was_allocated_through_python_and_the_rest() {
        let allocating = |peak| {
            let (after, at_sites) = (ByteSize(0), ByteSize(peak));
            let peak = ByteSize(peak);
            let allocations = Allocations { peak, after, at_sites, site_count: 0, sites: vec![] };
            Trace { allocations: Some(allocations), ..trace() }
        };
        assert_eq!((trace().growth(), trace().untraced()), (ByteSize(100), None));
        assert_eq!(allocating(70).untraced(), Some(ByteSize(30)));
        assert_eq!(allocating(110).untraced(), Some(ByteSize(0)), "free memory was used again");
        assert_eq!(trace().class(), Some(ProcessClass::LongExecutor));
        assert_eq!(Trace { queue: None, ..trace() }.class(), None);
    }

    #[test]
    fn traces_are_read_without_those_that_are_being_written_and_errors_apart() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::create(&folder.path().join("run")).unwrap();
        assert!(!run.is_traced());
        fs::create_dir(run.traces()).unwrap();
        fs::write(run.traces().join(".x-7.json"), "{").unwrap();
        let errors = [
            ("7", "KeyError('a')\nTraceback\n"),
            ("8", "KeyError('a')\nTraceback\n"),
            ("9", "lost"),
        ];
        for (pid, text) in errors {
            fs::write(run.traces().join(format!("error-{pid}.txt")), text).unwrap();
        }
        super::super::write_json(&run.traces().join("x-7.json"), &trace()).unwrap();
        assert_eq!(run.read_traces().unwrap(), [trace()]);
        assert_eq!(run.read_trace_errors().unwrap(), ["KeyError('a')", "lost"]);
        assert!(run.is_traced());
    }
}
