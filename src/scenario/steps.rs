//! Names of steps, as iterations record them.

use std::collections::BTreeSet;

use super::mix::is_operation;
use super::{Action, Call, Command, SCRIPT_STEP, Scenario, ScenarioId, TAKE_DOWN, Work};

/// Separator between a step's name and the infra that it ran on, in scenarios with several.
const AT: &str = " @";

/// Step of a held connection: time from the request to the headers of the response.
pub(crate) const CONNECT: &str = "connect";

/// Step of a held connection: time from the request to the first line of the log.
pub(crate) const FIRST_LINE: &str = "first-line";

/// Step of a held connection: longest time without data after the first line.
pub(crate) const GAP: &str = "gap";

/// Step of a probe launch: time from its submission to its end.
pub(crate) const LAUNCH: &str = "launch";

/// Step of a launch that ended before its cancellation: time from its submission to its end.
pub(crate) const ENDED_BEFORE_CANCEL: &str = "launch/ended-before-cancel";

/// Step of a cancelled launch: time from the submission of the cancellation until the record of
/// the launch is CANCELLED.
pub(crate) const CANCEL: &str = "cancel";

/// Step of a teardown: time from its submission to its end.
pub(crate) const DOWN: &str = "down";

/// Step of a teardown after a cancelled launch that had made no cluster yet.
pub(crate) const NO_CLUSTER: &str = "down/no-cluster";

/// Steps of `api:launch_cancel` that are a whole request, or several.
const WHOLE_REQUESTS: [&str; 5] = [LAUNCH, ENDED_BEFORE_CANCEL, CANCEL, DOWN, NO_CLUSTER];

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
            Work::LaunchCancel(actions) => {
                let parts = actions.iter().flat_map(|action| match action {
                    Action::Submit(call) => vec![submitted(call), on_server(call)],
                    // The result is waited for in a step of the whole request.
                    Action::Follow(_) => Vec::new(),
                    action => action.steps(),
                });
                parts.chain(WHOLE_REQUESTS.map(str::to_owned)).collect()
            }
            Work::Mix => {
                let operations = ScenarioId::ALL.into_iter().filter(|id| is_operation(*id));
                operations.flat_map(steps_of_operation).collect()
            }
            Work::Hold(_) => [CONNECT, FIRST_LINE, GAP].map(str::to_owned).into(),
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

/// Names of the steps that an operation of a mix records: those of its scenario, and one for all
/// of it.
pub(crate) fn steps_of_operation(id: ScenarioId) -> impl Iterator<Item = String> {
    Scenario::of(id).steps().into_iter().chain([operation_step(id)])
}

/// Name of the step that is a whole operation of a mix.
pub(crate) fn operation_step(id: ScenarioId) -> String {
    format!("operation {}", id.name())
}

/// Name of the step that is the submission of a request.
pub(crate) fn submitted(call: &Call) -> String {
    format!("{}/submit", call.step)
}

/// Name of the step that is the server's own record of a request.
pub(crate) fn on_server(call: &Call) -> String {
    format!("{}/queue+run", call.step)
}

impl Action {
    fn steps(&self) -> Vec<String> {
        let read = |call: &Call| {
            let part = |part| format!("{}/{part}", call.step);
            [part("stream"), part("get"), on_server(call)]
        };
        match self {
            Self::Health => vec!["health".to_owned()],
            Self::Upload => vec!["upload".to_owned()],
            Self::OnlyOn(_, action) => action.steps(),
            Self::Inline(call) => vec![call.step.to_owned()],
            Self::Submit(call) => vec![submitted(call)],
            Self::Follow(call) => read(call).to_vec(),
            Self::TailLogs(call) => {
                let first_line = format!("{}/first-line", call.step);
                [first_line].into_iter().chain(read(call)).collect()
            }
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
    #[case::output(ScenarioId::ApiTailLogs, &["health", "logs/first-line", "logs/get", "logs/queue+run", "logs/stream"])]
    #[case::inline(ScenarioId::ApiValidate, &["health", "validate"])]
    #[case::cancelled(ScenarioId::ApiLaunchCancel, &["api_cancel/queue+run", "api_cancel/submit", "cancel", "down", "down/no-cluster", "down/queue+run", "down/submit", "health", "launch", "launch/ended-before-cancel", "launch/queue+run", "launch/submit", "validate"])]
    #[case::cli(ScenarioId::CliJobs, &["sky jobs launch"])]
    #[case::held(ScenarioId::HoldLogs, &["connect", "first-line", "gap"])]
    #[case::probe(ScenarioId::ProbeHealth, &[])]
    fn steps_are_known_from_the_table(#[case] id: ScenarioId, #[case] steps: &[&str]) {
        assert_eq!(Scenario::of(id).steps().iter().map(String::as_str).collect::<Vec<_>>(), steps);
    }

    #[test]
    fn an_operation_of_a_mix_is_a_step_beside_its_own() {
        let steps = Scenario::of(ScenarioId::ApiMix).steps();
        assert!(steps.contains("operation status") && steps.contains("status/submit"), "{steps:?}");
        assert!(!steps.contains("operation mix"), "{steps:?}");
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
