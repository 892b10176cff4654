//! Names of steps, as iterations record them.

use std::collections::BTreeSet;

use super::{Action, Call, Command, SCRIPT_STEP, Scenario, TAKE_DOWN, Work};

/// Separator between a step's name and the infra that it ran on, in scenarios with several.
const AT: &str = " @";

/// Name and infra of a recorded step; without an infra if its scenario runs on one at most.
pub fn step_and_infra(step: &str) -> (&str, Option<&str>) {
    match step.rsplit_once(AT) {
        Some((name, infra)) => (name, Some(infra)),
        None => (step, None),
    }
}

impl Scenario {
    /// Names of the steps that its iterations record, without infras.
    pub fn steps(&self) -> BTreeSet<String> {
        match &self.work {
            // Iterations of a load that lasts for a time take their clusters down.
            Work::Api(actions) if self.leaves_cluster() => {
                actions.iter().chain(&TAKE_DOWN).flat_map(Action::steps).collect()
            }
            Work::Api(actions) => actions.iter().flat_map(Action::steps).collect(),
            Work::Cli(commands) => commands.iter().map(Command::name).collect(),
            // Those that the program marks are known only after its run.
            Work::Script => BTreeSet::from([SCRIPT_STEP.to_owned()]),
            Work::Probe => BTreeSet::new(),
        }
    }

    /// Whether its iterations may record a step of this name.
    pub fn may_have_step(&self, name: &str) -> bool {
        matches!(self.work, Work::Script) || self.steps().contains(name)
    }
}

impl Action {
    fn steps(&self) -> Vec<String> {
        let submitted = |call: &Call| format!("{}/submit", call.step);
        let read =
            |call: &Call| ["stream", "get", "queue+run"].map(|it| format!("{}/{it}", call.step));
        match self {
            Self::Health => vec!["health".to_owned()],
            Self::Upload => vec!["upload".to_owned()],
            Self::OnlyOn(_, action) => action.steps(),
            Self::Inline(call) => vec![call.step.to_owned()],
            Self::Submit(call) => vec![submitted(call)],
            Self::Follow(call) | Self::TailLogs(call) => read(call).to_vec(),
            Self::WaitForStatus(call, status) => {
                let requests = [submitted(call), status.to_lowercase()];
                requests.into_iter().chain(read(call)).collect()
            }
        }
    }
}

impl Command {
    /// Name of the command, as a step: `sky jobs launch`.
    pub fn name(&self) -> String {
        let words = self.args.iter().take_while(|word| !word.starts_with(['-', '{']));
        words.fold("sky".to_owned(), |name, word| format!("{name} {word}"))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::scenario::ScenarioId;

    #[rstest]
    #[case::queued(ScenarioId::ApiStatus, &["health", "status/get", "status/queue+run", "status/stream", "status/submit"])]
    #[case::inline(ScenarioId::ApiValidate, &["health", "validate"])]
    #[case::cli(ScenarioId::CliJobs, &["sky jobs launch"])]
    #[case::probe(ScenarioId::ProbeHealth, &[])]
    fn steps_are_known_from_the_table(#[case] id: ScenarioId, #[case] steps: &[&str]) {
        assert_eq!(Scenario::of(id).steps().iter().map(String::as_str).collect::<Vec<_>>(), steps);
    }

    #[test]
    fn a_recorded_step_has_a_name_and_perhaps_an_infra() {
        assert_eq!(
            step_and_infra("launch/submit @slurm/loop"),
            ("launch/submit", Some("slurm/loop"))
        );
        assert_eq!(step_and_infra("sky launch"), ("sky launch", None));
    }
}
