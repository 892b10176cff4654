//! Directory of a run, with the paths of all its files. File names are defined only here.

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

/// Directory of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// Creates the directory of a new run, readable by its owner only, since the server's log
    /// may contain confidential data.
    pub fn create(path: &Path) -> Result<Self, RecordError> {
        create_private(path, "create the run's directory")?;
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
        Ok(Self { path: open(path, "open the run's directory")? })
    }

    /// Whether a directory is that of a run.
    pub(super) fn holds_run(path: &Path) -> bool {
        Self { path: path.to_owned() }.plan().exists()
    }

    /// Points the link `latest` in the parent directory to the run. Returns false, without a
    /// change, if `latest` is a file or link that skyload did not create.
    pub fn link_latest(&self) -> Result<bool, RecordError> {
        link_latest(&self.path)
    }

    /// ID of the run, which is the directory's name.
    pub fn id(&self) -> RunId {
        RunId::of_directory(&self.path)
    }

    /// Path of a file that was renamed after format 2: the old name if only that one exists.
    fn renamed_file(&self, name: &str, old_name: &str) -> PathBuf {
        let (path, old_path) = (self.path.join(name), self.path.join(old_name));
        if !path.exists() && old_path.exists() { old_path } else { path }
    }

    /// Path of the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Path of the run's arguments: one `RequestFile`.
    pub fn request(&self) -> PathBuf {
        self.path.join("request.json")
    }

    /// Path of the run's plan: one `LoadPlan`.
    pub fn plan(&self) -> PathBuf {
        self.path.join("plan.json")
    }

    /// Path of the facts of the run: one `RunFacts`.
    pub fn facts(&self) -> PathBuf {
        self.path.join("run.json")
    }

    /// Reads the facts of the run, which are part of the plan in format 2; `None` if there are
    /// none.
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

    /// Coordinator of the run. Also read from files of unsupported versions: a run of another
    /// build must not be mistaken for one that has ended.
    pub fn coordinator(&self) -> Option<ProcessIdentity> {
        let found = |path: &Path, key: &str| {
            let file: Value = read_json(path, "JSON file").ok()?;
            // Read from untyped JSON, so that the file's version does not matter.
            ProcessIdentity::deserialize(&file[key]).ok()
        };
        // Format 2 recorded the coordinator in the plan, as `conductor`.
        found(&self.facts(), "coordinator").or_else(|| found(&self.plan(), "conductor"))
    }

    /// Path of the file that asks to end the load after a breach of a threshold: its text.
    pub fn breach(&self) -> PathBuf {
        self.barrier().join("breach.txt")
    }

    /// Path of the run's environment: one `Environment`.
    pub fn environment(&self) -> PathBuf {
        self.path.join("environment.json")
    }

    /// Path of the event log: one `EventLine` per line.
    pub fn events(&self) -> PathBuf {
        self.renamed_file("events.jsonl", v2::EVENTS)
    }

    /// Paths of the profile's two files.
    pub fn profile(&self) -> ProfileFiles {
        ProfileFiles::in_directory(&self.path)
    }

    /// Path of the profile's samples: one `ProfileLine` per line.
    pub fn samples(&self) -> PathBuf {
        self.profile().samples
    }

    /// Path of the profile's process table: one `ProcessTable`.
    pub fn processes(&self) -> PathBuf {
        self.profile().processes
    }

    /// Path of the log of the server's own metrics: one `MetricsLine` per line.
    pub fn server_metrics(&self) -> PathBuf {
        self.path.join("server-metrics.jsonl")
    }

    /// Path of the directory of all scenario outcomes.
    pub fn outcomes(&self) -> PathBuf {
        self.path.join("outcomes")
    }

    /// Path of the outcome of one scenario: one `ScenarioOutcome`.
    pub fn outcome(&self, scenario: ScenarioId) -> PathBuf {
        self.outcomes().join(format!("{}.json", scenario.file_stem()))
    }

    /// Path of the directory with the progress of scenarios that run. Exists while a live page
    /// follows the run; scenarios write their progress only then.
    pub fn progress(&self) -> PathBuf {
        self.path.join("progress")
    }

    /// Path of the progress of one scenario: one `ScenarioProgress`.
    pub fn scenario_progress(&self, scenario: ScenarioId) -> PathBuf {
        self.progress().join(format!("{}.json", scenario.file_stem()))
    }

    /// Path of the stated size of the server: one `SizeRecord`.
    pub fn server_size(&self) -> PathBuf {
        self.path.join("server-size.json")
    }

    /// Path of the server's own record of requests: one `ServerRequests`.
    pub fn server_requests(&self) -> PathBuf {
        self.path.join("server-requests.json")
    }

    /// Path of the directory of its executors' traces. Exists for a server that was started to be
    /// traced alone.
    pub fn traces(&self) -> PathBuf {
        self.path.join("traces")
    }

    /// Whether executors were traced, so that the figures of the run are not those of a measured
    /// one.
    pub fn is_traced(&self) -> bool {
        self.traces().is_dir()
    }

    /// Path of the log of shared resources: one `ResourceLog`.
    pub fn resources(&self) -> PathBuf {
        self.renamed_file("resources.json", v2::RESOURCES)
    }

    /// Path of the resource use of loopback nodes: one `NodeFigures`.
    pub fn nodes(&self) -> PathBuf {
        self.path.join("nodes.json")
    }

    /// Path of the directory in which scenarios synchronize the starts of iterations.
    pub fn barrier(&self) -> PathBuf {
        self.path.join("barrier")
    }

    /// Path of the file that permits a scenario group to start, by its existence.
    pub fn group_start(&self, group: Group) -> PathBuf {
        self.barrier().join(format!("start-{}", group.name()))
    }

    /// Path of the end of the server's log.
    pub fn server_log_tail(&self) -> PathBuf {
        self.path.join("server.log.tail")
    }

    /// Path of the JSON report: one `Report`.
    pub fn report(&self) -> PathBuf {
        self.path.join("report.json")
    }

    /// Path of the Markdown report, for a pull request.
    pub fn report_markdown(&self) -> PathBuf {
        self.path.join("report.md")
    }

    /// Path of the JUnit report.
    pub fn junit(&self) -> PathBuf {
        self.path.join("junit.xml")
    }

    /// Path of the series with this extension.
    pub fn series(&self, extension: &str) -> PathBuf {
        self.path.join("series").with_extension(extension)
    }

    /// Path of the HTML report.
    pub fn report_html(&self) -> PathBuf {
        self.path.join("report.html")
    }

    /// Path of the isolated server's home and temporary files.
    pub fn instance(&self) -> PathBuf {
        self.path.join("instance")
    }

    /// Path of the output of a script's run: that of a user, with the number of the run.
    pub fn script_log(&self, user: u32, number: u32) -> PathBuf {
        self.path.join("scripts").join(format!("user-{user}-run-{number}.log"))
    }

    /// Path of the working directory that sessions send to the server. Exists during the load.
    pub fn workdir(&self) -> PathBuf {
        self.path.join("workdir")
    }

    /// Path of the scenarios' output.
    pub fn load_log(&self) -> PathBuf {
        self.path.join("load.log")
    }

    /// Path of the gate's output.
    pub fn gate_log(&self) -> PathBuf {
        self.path.join("gate.log")
    }
}
