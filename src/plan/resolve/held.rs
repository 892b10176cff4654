//! Connections to hold: `--hold`, and the plan's `hold`.

use std::collections::BTreeMap;

use super::Resolver;
use super::size::MAX_USERS;
use crate::config::suggest;
use crate::scenario::{ScenarioId, ScenarioKind};

/// Scenarios that hold connections, each with the number of its connections; `None` for the number
/// of users.
pub(super) type Held = BTreeMap<ScenarioId, Option<u32>>;

impl Resolver<'_> {
    /// Connections that a list names, as in `logs=10,stream`.
    pub(super) fn held(&mut self, list: &str) -> Held {
        let place = if self.request.hold.is_empty() { "hold" } else { "--hold" };
        let all: Vec<ScenarioId> = ScenarioId::of_kind(ScenarioKind::Hold).collect();
        let mut held = Held::new();
        for word in list.split([',', ' ']).map(str::trim).filter(|word| !word.is_empty()) {
            let (name, count) = match word.split_once('=') {
                Some((name, count)) => (name, Some(count)),
                None => (word, None),
            };
            let ids: Vec<ScenarioId> =
                all.iter().copied().filter(|id| name == "all" || name == id.name()).collect();
            if ids.is_empty() && name != "none" {
                let known = all.iter().map(|id| id.name()).chain(["all"]);
                self.error(format!(
                    "{place}: unknown connection `{name}`; {}",
                    suggest(name, known)
                ));
            }
            let count = count.map(|text| match text.parse::<u32>() {
                Ok(count) if (1..=MAX_USERS).contains(&count) => count,
                _ => {
                    self.error(format!(
                        "{place}: expected a whole number from 1 to {MAX_USERS} after `{name}=`, \
                         got `{text}`"
                    ));
                    1
                }
            });
            for id in ids {
                if held.insert(id, count).is_some() {
                    self.error(format!("{place}: `{}` is given twice", id.name()));
                }
            }
        }
        held
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use crate::config::Config;
    use crate::plan::resolve::tests::{MACHINE, config, words};
    use crate::plan::{LoadPlan, UsageErrors};
    use crate::record::request::LoadRequest;
    use crate::scenario::{Need, ScenarioId};

    /// Request of these connections, beside these API scenarios, for a time.
    fn request(hold: &str, api: &[&str], time: Option<&str>) -> LoadRequest {
        LoadRequest {
            hold: words(&[hold]),
            api: words(api),
            time: time.map(str::to_owned),
            ..LoadRequest::default()
        }
    }

    fn plan(request: &LoadRequest) -> Result<LoadPlan, Vec<String>> {
        LoadPlan::resolve(request, &config(), &MACHINE).map_err(|UsageErrors(errors)| errors)
    }

    fn shape(plan: &LoadPlan, id: ScenarioId) -> String {
        let planned = plan.scenario(id).unwrap();
        format!("{} users, {}", planned.users, planned.shape)
    }

    #[rstest]
    #[case::for_the_whole_load(&["status"], None, "10 users, 1 iteration")]
    #[case::beside_a_load_for_a_time(&["status"], Some("1m"), "10 users, 1 iteration")]
    #[case::alone(&[], Some("1m"), "10 users, 10 for 1m")]
    fn connections_are_held_for_the_load_or_for_a_time(
        #[case] api: &[&str],
        #[case] time: Option<&str>,
        #[case] expected: &str,
    ) {
        let plan = plan(&request("logs=10", api, time)).unwrap();
        assert_eq!(shape(&plan, ScenarioId::HoldLogs), expected);
        assert_eq!(plan.scenarios.len(), api.len() + 2, "{:?}", plan.scenarios);
    }

    #[test]
    fn connections_without_a_number_are_as_many_as_users() {
        let typed =
            LoadRequest { users: Some("3".to_owned()), ..request("all", &["status"], None) };
        let plan = plan(&typed).unwrap();
        for id in [ScenarioId::HoldLogs, ScenarioId::HoldJobsLogs, ScenarioId::HoldStream] {
            assert_eq!(shape(&plan, id), "3 users, 1 iteration");
        }
    }

    #[test]
    fn what_is_followed_lasts_until_the_teardown() {
        let plan = plan(&request("logs=1,jobs_logs=1", &["status"], None)).unwrap();
        let needs: Vec<Need> = plan.shared_resources().into_iter().map(|(need, _)| need).collect();
        assert_eq!(needs, [Need::Cluster, Need::LongJob, Need::LongManagedJob]);
    }

    #[test]
    fn connections_are_neither_fitted_nor_part_of_all() {
        let file = "[plans.default]\napi = \"status\"\ncli = \"none\"\nhold = \"stream=500\"\n\
                    fit = \"1s\"\n";
        let config = Config::parse(file, "f").unwrap();
        let with = |request: &LoadRequest| LoadPlan::resolve(request, &config, &MACHINE).unwrap();
        let of_file = with(&LoadRequest::default());
        assert_eq!(shape(&of_file, ScenarioId::HoldStream), "500 users, 1 iteration");
        let all = with(&LoadRequest { api: words(&["all"]), ..LoadRequest::default() });
        assert!(all.scenario(ScenarioId::HoldStream).is_none(), "flags name other scenarios");
    }

    #[rstest]
    #[case::alone_without_a_time(
        "logs=10",
        &[],
        None,
        &[],
        "hold:logs: held for the time of the other scenarios, and there are none; add a time, such as"
    )]
    #[case::unknown(
        "log=10",
        &["status"],
        None,
        &[],
        "--hold: unknown connection `log`; did you mean `logs`?"
    )]
    #[case::no_number("logs=ten", &["status"], None, &[], "after `logs=`, got `ten`")]
    #[case::too_many("logs=10001", &["status"], None, &[], "a whole number from 1 to 10000 after")]
    #[case::twice("logs=1,logs=2", &["status"], None, &[], "--hold: `logs` is given twice")]
    #[case::without_an_infra(
        "logs=1",
        &["status"],
        None,
        &["none"],
        "hold:logs cannot run without an infra: -c is none"
    )]
    fn mistaken_connections_are_usage_errors(
        #[case] hold: &str,
        #[case] api: &[&str],
        #[case] time: Option<&str>,
        #[case] infra: &[&str],
        #[case] message: &str,
    ) {
        let request = LoadRequest { infra: words(infra), ..request(hold, api, time) };
        let errors = plan(&request).unwrap_err();
        assert!(errors.len() == 1 && errors[0].contains(message), "{errors:#?}");
    }

    #[test]
    fn flags_of_a_shape_have_no_effect_on_connections_alone() {
        let typed = LoadRequest {
            pause: Some("1s".to_owned()),
            users: Some("3".to_owned()),
            ..request("logs=1", &[], Some("1m"))
        };
        let errors = plan(&typed).unwrap_err();
        assert!(errors[0].starts_with("-n: no selected scenario uses it"), "{errors:#?}");
        assert!(errors[1].starts_with("--pause: no selected scenario"), "{errors:#?}");
    }

    #[test]
    fn the_log_of_a_request_needs_no_infra() {
        let typed = LoadRequest { infra: words(&["none"]), ..request("stream=5", &[], Some("1m")) };
        assert_eq!(shape(&plan(&typed).unwrap(), ScenarioId::HoldStream), "5 users, 5 for 1m");
    }
}
