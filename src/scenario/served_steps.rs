//! Steps of API scenarios by what the server does for them: an HTTP request of a path, or the run
//! of a queued request. The server's own figures are by path and by request name.

use std::collections::BTreeSet;

use super::{Action, Call, Scenario, ScenarioId, Work};

/// Path of a health request.
const HEALTH: &str = "/api/health";

/// Path at which the result of a queued request is waited for.
const RESULT: &str = "/api/get";

/// Whether scenarios send requests to a path.
pub(crate) fn is_requested(path: &str) -> bool {
    [HEALTH, RESULT].contains(&path) || calls().any(|(_, call)| path_of(call) == path)
}

/// Names of the steps that are one HTTP request to a path.
pub(crate) fn http_steps(path: &str) -> BTreeSet<String> {
    if path == HEALTH {
        return BTreeSet::from(["health".to_owned()]);
    }
    let step = |(action, call): (&Action, &Call)| match action {
        Action::Inline(_) => call.step.to_owned(),
        _ if path == RESULT => format!("{}/get", call.step),
        _ => format!("{}/submit", call.step),
    };
    let is_of_path = |(action, call): &(&Action, &Call)| match action {
        Action::Inline(_) | Action::Submit(_) => path_of(call) == path,
        Action::WaitForStatus(..) => path == RESULT || path_of(call) == path,
        Action::Follow(_) => path == RESULT,
        // `calls` has the action within.
        Action::OnlyOn(..) | Action::Health | Action::Upload | Action::TailLogs(_) => false,
    };
    calls().filter(is_of_path).map(step).collect()
}

/// Names of the steps that are the run of a queued request, waiting included. The request's name
/// is the server's, such as `sky.jobs.queue`.
pub(crate) fn run_steps(request: &str) -> BTreeSet<String> {
    let of_request = calls().filter(|(_, call)| name_of(call) == plain(request));
    of_request.map(|(_, call)| format!("{}/queue+run", call.step)).collect()
}

impl Scenario {
    /// Whether an iteration is known to send requests of a name, such as `sky.jobs.queue`. Commands
    /// of `sky` are known to send the requests that they are checked by.
    pub fn sends(&self, request: &str) -> bool {
        match &self.work {
            Work::Api(actions) | Work::LaunchCancel(actions) => {
                let mut calls = actions.iter().filter_map(Action::call);
                calls.any(|call| name_of(call) == plain(request))
            }
            Work::Cli(commands) => {
                let mut names = commands.iter().flat_map(|command| command.requests).copied();
                names.any(|names| names.contains(&request))
            }
            Work::Mix | Work::Script | Work::Hold(_) | Work::Probe => false,
        }
    }
}

/// Calls of all scenarios, with the actions that send them.
fn calls() -> impl Iterator<Item = (&'static Action, &'static Call)> {
    let actions = ScenarioId::ALL.into_iter().flat_map(|id| match &Scenario::of(id).work {
        Work::Api(actions) | Work::LaunchCancel(actions) => *actions,
        // The operations of a mix are scenarios of their own.
        Work::Mix | Work::Cli(_) | Work::Script | Work::Hold(_) | Work::Probe => &[],
    });
    let plain = actions.map(|action| match action {
        Action::OnlyOn(_, action) => *action,
        action => action,
    });
    plain.filter_map(|action| Some((action, action.call()?)))
}

fn path_of(call: &Call) -> &'static str {
    call.path.split_once('?').map_or(call.path, |(path, _)| path)
}

/// Name of a call's request, with plain separators.
fn name_of(call: &Call) -> String {
    plain(&format!("sky{}", path_of(call)))
}

/// Name with one separator for all: the server has `sky.storage_ls` for `/storage/ls`, and
/// `sky.jobs.queue` for `/jobs/queue`.
fn plain(name: &str) -> String {
    name.replace(['/', '_'], ".")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::health("/api/health", &["health"])]
    #[case::of_a_submission("/jobs/queue", &["jobs_queue/submit"])]
    #[case::with_a_query("/api/status", &["api_status"])]
    #[case::of_another_client("/users", &[])]
    fn http_requests_have_their_steps(#[case] path: &str, #[case] steps: &[&str]) {
        assert_eq!(http_steps(path).iter().map(String::as_str).collect::<Vec<_>>(), steps);
        assert_eq!(is_requested(path), !steps.is_empty());
    }

    #[test]
    fn results_of_all_calls_have_one_path() {
        let steps = http_steps("/api/get");
        assert!(steps.contains("status/get") && steps.contains("jobs_queue/get"), "{steps:?}");
        assert!(steps.iter().all(|step| step.ends_with("/get")), "{steps:?}");
    }

    #[rstest]
    #[case("sky.jobs.queue", "jobs_queue/queue+run")]
    #[case("sky.storage_ls", "storage_ls/queue+run")]
    #[case("sky.status", "status_refresh/queue+run")]
    fn runs_of_requests_have_their_steps(#[case] request: &str, #[case] step: &str) {
        assert!(run_steps(request).contains(step), "{:?}", run_steps(request));
    }

    #[rstest]
    #[case::api(ScenarioId::ApiJobsQueue, "sky.jobs.queue", true)]
    #[case::cli(ScenarioId::CliJobs, "sky.jobs.launch", true)]
    #[case::of_another_scenario(ScenarioId::ApiStatus, "sky.launch", false)]
    #[case::held(ScenarioId::HoldStream, "sky.status", false)]
    fn scenarios_send_the_requests_of_their_calls_and_commands(
        #[case] id: ScenarioId,
        #[case] request: &str,
        #[case] expected: bool,
    ) {
        assert_eq!(Scenario::of(id).sends(request), expected);
    }

    #[test]
    fn requests_of_the_server_itself_have_no_step() {
        assert!(run_steps("sky.status-refresh").is_empty());
    }
}
