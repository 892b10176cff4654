//! Follower of a run: reads what is added to the run's files.

use std::fs;

use super::LiveState;
use super::profile::TableFile;
use crate::record::environment::Environment;
use crate::record::events::EventLine;
use crate::record::profile::ProfileLine;
use crate::record::{LogTail, RecordError, RunDir, read, read_json};

/// Follower of a run. Scenarios write their progress for as long as it exists.
#[derive(Debug)]
pub struct Follower {
    run: RunDir,
    state: LiveState,
    events: LogTail<EventLine>,
    profile: LogTail<ProfileLine>,
    has_environment: bool,
    table: TableFile,
}

impl Follower {
    /// Follows a run that has its plan, and makes its scenarios write their progress.
    pub fn begin(run: RunDir) -> Result<Self, RecordError> {
        let folder = run.progress();
        fs::create_dir(&folder).map_err(|source| RecordError::Io {
            act: "create the directory of progress at",
            path: folder,
            source,
        })?;
        let state = LiveState::new(run.id(), read(&run.plan())?, run.read_facts()?);
        let (events, profile) = (LogTail::new(run.events()), LogTail::new(run.samples()));
        let table = TableFile::new(run.processes());
        Ok(Self { run, state, events, profile, has_environment: false, table })
    }

    /// Reads what was added. What cannot be read stays as it was: the page is no part of the run,
    /// whose report says what is missing.
    pub fn read_new(&mut self) {
        if !self.has_environment
            && let Ok(environment) = read::<Environment>(&self.run.environment())
        {
            self.has_environment = true;
            self.state.set_environment(&environment);
        }
        for line in self.events.read_new().unwrap_or_default() {
            if let EventLine::Event(event) = line {
                self.state.add_event(&event);
            }
        }
        // Before the profile, whose readings name processes of the table.
        if let Some(table) = self.table.read_new() {
            self.state.set_processes(&table);
        }
        for line in self.profile.read_new().unwrap_or_default() {
            self.state.add_profile_line(&line);
        }
        for scenario in self.state.running_scenarios() {
            // First: the last progress is written before the outcome, and has to be read.
            let is_done = self.run.outcome(scenario).exists();
            let path = self.run.scenario_progress(scenario);
            if let Ok(progress) = read_json(&path, "progress of a scenario") {
                self.state.set_progress(scenario, progress);
            }
            if is_done {
                self.state.set_done(scenario);
            }
        }
    }

    /// State of the run as read so far.
    pub const fn state(&self) -> &LiveState {
        &self.state
    }

    /// State of the run, to add what is in no file.
    pub const fn state_mut(&mut self) -> &mut LiveState {
        &mut self.state
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        // What a killed scenario has left there, too.
        _ = fs::remove_dir_all(self.run.progress());
    }
}
