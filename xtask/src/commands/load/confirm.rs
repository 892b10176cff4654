//! Confirmation of what a run may do to others, before anything is started: launches that cost
//! money, and load on a server that is not on this machine.

use std::io::{IsTerminal as _, stdin};

use anyhow::{Context as _, Result, bail};
use host::progress::Progress;
use host::signals::Interrupted;
use skyload::infrastructure::Infrastructure;
use skyload::plan::{LoadPlan, PlannedScenario, ServerTarget, UsageErrors};
use skyload::scenario::{Need, ScenarioId, ScenarioKind};
use skyload::units::counted;

/// Asks for confirmation, unless the plan does nothing that needs it, or `yes` has confirmed it.
pub(crate) fn confirm(plan: &LoadPlan, yes: bool, progress: Progress) -> Result<()> {
    let reasons = [
        (paid_launches(plan), "-c: paid launches need --yes when stdin is not a terminal"),
        (
            load_on_another_machine(plan),
            "--server: load on another machine needs --yes when stdin is not a terminal",
        ),
    ];
    let (notes, errors): (Vec<String>, Vec<String>) =
        reasons.into_iter().filter_map(|(note, error)| Some((note?, error.to_owned()))).unzip();
    for note in &notes {
        progress.note(note);
    }
    if yes || notes.is_empty() {
        return Ok(());
    }
    if !stdin().is_terminal() {
        bail!(UsageErrors(errors));
    }
    progress.note("Continue? [y/N]");
    let mut answer = String::new();
    stdin().read_line(&mut answer).context("reading the answer")?;
    check_answer(&answer)
}

/// Checks the answer of the user. Anything but yes interrupts the run, like Ctrl-C.
fn check_answer(answer: &str) -> Result<()> {
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(anyhow::Error::from(Interrupted).context("aborted, nothing sent or launched")),
    }
}

/// Note on launches that cost money; `None` if there are none.
fn paid_launches(plan: &LoadPlan) -> Option<String> {
    let Infrastructure::Clouds(clouds) = &plan.infrastructure else { return None };
    let launching = plan.scenarios.iter().filter(|planned| planned.launches() > 0);
    let clusters: u64 = launching.clone().map(PlannedScenario::expected_launches).sum();
    // Users of a closed loop launch as fast as the cloud lets them, a mix draws, and what a script
    // does is unknown.
    let is_known = |planned: &PlannedScenario| {
        let has_own_count = planned.mix.is_none() && planned.id != ScenarioId::CliScript;
        has_own_count && planned.iterations().is_some()
    };
    let about = if launching.clone().all(is_known) { "" } else { "about " };
    // A job on the shared cluster launches no other one.
    let shared = plan.shared_resources().into_iter().filter(|(need, _)| *need != Need::LongJob);
    let launches = clusters + shared.count() as u64;
    (launches > 0).then(|| {
        format!(
            "This plan launches {about}{}, jobs and services included, on {}, which costs \
             money. All names begin with `skyload-`. Resources are torn down and checked at the \
             end; if this machine crashes before, remove them in the cloud itself. Controllers \
             that SkyPilot launches for managed jobs and services stay until SkyPilot stops them.",
            counted(launches, "cluster"),
            clouds.join(", ")
        )
    })
}

/// Note on load on a server that is not on this machine; `None` if it is.
fn load_on_another_machine(plan: &LoadPlan) -> Option<String> {
    let ServerTarget::Remote(url) = &plan.server else { return None };
    if !plan.server.is_on_another_machine() {
        return None;
    }
    let loads = || plan.scenarios.iter().filter(|one| one.id.kind() != ScenarioKind::Probe);
    let users: u64 = loads()
        .filter(|scenario| !scenario.shape.is_open())
        .map(|scenario| u64::from(scenario.users))
        .sum();
    let rate: f64 = loads().filter_map(|scenario| scenario.shape.most_per_second()).sum();
    let load = [
        (users > 0).then(|| counted(users, "user")),
        (rate > 0.0).then(|| format!("up to {rate} iterations per second")),
        plan.scenario(ScenarioId::ProbeHealth)
            .map(|_| format!("a health probe at {}/s", plan.probe_rate)),
    ];
    Some(format!(
        "This plan loads {url}, which is not on this machine, with {} of {}. Others who use this \
         server will notice.",
        load.into_iter().flatten().collect::<Vec<_>>().join(", "),
        counted(loads().count(), "scenario")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_answer_but_yes_interrupts_the_run() {
        for answer in ["n\n", "no\n", "\n", ""] {
            let error = check_answer(answer).unwrap_err();
            assert_eq!(crate::exit_code(&error), 12);
            assert!(error.to_string().contains("aborted, nothing sent"), "{error:#}");
        }
        assert!(check_answer("y\n").is_ok() && check_answer("yes\n").is_ok());
    }
}
