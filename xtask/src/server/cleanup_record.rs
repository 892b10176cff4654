//! Cleanup record of a run: processes and files to remove, written before they exist.
//!
//! A run that gets a SIGKILL cannot clean up. Its record, a file in the state directory,
//! names the processes and directories that belong to it. The run's profiler removes them
//! when its parent is gone; if the profiler was killed too, the next run does.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use host::progress::Progress;
use host::tools::hint;
use host::workspace::Workspace;
use serde::{Deserialize, Serialize};
use skyload::env;
use skyload::ids::ProcessIdentity;
use skyload::limits::server_group;
use skyload::record::{Document, RecordError, RunDir, Version, read_optional, write_json};

use super::processes::{Belongings, Owned};
use super::restart::Start;
use super::{Context, StopOutcome, api_servers, semaphores, ssh_sockets};

/// Cleanup record of a run: the file and its contents.
#[derive(Clone, Debug)]
pub(super) struct CleanupRecord {
    file: PathBuf,
    record: Record,
    /// Directory of named semaphores; a test has its own.
    shared_memory: PathBuf,
    /// Semaphores whose processes were looked for.
    seen: BTreeSet<PathBuf>,
}

/// Contents of the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Record {
    version: Version<2>,
    /// Process of the run, which cleans up as long as it lives.
    owner: Option<ProcessIdentity>,
    /// Whether the server was left running on request (`--keep-server`).
    kept: bool,
    /// Whether the server ran before the run, so that it must not be killed.
    is_users: bool,
    /// Start of such a server. Absent from the records of earlier builds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start: Option<Start>,
    belongings: Belongings,
    /// Semaphore files, recorded while the processes that map them still run.
    #[serde(default)]
    semaphores: BTreeSet<PathBuf>,
}

impl Document for Record {
    const KIND: &'static str = "cleanup record";
    const VERSION: u32 = 2;
}

impl CleanupRecord {
    /// Creates the record of a server that is about to be started. `directory` is used by this
    /// server alone, and is removed with it. `before` is the start of a server that ran before the
    /// run.
    pub(super) fn create(
        context: &Context<'_>,
        directory: Option<PathBuf>,
        before: Option<Start>,
    ) -> Result<Self> {
        let folder = context.workspace.custody();
        fs::create_dir_all(&folder).context("creating the directory of cleanup records")?;
        let id = context.run.id();
        let cleanup = Self {
            file: folder.join(format!("{id}.json")),
            record: Record {
                version: Version,
                owner: ProcessIdentity::current(),
                kept: false,
                is_users: before.is_some(),
                start: before,
                belongings: Belongings {
                    run: id,
                    directory,
                    known: Vec::new(),
                    groups: Vec::new(),
                },
                semaphores: BTreeSet::new(),
            },
            shared_memory: semaphores::FOLDER.into(),
            seen: BTreeSet::new(),
        };
        cleanup.write()?;
        Ok(cleanup)
    }

    /// Adds processes that belong to the server.
    pub(super) fn add(
        &mut self,
        processes: impl IntoIterator<Item = ProcessIdentity>,
    ) -> Result<()> {
        self.record.belongings.known.extend(processes);
        self.write()
    }

    /// Adds control groups that hold the server's processes, before they are made.
    pub(super) fn add_groups(&mut self, folders: Vec<PathBuf>) -> Result<()> {
        self.record.belongings.groups.extend(folders);
        self.write()
    }

    /// Records the server's semaphores, if there are new ones on this machine: a process that is
    /// killed takes with it what tells whose they are.
    pub(super) fn note_semaphores(&mut self) -> Result<()> {
        let present = semaphores::all(&self.shared_memory);
        if present.is_subset(&self.seen) {
            return Ok(());
        }
        // After the list: the creator of a semaphore maps it before its name is there.
        let found = self.record.belongings.find()?;
        let recorded = self.record.semaphores.iter().filter(|it| present.contains(*it)).cloned();
        let recorded: BTreeSet<PathBuf> =
            recorded.chain(semaphores::of(&found, &self.shared_memory)).collect();
        if recorded != self.record.semaphores {
            let record = Record { semaphores: recorded, ..self.record.clone() };
            let changed = Self { record, ..self.clone() };
            changed.write()?;
            *self = changed;
        }
        // Last: after an error, the next look is for the same ones.
        self.seen = present;
        Ok(())
    }

    /// Stops the server by `stop`, then kills and removes what is left. Leaked processes are
    /// reported only if the server `was_alive`: one that died before leaves executors anyway.
    pub(super) fn stop_and_clean_up(
        &mut self,
        was_alive: bool,
        stop: impl FnOnce() -> Result<()>,
    ) -> Result<StopOutcome> {
        // Before the stop: orphans are harder to attribute afterwards, and a semaphore can be
        // attributed only while a process maps it.
        let found = self.record.belongings.find()?;
        self.record.semaphores.extend(semaphores::of(&found, &self.shared_memory));
        // A record that cannot be written is no reason to leave the server running: the cleanup
        // below knows the processes. Only a SIGKILL until then would need the file.
        let recorded = self.add(found.into_iter().map(|owned| owned.identity));
        if let Err(error) = stop() {
            self.clean_up()?;
            recorded?;
            return Ok(StopOutcome::StopFailed(error));
        }
        let leaked_processes = self.record.belongings.find_leaked()?;
        self.clean_up()?;
        recorded?;
        Ok(match was_alive {
            true => StopOutcome::Stopped(
                leaked_processes.into_iter().map(|owned| owned.title).collect(),
            ),
            false => StopOutcome::NoStop,
        })
    }

    /// Marks the server as kept: the next run removes it.
    pub(super) fn keep(&mut self) -> Result<()> {
        self.record.kept = true;
        self.write()
    }

    /// Deletes the record, of a server that stays or is gone.
    pub(super) fn delete(&self) -> Result<()> {
        ignore_absent(fs::remove_file(&self.file)).context("removing the run's cleanup record")
    }

    /// Kills all processes of the server and removes its files. Returns the processes that
    /// were still running.
    pub(super) fn clean_up(&self) -> Result<Vec<Owned>> {
        let mut semaphores = self.record.semaphores.clone();
        let found = self.record.belongings.find()?;
        semaphores.extend(semaphores::of(&found, &self.shared_memory));
        let removed = self.record.belongings.kill()?;
        semaphores::remove(&semaphores, &self.shared_memory);
        if let Some(directory) = &self.record.belongings.directory {
            ignore_absent(fs::remove_dir_all(directory)).with_context(|| {
                format!("removing the server's directory `{}`", directory.display())
            })?;
        }
        ssh_sockets::remove(&self.record.belongings.run);
        // After the directory, which may have credentials in it.
        let groups = &self.record.belongings.groups;
        server_group::remove(groups).with_context(|| {
            let folders: Vec<_> = groups.iter().map(|it| it.display().to_string()).collect();
            format!("removing the server's control groups `{}`", folders.join("`, `"))
        })?;
        // Last, so that the next run cleans up again if a step above fails.
        self.delete()?;
        Ok(removed)
    }

    /// Ends the record of a server that ran before the run, and stays. If the run was killed while
    /// it was stopped, cleans up, and returns the start of the server, which is the user's to make.
    fn release(&self) -> Result<Option<&Start>> {
        let stopped = match &self.record.start {
            Some(start) if api_servers::main_process(start.port)?.is_none() => Some(start),
            _ => None,
        };
        match stopped {
            // Executors of a server that died, or what was just starting one.
            Some(_) => _ = self.clean_up()?,
            None => self.delete()?,
        }
        Ok(stopped)
    }

    fn write(&self) -> Result<()> {
        write_json(&self.file, &self.record).context("writing the run's cleanup record")
    }

    /// Reads a record; `None` if the file does not exist.
    fn read(file: &Path) -> Result<Option<Self>, RecordError> {
        let record = read_optional(file)?;
        let (file, shared_memory) = (file.to_owned(), semaphores::FOLDER.into());
        Ok(record.map(|record| Self { file, record, shared_memory, seen: BTreeSet::new() }))
    }
}

fn ignore_absent(result: std::io::Result<()>) -> std::io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Whether processes of a run's isolated server, or of its clients, still run. Works without a
/// cleanup record, so also for a run of another checkout.
pub(crate) fn has_processes(run: &RunDir) -> Result<bool> {
    let directory = Some(run.instance());
    let belongings = Belongings { run: run.id(), directory, known: Vec::new(), groups: Vec::new() };
    Ok(!belongings.find()?.is_empty())
}

/// Cleans up after runs that were killed, and with `kept_too` removes servers that were kept
/// by `--keep-server`.
pub(crate) fn clean_up_after_dead_runs(
    workspace: &Workspace,
    kept_too: bool,
    progress: Progress,
) -> Result<()> {
    // The first run of a state directory finds no such directory.
    let Ok(files) = fs::read_dir(workspace.custody()) else { return Ok(()) };
    for file in files.filter_map(Result::ok) {
        // A run that was killed while it wrote its record leaves a temporary file.
        if file.path().extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let cleanup = CleanupRecord::read(&file.path());
        let cleanup = cleanup.map_err(|error| unreadable(&file.path(), error))?;
        // The run itself, or another one, has cleaned up meanwhile.
        let Some(cleanup) = cleanup else { continue };
        let record = &cleanup.record;
        let is_due = match record.kept {
            true => kept_too,
            false => !record.owner.is_some_and(ProcessIdentity::is_alive),
        };
        if !is_due {
            continue;
        }
        if record.is_users {
            if let Some(start) = cleanup.release()? {
                progress.note(format!(
                    "Your API server ran before run {}, which was killed, and does not run now: \
                     start it by `{}`",
                    record.belongings.run,
                    start.command_line()
                ));
            }
            continue;
        }
        let removed = cleanup.clean_up()?;
        let why = if record.kept { "kept its server" } else { "was killed" };
        progress.note(format!(
            "Cleaned up after run {}, which {why}: {} process(es) killed",
            record.belongings.run,
            removed.len()
        ));
    }
    Ok(())
}

/// Error of a record that cannot be read, with what to do: without it, the processes of its run
/// are known by their variables alone.
fn unreadable(file: &Path, error: RecordError) -> anyhow::Error {
    let id = file.file_stem().unwrap_or_default().to_string_lossy();
    let markers = [env::SERVER_OF_RUN, env::CLIENT_OF_RUN].map(|name| format!("`{name}={id}`"));
    let hint = format!(
        "processes of that run, with {} in their environment, may still run: end them, then remove \
         `{}`",
        markers.join(" or "),
        file.display()
    );
    let error = anyhow::Error::new(error).context(format!("cleaning up after run {id}"));
    hint::with_hint(&error, &hint)
}

#[cfg(test)]
mod tests;
