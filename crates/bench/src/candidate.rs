//! What is measured: our profiler at each level that this machine grants, and what
//! else one could take.

use std::fmt;
use std::io::{Cursor, sink};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use skyload::ids::ProcessIdentity;
use skyload::profiler::protocol::{self, Command as Order};
use skyload::profiler::{self, DEFAULT_INTERVAL, LevelChoice, ProfilerOptions};
use skyload::record::profile::{ProfileLine, ProfilerLevel};
use skyload::record::read_log;
use skyload::units;

/// The original tool's distance between two ticks.
const PSUTIL_INTERVAL: Duration = Duration::from_millis(200);

/// A profiler that is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Candidate {
    pub(crate) kind: Kind,
    /// The distance between two ticks that it is given.
    #[serde(with = "units::duration")]
    pub(crate) interval: Duration,
}

/// What it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// Our profiler.
    Skyload {
        /// What it was asked for.
        asked: LevelChoice,
        /// What it does, by its own word.
        level: ProfilerLevel,
        /// Whether the kernel tells it of each fork and exit.
        kernel_events: bool,
    },
    /// The original tool's loop.
    Psutil,
    /// A loop over sysinfo.
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

/// All profilers that are measured, ours at its best first; and which of its levels are not,
/// with the reason.
#[derive(Clone, Debug)]
pub(crate) struct Candidates {
    pub(crate) all: Vec<Candidate>,
    pub(crate) not_granted: Vec<String>,
}

impl Candidates {
    /// Asks the profiler for each level once, on the tree of `root`.
    pub(crate) fn find(root: ProcessIdentity) -> Result<Self> {
        let best = ask(root, LevelChoice::Best)
            .context("asking the profiler for its best level")?
            .map_err(|refusal| anyhow::anyhow!("the profiler refuses to work: {refusal}"))?;
        let mut candidates = Self { all: vec![best], not_granted: Vec::new() };
        let (exit, marks, rss) =
            (LevelChoice::ExitRecords, LevelChoice::HighWaterMark, LevelChoice::Sampled);
        for (choice, name) in
            [(exit, "exit records"), (marks, "high-water marks"), (rss, "sampled RSS")]
        {
            match ask(root, choice).with_context(|| format!("asking the profiler for {name}"))? {
                Err(refusal) => {
                    candidates.not_granted.push(format!("{name}: not granted here ({refusal})"))
                }
                Ok(other) if !other.is_at(choice) => {
                    candidates
                        .not_granted
                        .push(format!("{name}: asked for, and given {}", other.how()));
                }
                Ok(granted) => candidates.add(granted),
            }
        }
        let (marks, original) = (DEFAULT_INTERVAL, PSUTIL_INTERVAL);
        candidates.all.push(Candidate { kind: Kind::Psutil, interval: original });
        candidates.all.push(Candidate { kind: Kind::Sysinfo, interval: marks });
        Ok(candidates)
    }

    /// A level that was asked for by name may be the best one, which is there.
    fn add(&mut self, granted: Candidate) {
        let name = granted.to_string();
        if self.all.iter().all(|other| other.to_string() != name) {
            self.all.push(granted);
        }
    }
}

impl Candidate {
    /// How it comes by its figures.
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

/// Has a profile of a moment taken in this process, and reads what its header says;
/// the inner result is the profiler's refusal.
fn ask(root: ProcessIdentity, choice: LevelChoice) -> Result<Result<Candidate, String>> {
    let folder = tempfile::tempdir().context("making a folder for a profile")?;
    let samples = folder.path().join("samples.jsonl");
    let options = ProfilerOptions {
        level: choice,
        ..ProfilerOptions::new(root, samples.clone(), folder.path().join("processes.json"))
    };
    let mut orders = Vec::new();
    protocol::send(&mut orders, &Order::Finish).context("writing an order")?;
    if let Err(refusal) = profiler::run(&options, Cursor::new(orders), sink()) {
        return Ok(Err(format!("{:#}", anyhow::Error::from(refusal))));
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

    fn ours(asked: LevelChoice, level: ProfilerLevel) -> Candidate {
        let kind = Kind::Skyload { asked, level, kernel_events: false };
        Candidate { kind, interval: DEFAULT_INTERVAL }
    }

    #[test]
    fn a_level_that_is_the_best_anyway_is_not_measured_twice() {
        let best = ours(LevelChoice::Best, ProfilerLevel::HighWaterMark);
        let mut candidates = Candidates { all: vec![best], not_granted: Vec::new() };
        candidates.add(ours(LevelChoice::HighWaterMark, ProfilerLevel::HighWaterMark));
        assert_eq!(candidates.all.len(), 1);
        candidates.add(ours(LevelChoice::Sampled, ProfilerLevel::SampledRss));
        assert_eq!(candidates.all[1].to_string(), "skyload: sampled RSS");
    }

    #[test]
    fn a_level_counts_as_granted_when_the_header_says_so() {
        let (asked, level) = (LevelChoice::ExitRecords, ProfilerLevel::HighWaterMark);
        assert!(!ours(asked, level).is_at(asked));
        assert!(ours(asked, ProfilerLevel::ExitRecords).is_at(asked));
        let another = ProfilerLevel::HighWaterMarkOfAnother;
        assert!(ours(asked, another).is_at(LevelChoice::HighWaterMark));
    }

    #[test]
    fn the_candidates_begin_with_our_best_and_hold_the_other_tools() {
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
