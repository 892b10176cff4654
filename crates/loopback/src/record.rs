//! What is to be cleared away, written down before it exists.
//!
//! One infrastructure at a time belongs to a state directory. Its record says whose
//! it is, which SkyPilot it is for, and by what its processes are told from others.

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
use skyload::record::nodes::NodeFigures;
use skyload::record::{Document, Version, read_json_optional, read_optional, write_json};

use super::account::{Account, has_process};
use super::layout::Layout;
use super::ports::Ports;
use super::priority::NodePriority;
use super::processes::Marks;
use super::strays;

/// An infrastructure that exists, or did.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Record {
    pub(super) version: Version<2>,
    /// Tells it from others.
    pub id: String,
    /// The run that it goes with; `None` for one that stays.
    pub owner: Option<ProcessIdentity>,
    pub(super) supervisor: Option<ProcessIdentity>,
    /// Where everything of it is.
    pub folder: PathBuf,
    pub(super) account: Account,
    pub(super) ports: Ports,
    /// The SkyPilot that its nodes are for.
    pub sky: PathBuf,
    /// The version of that.
    pub sky_version: String,
    pub(super) wheel_hash: String,
    pub(super) image: PathBuf,
    /// The priority of its processes.
    #[serde(default)]
    pub(super) priority: NodePriority,
}

impl Document for Record {
    const KIND: &'static str = "record of an infrastructure";
    const VERSION: u32 = 2;
}

/// The supervisor ends everything in good order within this.
const ENDS_WITHIN: Duration = Duration::from_secs(30);

impl Record {
    pub(super) fn file(workspace: &Workspace) -> PathBuf {
        workspace.state.join("infrastructure.json")
    }

    /// The one of this state directory, if there is one.
    pub fn read(workspace: &Workspace) -> Result<Option<Self>> {
        Ok(read_optional(&Self::file(workspace))?)
    }

    pub(super) fn write(&self, workspace: &Workspace) -> Result<()> {
        write_json(&Self::file(workspace), self).context("noting the infrastructure")
    }

    pub(super) fn layout(&self) -> Layout {
        Layout::new(self.folder.clone())
    }

    /// Whether its nodes are there.
    pub fn is_up(&self) -> bool {
        self.supervisor.is_some_and(ProcessIdentity::is_alive)
    }

    /// Whether another run is using it.
    pub fn is_in_use(&self) -> bool {
        self.owner.is_some_and(ProcessIdentity::is_alive)
            && self.owner != ProcessIdentity::current()
    }

    /// Whether it is up and stays so.
    pub(super) fn is_kept(&self) -> bool {
        self.owner.is_none() && self.is_up()
    }

    /// Refuses it to a second run, and to another SkyPilot than it is for.
    pub(super) fn ensure_free_for(&self, sky: &Path) -> Result<()> {
        ensure!(
            !self.is_in_use(),
            "another run is using an infrastructure here\n  hint: wait for it, or use another \
             SKYLOAD_STATE_DIR"
        );
        ensure!(self.sky == sky, self.of_another_sky());
        Ok(())
    }

    /// What to say to another SkyPilot.
    pub(super) fn of_another_sky(&self) -> String {
        format!(
            "the infrastructure that is up is for SkyPilot {} as it was in `{}`\n  hint: `cargo \
             xtask infra down`",
            self.sky_version,
            self.sky.display()
        )
    }

    /// What its nodes have used so far.
    pub fn figures(&self) -> Result<NodeFigures> {
        let figures = read_optional(&self.layout().figures())?;
        Ok(figures.unwrap_or_default())
    }

    /// Ends all of it and removes everything. Returns what it had cost, and how many
    /// processes its supervisor had not ended.
    pub fn clear(&self, workspace: &Workspace) -> Result<(NodeFigures, usize)> {
        if let Some(supervisor) = self.supervisor {
            // Should it not end, it is one of those that are ended below.
            _ = signal_and_wait(supervisor, Signal::SIGTERM, ENDS_WITHIN);
        }
        let members = read_json_optional(&self.layout().members(), "list of node processes");
        let mut known: Vec<ProcessIdentity> = members.ok().flatten().unwrap_or_default();
        known.extend(self.supervisor);
        let marks = Marks { id: &self.id, account: self.account, known };
        let left = marks.end_all()?;
        let figures = self.figures().unwrap_or_default();
        remove_folder(&self.folder)?;
        // A process of the user that could not be ended may be another infrastructure's.
        if !has_process(self.account.uid) {
            strays::remove(self.account, &strays::SHARED_FOLDERS);
        }
        match fs::remove_file(Self::file(workspace)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).context("removing the infrastructure's record");
            }
            _ => {}
        }
        Ok((figures, left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(owner: Option<ProcessIdentity>, supervisor: Option<ProcessIdentity>) -> Record {
        Record {
            version: Version,
            id: "1".to_owned(),
            owner,
            supervisor,
            folder: "/state/nodes-1".into(),
            account: Account { uid: 59_046, gid: 59_046, is_nodes_only: true },
            ports: Ports { ssh: 1, slurmctld: 2, slurmd: 3, skylets: 4 },
            sky: "/venv/bin/sky".into(),
            sky_version: "0.14.1".to_owned(),
            wheel_hash: "ab".to_owned(),
            image: "/state/images/1".into(),
            priority: NodePriority::default(),
        }
    }

    #[test]
    fn a_kept_infrastructure_is_for_one_skypilot() {
        let me = ProcessIdentity::current();
        let kept = record(None, me);
        assert!(kept.is_kept());
        kept.ensure_free_for(Path::new("/venv/bin/sky")).unwrap();
        let error = kept.ensure_free_for(Path::new("/other/bin/sky")).unwrap_err().to_string();
        assert!(error.contains("0.14.1") && error.ends_with("xtask infra down`"), "{error}");
    }

    #[test]
    fn one_whose_supervisor_was_killed_is_not_kept() {
        let dead = ProcessIdentity { pid: std::process::id(), started: 1 };
        assert!(!record(None, Some(dead)).is_kept());
        assert!(!record(None, None).is_up());
    }

    #[test]
    fn one_of_another_living_run_is_in_use() {
        let parent = ProcessIdentity::of(std::os::unix::process::parent_id());
        assert!(record(parent, None).is_in_use());
        assert!(!record(ProcessIdentity::current(), None).is_in_use());
    }

    #[test]
    fn clearing_away_leaves_neither_folder_nor_record() {
        let state = tempfile::tempdir().unwrap();
        let workspace = Workspace { root: "/".into(), state: state.path().to_owned() };
        let folder = state.path().join("nodes-1");
        fs::create_dir_all(folder.join("log")).unwrap();
        let account = Account { uid: 0, gid: 0, is_nodes_only: false };
        let record = Record { folder: folder.clone(), account, ..record(None, None) };
        record.write(&workspace).unwrap();
        assert!(Record::read(&workspace).unwrap().is_some());
        record.clear(&workspace).unwrap();
        assert!(!folder.exists());
        assert!(Record::read(&workspace).unwrap().is_none());
    }
}
