//! The run directory: where all parts of a run meet.
//!
//! The one place that knows file names. Files are either written whole (to a
//! temporary file beside, then renamed) or grow line by line, so that whatever
//! a crash leaves can still be read. `cargo xtask report RUN` rebuilds a report
//! from nothing but this directory.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use serde_json::Value;

use super::directory::{create_private, link_latest, open};
use super::{
    Document as _, ProfileFiles, RecordError, RunFacts, read_json, read_json_optional,
    read_optional, v2,
};
use crate::ids::{ProcessIdentity, RunId};
use crate::scenario::{Group, ScenarioId};

/// One run's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// Creates the directory of a new run, readable by its owner alone: the
    /// server's log in it may tell more than the server's users should know.
    pub fn create(path: &Path) -> Result<Self, RecordError> {
        create_private(path, "create the run directory")?;
        let run = Self { path: path.to_owned() };
        for folder in [run.outcomes(), run.barrier()] {
            fs::create_dir(&folder).map_err(|source| RecordError::Io {
                act: "create folders in",
                path: path.to_owned(),
                source,
            })?;
        }
        Ok(run)
    }

    /// Opens the directory of an existing run.
    pub fn open(path: &Path) -> Result<Self, RecordError> {
        Ok(Self { path: open(path, "open the run directory")? })
    }

    /// Whether a directory is a run's.
    pub(super) fn holds_run(path: &Path) -> bool {
        Self { path: path.to_owned() }.plan().exists()
    }

    /// Makes `latest`, beside the run's directory, point to it, and says whether it does:
    /// what somebody else has called that stays.
    pub fn link_latest(&self) -> Result<bool, RecordError> {
        link_latest(&self.path)
    }

    /// The run's id, which is the directory's name.
    pub fn id(&self) -> RunId {
        RunId::of_directory(&self.path)
    }

    /// A file, under the name that it had in format 2 where only that is there.
    fn named(&self, name: &str, before: &str) -> PathBuf {
        let (path, before) = (self.path.join(name), self.path.join(before));
        if !path.exists() && before.exists() { before } else { path }
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was typed: one `RequestFile`.
    pub fn request(&self) -> PathBuf {
        self.path.join("request.json")
    }

    /// What was asked for: one `LoadPlan`.
    pub fn plan(&self) -> PathBuf {
        self.path.join("plan.json")
    }

    /// What is known of the run beside its plan: one `RunFacts`.
    pub fn facts(&self) -> PathBuf {
        self.path.join("run.json")
    }

    /// Reads what is known of the run beside its plan, which once stood in that.
    pub fn read_facts(&self) -> Result<Option<RunFacts>, RecordError> {
        let facts = read_optional(&self.facts())?;
        if facts.is_some() {
            return Ok(facts);
        }
        let plan: Option<Value> = read_json_optional(&self.plan(), "plan")?;
        let plan = plan.filter(|plan| plan["version"] == v2::VERSION);
        let facts = plan.map(|plan| serde_json::from_value(v2::facts(&plan))).transpose();
        facts.map_err(|source| RecordError::Format {
            path: self.plan(),
            what: RunFacts::KIND,
            source,
        })
    }

    /// Process that runs the plan, whatever the version of the run's files: the run of
    /// another build must not be taken for one that has ended.
    pub fn coordinator(&self) -> Option<ProcessIdentity> {
        let found = |path: &Path, key: &str| {
            let file: Value = read_json(path, "JSON file").ok()?;
            ProcessIdentity::deserialize(&file[key]).ok()
        };
        found(&self.facts(), "coordinator").or_else(|| found(&self.plan(), "conductor"))
    }

    /// What was found: one `Environment`.
    pub fn environment(&self) -> PathBuf {
        self.path.join("environment.json")
    }

    /// When what happened: one `LoggedEvent` a line.
    pub fn events(&self) -> PathBuf {
        self.named("events.jsonl", v2::EVENTS)
    }

    /// The two files of the profile.
    pub fn profile(&self) -> ProfileFiles {
        ProfileFiles::within(&self.path)
    }

    /// The profile: one `ProfileLine` a line.
    pub fn samples(&self) -> PathBuf {
        self.profile().samples
    }

    /// Every process of the profile: one `ProcessTable`.
    pub fn processes(&self) -> PathBuf {
        self.profile().processes
    }

    /// What each scenario recorded.
    pub fn outcomes(&self) -> PathBuf {
        self.path.join("outcomes")
    }

    /// What one scenario recorded: one `ScenarioOutcome`.
    pub fn outcome(&self, scenario: ScenarioId) -> PathBuf {
        self.outcomes().join(format!("{}.json", scenario.file_stem()))
    }

    /// What scenarios share, and what became of it: one `ResourceLog`.
    pub fn resources(&self) -> PathBuf {
        self.named("resources.json", v2::RESOURCES)
    }

    /// What the nodes of the loopback infrastructure cost: one `NodeFigures`.
    pub fn nodes(&self) -> PathBuf {
        self.path.join("nodes.json")
    }

    /// Where scenarios wait for one another.
    pub fn barrier(&self) -> PathBuf {
        self.path.join("barrier")
    }

    /// File that says that a group may start.
    pub fn group_start(&self, group: Group) -> PathBuf {
        self.barrier().join(format!("start-{}", group.name()))
    }

    /// The end of the server's log.
    pub fn server_log_tail(&self) -> PathBuf {
        self.path.join("server.log.tail")
    }

    /// The result: one `Report`.
    pub fn report(&self) -> PathBuf {
        self.path.join("report.json")
    }

    /// The result for a pull request.
    pub fn report_markdown(&self) -> PathBuf {
        self.path.join("report.md")
    }

    /// The result as test cases.
    pub fn junit(&self) -> PathBuf {
        self.path.join("junit.xml")
    }

    /// The result as a page for a browser.
    pub fn report_page(&self) -> PathBuf {
        self.path.join("report.html")
    }

    /// Where an isolated server has its home and its temporary files.
    pub fn instance(&self) -> PathBuf {
        self.path.join("instance")
    }

    /// What the scenarios printed while they ran.
    pub fn load_log(&self) -> PathBuf {
        self.path.join("load.log")
    }

    /// What the gate printed.
    pub fn gate_log(&self) -> PathBuf {
        self.path.join("gate.log")
    }
}
