//! What a run has yet to clear away, written down before it exists.
//!
//! A run that is killed outright can't clean up. Its custody file, in the state
//! directory, says which processes and directories are its; the run's own profiler
//! clears them away when it finds its parent gone, and the next run does where that
//! was killed, too.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use host::progress::Progress;
use host::workspace::Workspace;
use serde::{Deserialize, Serialize};
use skyload::ids::ProcessIdentity;
use skyload::record::{Document, RunDir, Version, read, write_json};

use super::processes::{Belongings, Owned};
use super::{Context, Farewell, semaphores, ssh_sockets};

/// A run's custody: the file, and what stands in it.
#[derive(Clone, Debug)]
pub(super) struct Custody {
    file: PathBuf,
    record: Record,
    /// Where semaphores are.
    shared_memory: PathBuf,
}

/// What a run has yet to clear away.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Record {
    version: Version<2>,
    /// The process that looks after it, as long as that lives.
    owner: Option<ProcessIdentity>,
    /// Left running on purpose (`--keep-server`).
    kept: bool,
    /// The server was there before the run and stays when the run is gone.
    is_users: bool,
    belongings: Belongings,
    /// Files of semaphores whose processes may be gone by now.
    #[serde(default)]
    semaphores: BTreeSet<PathBuf>,
}

impl Document for Record {
    const KIND: &'static str = "custody file";
    const VERSION: u32 = 2;
}

impl Custody {
    /// Takes a server into custody that is about to be started. `directory` is the
    /// one that only this server uses.
    pub(super) fn take(
        context: &Context<'_>,
        directory: Option<PathBuf>,
        is_users: bool,
    ) -> Result<Self> {
        let folder = context.workspace.custody();
        fs::create_dir_all(&folder).context("creating the folder of custody files")?;
        let id = context.run.id();
        let custody = Self {
            file: folder.join(format!("{id}.json")),
            record: Record {
                version: Version,
                owner: ProcessIdentity::current(),
                kept: false,
                is_users,
                belongings: Belongings { run: id, directory, known: Vec::new() },
                semaphores: BTreeSet::new(),
            },
            shared_memory: semaphores::FOLDER.into(),
        };
        custody.write()?;
        Ok(custody)
    }

    /// Notes processes that belong to the server.
    pub(super) fn add(
        &mut self,
        processes: impl IntoIterator<Item = ProcessIdentity>,
    ) -> Result<()> {
        self.record.belongings.known.extend(processes);
        self.write()
    }

    /// Has the server stopped as its users do, then clears away what that left. When the
    /// server had died before, it is no surprise that there was something; a stop that
    /// failed is told, and everything is cleared away all the same.
    pub(super) fn stop_and_clear(
        &mut self,
        was_alive: bool,
        stop: impl FnOnce() -> Result<()>,
    ) -> Result<Farewell> {
        // Once it is told to stop, its orphans may be hard to tell, and its semaphores are.
        let found = self.record.belongings.find()?;
        self.record.semaphores.extend(semaphores::of(&found, &self.shared_memory));
        self.add(found.into_iter().map(|owned| owned.identity))?;
        if let Err(error) = stop() {
            self.clear()?;
            return Ok(Farewell::NotStopped(error));
        }
        let leaked_processes = self.record.belongings.find_lasting()?;
        self.clear()?;
        Ok(match was_alive {
            true => {
                Farewell::Stopped(leaked_processes.into_iter().map(|owned| owned.title).collect())
            }
            false => Farewell::Otherwise,
        })
    }

    /// Leaves everything as it is, for the next run to find.
    pub(super) fn keep(&mut self) -> Result<()> {
        self.record.kept = true;
        self.write()
    }

    /// Gives up custody of a server that stays.
    pub(super) fn release(&self) -> Result<()> {
        unless_absent(fs::remove_file(&self.file)).context("removing the run's custody file")
    }

    /// Clears everything away. Returns the processes that were still there.
    pub(super) fn clear(&self) -> Result<Vec<Owned>> {
        let mut semaphores = self.record.semaphores.clone();
        let found = self.record.belongings.find()?;
        semaphores.extend(semaphores::of(&found, &self.shared_memory));
        let removed = self.record.belongings.remove()?;
        semaphores::remove(&semaphores);
        if let Some(directory) = &self.record.belongings.directory {
            unless_absent(fs::remove_dir_all(directory)).with_context(|| {
                format!("removing the server's directory `{}`", directory.display())
            })?;
        }
        ssh_sockets::remove(&self.record.belongings.run);
        self.release()?;
        Ok(removed)
    }

    fn write(&self) -> Result<()> {
        write_json(&self.file, &self.record).context("noting what is to be cleared away")
    }

    fn read(file: &Path) -> Result<Self> {
        let record = read(file)?;
        Ok(Self { file: file.to_owned(), record, shared_memory: semaphores::FOLDER.into() })
    }
}

fn unless_absent(result: std::io::Result<()>) -> std::io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Whether processes of a run's own server, or of its clients, are still there: also those
/// of a run of another checkout, whose custody file is out of sight.
pub(crate) fn has_processes(run: &RunDir) -> Result<bool> {
    let directory = Some(run.instance());
    Ok(!Belongings { run: run.id(), directory, known: Vec::new() }.find()?.is_empty())
}

/// Clears away what runs left that were killed. A server that was kept on purpose
/// is cleared away too if `kept_too`.
pub(crate) fn clean_up_after_dead_runs(
    workspace: &Workspace,
    kept_too: bool,
    progress: Progress,
) -> Result<()> {
    let Ok(files) = fs::read_dir(workspace.custody()) else { return Ok(()) };
    for file in files.filter_map(Result::ok) {
        let custody = Custody::read(&file.path())?;
        let record = &custody.record;
        let is_due = match record.kept {
            true => kept_too,
            false => !record.owner.is_some_and(ProcessIdentity::is_alive),
        };
        if !is_due {
            continue;
        }
        if record.is_users {
            custody.release()?;
            continue;
        }
        let removed = custody.clear()?;
        let why = if record.kept { "kept its server" } else { "was killed" };
        progress.note(format!(
            "Cleaned up after run {}, which {why}: {} process(es) ended",
            record.belongings.run,
            removed.len()
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::process::Child;

    use rstest::rstest;
    use skyload::ids::RunId;

    use super::semaphores::testing::mapping;
    use super::*;

    /// Custody of a process that has a semaphore mapped, both in this folder.
    fn custody(folder: &Path) -> (Custody, PathBuf, Child) {
        let semaphore = folder.join("sem.mp-a1b2");
        let server = mapping(&semaphore);
        let known = ProcessIdentity::of(server.id()).into_iter().collect();
        let custody = Custody {
            file: folder.join("run.json"),
            record: Record {
                version: Version,
                owner: None,
                kept: false,
                is_users: false,
                belongings: Belongings { run: RunId::generate(), directory: None, known },
                semaphores: BTreeSet::new(),
            },
            shared_memory: folder.to_owned(),
        };
        (custody, semaphore, server)
    }

    #[rstest]
    #[case::a_server_that_is_stopped(true)]
    #[case::a_server_that_is_cleared_away(false)]
    fn no_semaphore_is_left_of(#[case] is_stopped: bool) {
        let folder = tempfile::tempdir().unwrap();
        let (mut custody, semaphore, mut server) = custody(&folder.path().canonicalize().unwrap());
        if is_stopped {
            let stop = || {
                server.kill()?;
                server.wait().map(drop).map_err(Into::into)
            };
            custody.stop_and_clear(true, stop).unwrap();
        } else {
            // Its parent has to wait for it, or it stays a zombie, and to keep its input, or
            // it ends by itself.
            let input = server.stdin.take();
            let reaper = std::thread::spawn(move || server.wait());
            custody.clear().unwrap();
            reaper.join().unwrap().unwrap();
            drop(input);
        }
        assert!(!semaphore.exists());
    }
}
