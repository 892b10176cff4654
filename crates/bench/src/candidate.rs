//! Candidates: skyload's profiler at each level that is available here, and other tools.

use std::fmt;
use std::io::{Cursor, sink};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use skyload::ids::ProcessIdentity;
use skyload::profiler::protocol::{self, Command as ProfilerCommand};
use skyload::profiler::{self, DEFAULT_INTERVAL, LevelChoice, ProfilerOptions};
use skyload::record::profile::{ProfileLine, ProfilerLevel};
use skyload::record::read_log;
use skyload::units;

/// Sampling interval of upstream's script.
const PSUTIL_INTERVAL: Duration = Duration::from_millis(200);

/// Profiler that is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Candidate {
    pub(crate) kind: Kind,
    /// Configured sampling interval.
    #[serde(with = "units::duration")]
    pub(crate) interval: Duration,
}

/// Kind of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// Skyload's profiler.
    Skyload {
        /// Requested level.
        asked: LevelChoice,
        /// Level in force, from the header of the profile.
        level: ProfilerLevel,
        /// Whether the profiler gets fork, exec and exit events from the kernel.
        kernel_events: bool,
    },
    /// Loop over psutil, like upstream's script.
    Psutil,
    /// Loop over sysinfo.
    Sysinfo,
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Psutil => f.pad("psutil loop"),
            Kind::Sysinfo => f.pad("sysinfo loop"),
            Kind::Skyload { .. } => f.pad(&format!("skyload: {}", self.how())),
        }
    }
}

const fn level_name(level: ProfilerLevel) -> &'static str {
    match level {
        ProfilerLevel::ExitRecords => "exit records",
        ProfilerLevel::HighWaterMark => "high-water marks",
        ProfilerLevel::HighWaterMarkOfAnother => "high-water marks of another user",
        ProfilerLevel::SampledRss => "sampled RSS",
    }
}

/// Candidates, beginning with skyload's profiler at its best level, and its unavailable
/// levels with the reasons.
#[derive(Clone, Debug)]
pub(crate) struct Candidates {
    pub(crate) all: Vec<Candidate>,
    pub(crate) unavailable: Vec<String>,
}

impl Candidates {
    /// Finds the available levels by running the profiler once with each, on the tree of
    /// `root`.
    pub(crate) fn find(root: ProcessIdentity) -> Result<Self> {
        let best = try_level(root, LevelChoice::Best)
            .context("trying the profiler's best level")?
            .map_err(|reason| anyhow::anyhow!("the profiler does not run here: {reason}"))?;
        let mut candidates = Self { all: vec![best], unavailable: Vec::new() };
        let (exit, peaks, rss) =
            (LevelChoice::ExitRecords, LevelChoice::HighWaterMark, LevelChoice::Sampled);
        for (choice, name) in
            [(exit, "exit records"), (peaks, "high-water marks"), (rss, "sampled RSS")]
        {
            let tried = try_level(root, choice)
                .with_context(|| format!("trying the profiler's level `{name}`"))?;
            match tried {
                Err(reason) => {
                    candidates.unavailable.push(format!("{name}: not available here ({reason})"))
                }
                Ok(other) if !other.is_at(choice) => {
                    candidates
                        .unavailable
                        .push(format!("{name}: requested, but the profiler used {}", other.how()));
                }
                Ok(available) => candidates.add(available),
            }
        }
        candidates.all.push(Candidate { kind: Kind::Psutil, interval: PSUTIL_INTERVAL });
        candidates.all.push(Candidate { kind: Kind::Sysinfo, interval: DEFAULT_INTERVAL });
        Ok(candidates)
    }

    /// Adds a level, unless it is the best one, which is already a candidate.
    fn add(&mut self, available: Candidate) {
        let name = available.to_string();
        if self.all.iter().all(|other| other.to_string() != name) {
            self.all.push(available);
        }
    }
}

impl Candidate {
    /// Method by which the candidate measures.
    fn how(&self) -> String {
        match self.kind {
            Kind::Skyload { level, kernel_events: true, .. } => {
                format!("{} + kernel events", level_name(level))
            }
            Kind::Skyload { level, .. } => level_name(level).to_owned(),
            Kind::Psutil | Kind::Sysinfo => level_name(ProfilerLevel::SampledRss).to_owned(),
        }
    }

    fn is_at(&self, choice: LevelChoice) -> bool {
        let Kind::Skyload { level, .. } = self.kind else { return false };
        match choice {
            LevelChoice::Best => true,
            LevelChoice::ExitRecords => level == ProfilerLevel::ExitRecords,
            LevelChoice::HighWaterMark => {
                matches!(
                    level,
                    ProfilerLevel::HighWaterMark | ProfilerLevel::HighWaterMarkOfAnother
                )
            }
            LevelChoice::Sampled => level == ProfilerLevel::SampledRss,
        }
    }
}

/// Runs the profiler in this process just long enough for a header, and returns the candidate
/// that the header describes. The inner error is the reason why the level is unavailable.
fn try_level(root: ProcessIdentity, choice: LevelChoice) -> Result<Result<Candidate, String>> {
    let folder = tempfile::tempdir().context("creating a directory for a profile")?;
    let samples = folder.path().join("samples.jsonl");
    let options = ProfilerOptions {
        level: choice,
        ..ProfilerOptions::new(root, samples.clone(), folder.path().join("processes.json"))
    };
    let mut commands = Vec::new();
    protocol::send(&mut commands, &ProfilerCommand::Finish).context("writing a command")?;
    if let Err(error) = profiler::run(&options, Cursor::new(commands), sink()) {
        return Ok(Err(format!("{:#}", anyhow::Error::from(error))));
    }
    let lines = read_log(&samples)?.values;
    let Some(ProfileLine::Header(header)) = lines.into_iter().next() else {
        anyhow::bail!("the profile has no header");
    };
    let (level, kernel_events) = (header.level, header.kernel_events);
    let kind = Kind::Skyload { asked: choice, level, kernel_events };
    Ok(Ok(Candidate { kind, interval: DEFAULT_INTERVAL }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skyload_at(asked: LevelChoice, level: ProfilerLevel) -> Candidate {
        let kind = Kind::Skyload { asked, level, kernel_events: false };
        Candidate { kind, interval: DEFAULT_INTERVAL }
    }

    #[test]
    fn the_best_level_is_not_measured_twice() {
        let best = skyload_at(LevelChoice::Best, ProfilerLevel::HighWaterMark);
        let mut candidates = Candidates { all: vec![best], unavailable: Vec::new() };
        candidates.add(skyload_at(LevelChoice::HighWaterMark, ProfilerLevel::HighWaterMark));
        assert_eq!(candidates.all.len(), 1);
        candidates.add(skyload_at(LevelChoice::Sampled, ProfilerLevel::SampledRss));
        assert_eq!(candidates.all[1].to_string(), "skyload: sampled RSS");
    }

    #[test]
    fn the_header_decides_whether_a_level_is_available() {
        let (asked, level) = (LevelChoice::ExitRecords, ProfilerLevel::HighWaterMark);
        assert!(!skyload_at(asked, level).is_at(asked));
        assert!(skyload_at(asked, ProfilerLevel::ExitRecords).is_at(asked));
        let another = ProfilerLevel::HighWaterMarkOfAnother;
        assert!(skyload_at(asked, another).is_at(LevelChoice::HighWaterMark));
    }

    #[test]
    fn the_candidates_begin_with_the_best_level_and_include_the_other_tools() {
        let root = ProcessIdentity::current().unwrap();
        let candidates = Candidates::find(root).unwrap();
        let asked = |candidate: &Candidate| match candidate.kind {
            Kind::Skyload { asked, .. } => Some(asked),
            Kind::Psutil | Kind::Sysinfo => None,
        };
        assert_eq!(asked(&candidates.all[0]), Some(LevelChoice::Best));
        let others = candidates.all.iter().filter(|candidate| asked(candidate).is_none());
        assert_eq!(others.count(), 2);
    }
}
