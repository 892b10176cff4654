//! The run directory: where all parts of a run meet.
//!
//! The one place that knows file names. Files are either written whole (to a
//! temporary file beside, then renamed) or grow line by line, so that whatever
//! a crash leaves can still be read. `cargo xtask report RUN` rebuilds a report
//! from nothing but this directory.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};

use super::{ProfileFiles, RecordError};
use crate::ids::RunId;
use crate::scenario::{Group, ScenarioId};

/// The format that this build writes and reads.
pub const FORMAT_VERSION: u32 = 2;

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

    /// What was found: one `Environment`.
    pub fn environment(&self) -> PathBuf {
        self.path.join("environment.json")
    }

    /// When what happened: one `LoggedEvent` a line.
    pub fn events(&self) -> PathBuf {
        self.path.join("events.jsonl")
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
        self.path.join("resources.json")
    }

    /// What the nodes of the loopback infrastructure cost: one `NodeFigures`.
    pub fn nodes(&self) -> PathBuf {
        self.path.join("nodes.json")
    }

    /// Where scenarios wait for one another.
    pub fn barrier(&self) -> PathBuf {
        self.path.join("barrier")
    }

    /// Says that it is a family's turn to be loaded.
    pub fn turn(&self, family: Group) -> PathBuf {
        self.barrier().join(format!("turn-{}", family.name()))
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

/// Creates a directory that its owner alone can read.
pub(super) fn create_private(path: &Path, act: &'static str) -> Result<(), RecordError> {
    let io = |act| move |source| RecordError::Io { act, path: path.to_owned(), source };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(io("create the directory above"))?;
    }
    fs::DirBuilder::new().mode(0o700).create(path).map_err(io(act))
}

pub(super) fn open(path: &Path, act: &'static str) -> Result<PathBuf, RecordError> {
    path.canonicalize().map_err(|source| RecordError::Io { act, path: path.to_owned(), source })
}

pub(super) fn link_latest(path: &Path) -> Result<bool, RecordError> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(false);
    };
    let (link, fresh) = (parent.join("latest"), parent.join(".latest.new"));
    if link.symlink_metadata().is_ok() && !leads_to_run(&link) {
        return Ok(false);
    }
    let io = |source| RecordError::Io { act: "renew the link", path: link.clone(), source };
    _ = fs::remove_file(&fresh);
    symlink(name, &fresh).map_err(io)?;
    fs::rename(&fresh, &link).map_err(io)?;
    Ok(true)
}

/// Whether this is a link as [`RunDir::link_latest`] makes it: to the directory of a run or
/// a profile beside it, be that still there or not.
pub fn leads_to_run(link: &Path) -> bool {
    fs::read_link(link).is_ok_and(|target| {
        target.components().count() == 1 && RunId::of_directory(&target).began().is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latest_follows_runs_and_leaves_alone_what_is_somebody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("latest");
        let run = |id: &str| RunDir::create(&folder.path().join(id)).unwrap();
        let (first, second) = (run("20261123-080000-00aa"), run("20261124-080000-00bb"));
        assert!(first.link_latest().unwrap() && second.link_latest().unwrap());
        assert_eq!(fs::read_link(&link).unwrap(), Path::new("20261124-080000-00bb"));

        for target in ["/elsewhere/20261124-080000-00bb", "holiday"] {
            fs::remove_file(&link).unwrap();
            symlink(target, &link).unwrap();
            assert!(!first.link_latest().unwrap());
            assert_eq!(fs::read_link(&link).unwrap(), Path::new(target));
        }
        fs::remove_file(&link).unwrap();
        fs::write(&link, "news").unwrap();
        assert!(!first.link_latest().unwrap());
        assert_eq!(fs::read_to_string(&link).unwrap(), "news");
    }
}
