//! Cleanup record of a local infra, written before anything is started.
//!
//! A state directory has at most one infra of each kind at a time. The record has the infra's
//! owner, its SkyPilot, and the facts that identify its processes and files.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use host::process::scan::signal_and_wait;
use host::tools::remove_folder;
use host::workspace::Workspace;
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use skyload::ids::ProcessIdentity;
use skyload::infrastructure::LocalInfra;
use skyload::poll::Probe;
use skyload::record::nodes::NodeFigures;
use skyload::record::{Document, Version, read_optional, write_json};

use crate::account::Account;
use crate::leaked_files;
use crate::ports::InfraPorts;
use crate::priority::NodePriority;
use crate::processes::NodeProcesses;

/// Record of a local infra that runs or has run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Record {
    pub(crate) version: Version<2>,
    /// Id of the infra, part of its folder's name.
    pub id: String,
    /// Process of the run that the infra ends with; `None` for a persistent infra.
    pub owner: Option<ProcessIdentity>,
    pub(crate) supervisor: Option<ProcessIdentity>,
    /// Folder with all files of the infra.
    pub folder: PathBuf,
    pub(crate) account: Account,
    /// Ports of the infra, which tell its kind.
    pub(crate) ports: InfraPorts,
    /// Path of the `sky` program that the infra was started for.
    pub sky: PathBuf,
    /// Version of SkyPilot that the infra was started for.
    pub sky_version: String,
    /// Hash of SkyPilot's wheel in the node image; `None` for an infra without nodes.
    pub(crate) wheel_hash: Option<String>,
    /// Node image; `None` for an infra without nodes.
    pub(crate) image: Option<PathBuf>,
    /// CPU priority of node processes.
    #[serde(default)]
    pub(crate) priority: NodePriority,
}

impl Document for Record {
    const KIND: &'static str = "record of a local infra";
    const VERSION: u32 = 2;
}

/// Time limit for the supervisor to end all node processes cleanly.
const ENDS_WITHIN: Duration = Duration::from_secs(30);

impl Record {
    /// Name of the record's file in the state directory.
    fn file_name(infra: LocalInfra) -> &'static str {
        match infra {
            LocalInfra::Loopback => "infrastructure.json",
            LocalInfra::EmulatedAws => "emulated-aws.json",
            LocalInfra::EmulatedKubernetes => "emulated-kubernetes.json",
        }
    }

    fn path(workspace: &Workspace, infra: LocalInfra) -> PathBuf {
        workspace.state.join(Self::file_name(infra))
    }

    /// Path of the record in the state directory.
    pub(crate) fn file(&self, workspace: &Workspace) -> PathBuf {
        Self::path(workspace, self.infra())
    }

    /// Record of `infra` in the state directory; `None` if there is none.
    pub fn read(workspace: &Workspace, infra: LocalInfra) -> Result<Option<Self>> {
        Ok(read_optional(&Self::path(workspace, infra))?)
    }

    pub(crate) fn write(&self, workspace: &Workspace) -> Result<()> {
        write_json(&self.file(workspace), self)
            .with_context(|| format!("writing the record of {}", self.name()))
    }

    /// Kind of the infra.
    pub fn infra(&self) -> LocalInfra {
        self.ports.infra()
    }

    /// Name of the infra in sentences.
    pub fn name(&self) -> &'static str {
        self.infra().name()
    }

    /// Whether the infra is running.
    pub fn is_up(&self) -> bool {
        self.supervisor.is_some_and(ProcessIdentity::is_alive)
    }

    /// Whether the infra belongs to another run, which is active.
    pub fn is_in_use(&self) -> bool {
        self.owner.is_some_and(ProcessIdentity::is_alive)
            && self.owner != ProcessIdentity::current()
    }

    /// Whether the infra is running and ends with no run.
    pub(crate) fn is_persistent(&self) -> bool {
        self.owner.is_none() && self.is_up()
    }

    /// Returns an error if the infra is in use by another run, or is for another SkyPilot than
    /// the program `sky`.
    pub(crate) fn ensure_usable_by(&self, sky: &Path) -> Result<()> {
        ensure!(
            !self.is_in_use(),
            "another run is using {}\n  hint: wait for it, or set SKYLOAD_STATE_DIR to another \
             directory",
            self.name()
        );
        ensure!(self.sky == sky, self.wrong_sky());
        Ok(())
    }

    /// Error text for a SkyPilot that the infra is not for.
    pub(crate) fn wrong_sky(&self) -> String {
        format!(
            "{}, which is running, was started for another SkyPilot ({}, `{}` at that time)\n  \
             hint: `cargo xtask infra down`",
            self.name(),
            self.sky_version,
            self.sky.display()
        )
    }

    /// File with the `NodeFigures`, written by the supervisor.
    pub(crate) fn figures_file(&self) -> PathBuf {
        self.folder.join("figures.json")
    }

    /// File with the list of running node processes, written by the supervisor.
    pub(crate) fn members_file(&self) -> PathBuf {
        self.folder.join("members.json")
    }

    /// Log of a daemon.
    pub(crate) fn log(&self, daemon: &str) -> PathBuf {
        self.folder.join("log").join(format!("{daemon}.log"))
    }

    /// CPU and memory of the nodes so far, as the supervisor has written them.
    pub fn figures(&self) -> Result<NodeFigures> {
        let figures = read_optional(&self.figures_file())?;
        Ok(figures.unwrap_or_default())
    }

    /// State of the daemons: ready once the supervisor, which waits for each, has written figures.
    pub(crate) fn daemons_state(&self) -> Probe<()> {
        match read_optional::<NodeFigures>(&self.figures_file()) {
            Ok(Some(NodeFigures { failure: None, .. })) => Probe::Ready(()),
            Ok(Some(NodeFigures { failure: Some(failure), .. })) => Probe::NotYet(failure),
            Ok(None) => Probe::NotYet("the supervisor is starting daemons".to_owned()),
            Err(error) => Probe::NotYet(format!("{error:#}")),
        }
    }

    /// Tears the infra down: ends all node processes and removes all files. Returns CPU and
    /// memory of the nodes, and the number of processes that the supervisor had not ended.
    pub fn tear_down(&self, workspace: &Workspace) -> Result<(NodeFigures, usize)> {
        if let Some(supervisor) = self.supervisor {
            // A supervisor that does not end in time is killed below.
            _ = signal_and_wait(supervisor, Signal::SIGTERM, ENDS_WITHIN);
        }
        let mut processes = NodeProcesses::listed(&self.id, self.account, &self.members_file());
        processes.known.extend(self.supervisor);
        let leaked = processes.end_all()?;
        // Read before the folder with them is removed.
        let figures = self.figures().unwrap_or_default();
        remove_folder(&self.folder)?;
        leaked_files::remove_unused(self.account);
        // Last, so that the next run continues if a step above fails. Absent if the supervisor has
        // removed it, as it does when its owner is gone.
        match fs::remove_file(self.file(workspace)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error)
                    .with_context(|| format!("removing the record of {}", self.name()));
            }
            _ => {}
        }
        Ok((figures, leaked))
    }
}

#[cfg(test)]
impl Record {
    pub(crate) fn for_tests() -> Self {
        Self {
            version: Version,
            id: "1".to_owned(),
            owner: None,
            supervisor: None,
            folder: "/state/nodes-1".into(),
            account: Account { uid: 59_046, gid: 59_046, is_nodes_only: true },
            ports: InfraPorts::for_tests(),
            sky: "/venv/bin/sky".into(),
            sky_version: "0.14.1".to_owned(),
            wheel_hash: Some("ab".to_owned()),
            image: Some("/state/images/1".into()),
            priority: NodePriority::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(owner: Option<ProcessIdentity>, supervisor: Option<ProcessIdentity>) -> Record {
        Record { owner, supervisor, ..Record::for_tests() }
    }

    #[test]
    fn a_persistent_cluster_is_for_one_skypilot() {
        let me = ProcessIdentity::current();
        let persistent = record(None, me);
        assert!(persistent.is_persistent());
        persistent.ensure_usable_by(Path::new("/venv/bin/sky")).unwrap();
        let error = persistent.ensure_usable_by(Path::new("/other/bin/sky"));
        let error = error.unwrap_err().to_string();
        assert!(error.contains("0.14.1") && error.ends_with("xtask infra down`"), "{error}");
    }

    #[test]
    fn a_cluster_whose_supervisor_was_killed_is_not_persistent() {
        let dead = ProcessIdentity { pid: std::process::id(), started: 1 };
        assert!(!record(None, Some(dead)).is_persistent());
        assert!(!record(None, None).is_up());
    }

    #[test]
    fn a_cluster_of_another_active_run_is_in_use() {
        let parent = ProcessIdentity::of(std::os::unix::process::parent_id());
        assert!(record(parent, None).is_in_use());
        assert!(!record(ProcessIdentity::current(), None).is_in_use());
    }

    #[test]
    fn daemons_are_ready_with_figures_that_name_no_failure() {
        let folder = tempfile::tempdir().unwrap();
        let record = Record { folder: folder.path().to_owned(), ..record(None, None) };
        assert!(matches!(record.daemons_state(), Probe::NotYet(_)));
        let mut figures =
            NodeFigures { failure: Some("moto exited".to_owned()), ..Default::default() };
        write_json(&record.figures_file(), &figures).unwrap();
        assert!(matches!(record.daemons_state(), Probe::NotYet(state) if state == "moto exited"));
        figures.failure = None;
        write_json(&record.figures_file(), &figures).unwrap();
        assert!(matches!(record.daemons_state(), Probe::Ready(())));
    }

    #[test]
    fn teardown_removes_the_folder_and_the_record() {
        let state = tempfile::tempdir().unwrap();
        let workspace = Workspace { root: "/".into(), state: state.path().to_owned() };
        let folder = state.path().join("nodes-1");
        fs::create_dir_all(folder.join("log")).unwrap();
        let account = Account { uid: 0, gid: 0, is_nodes_only: false };
        let record = Record { folder: folder.clone(), account, ..record(None, None) };
        record.write(&workspace).unwrap();
        assert!(Record::read(&workspace, LocalInfra::Loopback).unwrap().is_some());
        record.tear_down(&workspace).unwrap();
        assert!(!folder.exists());
        assert!(Record::read(&workspace, LocalInfra::Loopback).unwrap().is_none());
    }
}
