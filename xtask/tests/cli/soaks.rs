//! Loads that look for a leak. An interval takes minutes, so the files of a load of some seconds
//! are made those of one that took 400 times as long.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::Context as _;
use predicates::prelude::predicate;
use skyload::analysis::{Evidence, Verdict};
use skyload::clock::Timestamp;
use skyload::ids::ProcessIdentity;
use skyload::record::events::{Event, EventLog};
use skyload::record::profile::{Phase, ProcessReading, ProfileLine, Readings, Sample, Wrote};
use skyload::record::{JsonLines, RunDir, write_json};
use skyload::units::ByteSize;

use crate::support::Site;

/// Factor by which a load is made longer: 3 s become 20 minutes.
const FACTOR: u32 = 400;

#[test]
fn a_leak_is_over_its_budget_once_the_load_is_long_enough() -> anyhow::Result<()> {
    let site = Site::new()?;
    let budget = "short-executor growth-rate=5MiB/h";
    let load = ["--api", "status", "--rate", "4/s", "--for", "3s", "--budget", budget];
    let run = site.load(load).fake("LEAK_KIB", 1024).run()?;
    run.assert()
        .code(i32::from(Verdict::Inconclusive.exit_code()))
        .stdout(predicate::str::contains("too short for an interval; needs --for 9m"));
    let run = run.run_dir()?;
    let recorded = Evidence::read(run)?;
    let judged = |leaks: bool, verdict: Verdict, text: &str| -> anyhow::Result<()> {
        write_longer(run, recorded.clone(), leaks)?;
        let report = site.xtask(["report", &run.path().display().to_string()]).run()?;
        let code = i32::from(verdict.exit_code());
        report.assert().code(code).stdout(predicate::str::contains(text));
        Ok(())
    };
    judged(true, Verdict::OverBudget, "OVER BUDGET: short-executor grows by ")?;
    judged(false, Verdict::Pass, "VERDICT: PASS")
}

/// Replaces the files of a run by those of one whose load was longer by [`FACTOR`], with executors
/// that grow as they did, or not.
fn write_longer(run: &RunDir, mut recorded: Evidence, leaks: bool) -> anyhow::Result<()> {
    let began = |phase| {
        let is_phase = |event: &Event| matches!(event, Event::PhaseBegan(of) if *of == phase);
        let found = recorded.events.iter().find(|event| is_phase(&event.event));
        found.map(|event| event.at).context("the run had all phases")
    };
    let load = Load { began: began(Phase::Load)?, ended: began(Phase::Cooldown)? };
    fs::remove_file(run.events())?;
    let mut events = EventLog::begin(run)?;
    for mut event in recorded.events {
        event.at = load.longer(event.at);
        events.note(event)?;
    }
    let table = recorded.processes.as_mut().context("the run has a process table")?;
    let mut rss: BTreeMap<ProcessIdentity, ByteSize> = BTreeMap::new();
    let (mut lines, mut samples) = (Vec::new(), 0);
    let mut before: Option<Sample> = None;
    for line in recorded.profile {
        match line {
            ProfileLine::Sample(sample) => {
                // Samples of the time until this one, a second apart, and readings every ten.
                let until = load.longer(sample.at);
                let mut at = before.as_ref().map_or(until, |before| load.longer(before.at));
                let before = before.replace(sample);
                while at < until {
                    let sample = before.clone().context("a sample was before")?;
                    lines.push(ProfileLine::Sample(Sample { at, ..sample }));
                    if samples % 10 == 0 {
                        let processes = rss.iter().map(reading).collect();
                        let readings = Readings { at, processes, ..Readings::default() };
                        lines.push(ProfileLine::Readings(readings));
                    }
                    samples += 1;
                    at = at.plus(Duration::from_secs(1));
                }
            }
            ProfileLine::Executor(reading) => {
                let rss = rss.entry(reading.process).or_insert(reading.memory.rss);
                if leaks {
                    *rss = reading.memory.rss;
                }
            }
            ProfileLine::Footer { at, .. } => {
                let processes = u64::try_from(table.processes.len())?;
                let wrote = Some(Wrote { lines: u64::try_from(lines.len())?, processes });
                lines.push(ProfileLine::Footer { at: load.longer(at), wrote });
            }
            ProfileLine::Snapshot(mut snapshot) => {
                snapshot.at = load.longer(snapshot.at);
                snapshot.until = load.longer(snapshot.until);
                lines.push(ProfileLine::Snapshot(snapshot));
            }
            ProfileLine::Readings(_) => {}
            line => lines.push(line),
        }
    }
    fs::remove_file(run.samples())?;
    let mut file = JsonLines::append_to(&run.samples())?;
    lines.iter().try_for_each(|line| file.push(line))?;
    file.flush()?;
    (table.profiler.samples, table.profiler.missed_samples) = (samples, 0);
    for record in &mut table.processes {
        record.last_read = record.last_read.map(|at| load.longer(at));
    }
    write_json(&run.processes(), table)?;
    run.write_checksums()?;
    Ok(())
}

/// Time of the load.
#[derive(Clone, Copy)]
struct Load {
    began: Timestamp,
    ended: Timestamp,
}

impl Load {
    /// Time in the longer run.
    fn longer(self, at: Timestamp) -> Timestamp {
        match at <= self.began {
            true => at,
            false => {
                let within = at.min(self.ended).since(self.began) * FACTOR;
                self.began.plus(within).plus(at.max(self.ended).since(self.ended))
            }
        }
    }
}

fn reading((process, rss): (&ProcessIdentity, &ByteSize)) -> ProcessReading {
    ProcessReading {
        pid: process.pid,
        started: process.started,
        rss: *rss,
        anonymous: None,
        low: None,
        high: None,
        threads: 3,
        open_files: None,
    }
}
