//! Sets of runs of one plan: `load --repeat`.

use anyhow::Context as _;
use nix::sys::signal::Signal;
use predicates::prelude::{PredicateBooleanExt as _, predicate};
use skyload::record::profile::Phase;
use skyload::record::{RunFacts, read};

use crate::support::{Site, signal};

#[test]
fn repeated_runs_are_one_set_with_the_most_severe_verdict() -> anyhow::Result<()> {
    let site = Site::new()?;
    let args = ["--api", "status", "--repeat", "2", "--budget", "short-executor=8MiB"];
    let set = site.load(args).start()?.finish_runs(2)?;
    set.assert()
        .code(10)
        .stderr(predicate::str::contains("Run 2 of 2: "))
        .stderr(predicate::str::contains("cargo xtask compare "));
    site.assert_nothing_is_left();
    let places = site.runs().into_iter().map(|run| {
        let facts: RunFacts = read(&run.join("run.json"))?;
        let set = facts.set.context("a run of a set")?;
        Ok((set.first_run.to_string(), set.number, set.of))
    });
    let places = places.collect::<anyhow::Result<Vec<_>>>()?;
    let first = site.runs()[0].file_name().context("a run has a name")?.to_owned();
    let first = first.to_string_lossy().into_owned();
    assert_eq!(places, [(first.clone(), 1, 2), (first, 2, 2)]);
    Ok(())
}

#[test]
fn an_interrupt_ends_the_whole_set() -> anyhow::Result<()> {
    let site = Site::new()?;
    let running = site.load(["--api", "status", "--repeat", "3"]).start()?;
    running.phase(Phase::Load)?;
    signal(running.pid(), Signal::SIGINT)?;
    let set = running.finish()?;
    set.assert().code(12).stderr(predicate::str::contains("Run 2 of 3").not());
    assert_eq!(site.runs().len(), 1);
    site.assert_nothing_is_left();
    Ok(())
}
