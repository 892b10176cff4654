//! Concurrent runs on one machine.

use predicates::prelude::predicate;
use skyload::analysis::Verdict;
use skyload::scenario::ScenarioId;

use crate::support::Site;

#[test]
fn runs_from_different_state_directories_do_not_interfere() -> anyhow::Result<()> {
    let (here, there) = (Site::new()?, Site::new()?);
    let long = here.load(["--api", "status"]).fake("SERVICE_MS", 4_000).start()?;
    long.scenario(ScenarioId::ApiStatus)?;
    let short = there.load(["--api", "validate"]).run()?;
    short.expect(&there, Verdict::Pass)?;
    let long = long.finish()?;
    long.expect(&here, Verdict::Pass)?;
    for (run, scenario) in [(long, "case_01_status"), (short, "case_03_validate")] {
        let junit = run.junit("load")?;
        assert!(junit.contains(scenario), "{junit}");
        assert_eq!(junit.matches("<testcase ").count(), 2, "{junit}");
        run.assert().stderr(predicate::str::contains("Cleaned up").count(0));
    }
    Ok(())
}
