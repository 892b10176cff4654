//! Thresholds of the configuration file, of the plan and of `--threshold`.

use std::collections::BTreeMap;

use super::Resolver;
use super::assignment::Assigned;
use super::shape::{Form, Shaped, Shapes};
use crate::config::OwnedThresholds;
use crate::metric::{Part, ScenarioMetric, Subject, Threshold, ThresholdOwner};
use crate::plan::ServerMetrics;
use crate::scenario::{ScenarioId, ScenarioKind, step_and_infra, steps_of_operation};

impl Resolver<'_> {
    /// Thresholds of the run. One of a flag takes the place of those of the plan and of the file
    /// for the same metric and direction, and one of the plan that of those of the file.
    pub(super) fn thresholds(&mut self, measured: &Measured<'_>) -> Vec<Threshold> {
        let mut chosen = Vec::new();
        for table in [&self.config.thresholds, &self.settings.thresholds] {
            // The file's thresholds are for all runs; without its scenario, one would never be
            // measured.
            let planned = of_table(table);
            let planned = planned.filter(|it| measured.without(it).is_none());
            replace(&mut chosen, planned.collect());
        }
        let typed = self.typed_thresholds(measured);
        replace(&mut chosen, typed);
        chosen
    }

    fn typed_thresholds(&mut self, measured: &Measured<'_>) -> Vec<Threshold> {
        // If all scenario names are wrong, it is unknown which scenarios were meant.
        let is_known = measured.scenarios.iter().any(|one| one.id.kind() != ScenarioKind::Probe);
        let request = self.request;
        let mut typed = Vec::new();
        for text in &request.thresholds {
            match text.parse::<Threshold>() {
                Err(error) => self.error(format!("--threshold `{text}`: {error}")),
                Ok(threshold) => {
                    if let Some(reason) = measured.without(&threshold)
                        && is_known
                    {
                        self.error(format!("--threshold `{text}`: {reason}"));
                    }
                    typed.push(threshold);
                }
            }
        }
        typed
    }
}

/// Thresholds of a table of the file, whose mistakes were reported by its parser.
fn of_table(table: &BTreeMap<String, OwnedThresholds>) -> impl Iterator<Item = Threshold> {
    table.iter().flat_map(|(name, thresholds)| {
        let owner = name.parse::<ThresholdOwner>().ok();
        owner.into_iter().flat_map(|owner| thresholds.of(owner))
    })
}

/// Puts thresholds in the place of those for the same metric and direction.
fn replace(chosen: &mut Vec<Threshold>, by: Vec<Threshold>) {
    chosen.retain(|old| !by.iter().any(|new| new.replaces(old)));
    chosen.extend(by);
}

/// Subjects of the run that can have thresholds.
pub(super) struct Measured<'a> {
    pub(super) scenarios: &'a [Assigned],
    pub(super) shapes: &'a Shapes,
    pub(super) server_metrics: Option<&'a ServerMetrics>,
}

impl Measured<'_> {
    /// Reason why the run can measure nothing for a threshold; `None` if it can.
    fn without(&self, threshold: &Threshold) -> Option<String> {
        match &threshold.metric.subject {
            Subject::Scenario(id, part) => {
                without_iterations(threshold.metric.statistic, *id, part, self)
            }
            Subject::Server(_) if self.server_metrics.is_some() => None,
            Subject::Server(_) => {
                Some("the server's own metrics are not read; add --metrics".to_owned())
            }
        }
    }
}

/// Reason why no iteration of the run can have what a threshold limits; `None` if one can.
fn without_iterations(
    statistic: ScenarioMetric,
    id: ScenarioId,
    part: &Part,
    Measured { scenarios, shapes, .. }: &Measured<'_>,
) -> Option<String> {
    let Some(planned) = scenarios.iter().find(|one| one.id == id) else {
        return Some(format!("the plan does not run {id}; remove it, or add the scenario"));
    };
    let is_open = shapes.get(&id).is_some_and(|it| matches!(it.form, Form::Arrivals(..)));
    if statistic == ScenarioMetric::Dropped && !is_open {
        return Some(format!("{id} has no arrival rate, which alone drops iterations"));
    }
    let step = match part {
        Part::Whole => return None,
        Part::Stage(number) => {
            let stages = shapes.get(&id).map_or(0, Shaped::stages);
            let has_stage = *number as usize <= stages;
            let stages = match stages {
                0 => "no stages".to_owned(),
                1 => "1 stage".to_owned(),
                stages => format!("{stages} stages"),
            };
            return (!has_stage).then(|| format!("{id} has {stages}"));
        }
        Part::Step(step) => step,
    };
    let (name, infra) = step_and_infra(step);
    if let Some(mix) = &planned.mix {
        let mut steps = mix.shares().flat_map(|(id, _)| steps_of_operation(id));
        if steps.all(|step| step != name) {
            return Some(format!("no operation of the mix ({mix}) has the step `{name}`"));
        }
    }
    let infra = infra?;
    match planned.infras.as_slice() {
        several if several.len() > 1 && several.iter().any(|one| one == infra) => None,
        several if several.len() > 1 => {
            Some(format!("expected one of {} after `@`, got `{infra}`", several.join(", ")))
        }
        _ => Some(format!("{id} does not run on several infras; remove ` @{infra}`")),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use crate::config::Config;
    use crate::plan::resolve::tests::{MACHINE, words};
    use crate::plan::{LoadPlan, UsageErrors};
    use crate::record::request::LoadRequest;

    const FILE: &str = r#"
        [plans.default]
        [plans.strict.thresholds."api:status"]
        p95 = "2s"

        [thresholds."api:status"]
        p95 = "5s"
        p99 = "9s"
        [thresholds."api:validate"]
        max = "1s"
    "#;

    fn resolve(request: LoadRequest) -> Result<Vec<String>, Vec<String>> {
        let config = Config::parse(FILE, "skyload.toml").unwrap();
        let plan = LoadPlan::resolve(&request, &config, &MACHINE);
        let texts = |plan: LoadPlan| plan.thresholds.iter().map(ToString::to_string).collect();
        plan.map(texts).map_err(|UsageErrors(errors)| errors)
    }

    /// Request for `api:status` with these thresholds.
    fn with(plan: &str, thresholds: &[&str]) -> LoadRequest {
        LoadRequest {
            api: words(&["status"]),
            plan: Some(plan.to_owned()),
            thresholds: words(thresholds),
            ..LoadRequest::default()
        }
    }

    #[rstest]
    #[case::of_the_file("default", &[], &["api:status p95 <= 5s", "api:status p99 <= 9s"])]
    #[case::of_the_plan("strict", &[], &["api:status p99 <= 9s", "api:status p95 <= 2s"])]
    #[case::of_a_flag("strict", &["api:status p95 < 1s"],
        &["api:status p99 <= 9s", "api:status p95 < 1s"])]
    #[case::in_the_other_direction("strict", &["api:status p95 > 1s"],
        &["api:status p99 <= 9s", "api:status p95 <= 2s", "api:status p95 > 1s"])]
    #[case::of_the_health_probe("strict", &["probe:health max < 9s"],
        &["api:status p99 <= 9s", "api:status p95 <= 2s", "probe:health max < 9s"])]
    fn a_threshold_takes_the_place_of_less_specific_ones_for_its_metric(
        #[case] plan: &str,
        #[case] typed: &[&str],
        #[case] chosen: &[&str],
    ) {
        assert_eq!(resolve(with(plan, typed)).unwrap(), chosen);
    }

    #[test]
    fn mistaken_flags_are_reported_together_and_name_their_text() {
        let typed = [
            "api:status p95 < 5",
            "api:stats p95 < 5s",
            "api:validate p95 < 5s",
            "api:status step health @aws p95 < 5s",
        ];
        let errors = resolve(with("default", &typed)).unwrap_err();
        let expected = [
            "--threshold `api:status p95 < 5`: p95: expected a duration with its unit",
            "--threshold `api:stats p95 < 5s`: unknown scenario `api:stats`; did you mean",
            "--threshold `api:validate p95 < 5s`: the plan does not run api:validate",
            "--threshold `api:status step health @aws p95 < 5s`: api:status does not run on several",
        ];
        assert_eq!(errors.len(), expected.len(), "{errors:#?}");
        for (error, start) in errors.iter().zip(expected) {
            assert!(error.starts_with(start), "{error}\n{start}");
        }
    }

    #[test]
    fn a_stage_that_the_load_does_not_have_is_a_usage_error() {
        let threshold = "api:status stage 2 p95 < 1s";
        let load = |stages: &str| LoadRequest {
            stages: Some(stages.to_owned()),
            ..with("strict", &[threshold])
        };
        assert!(resolve(load("5 in 1m, 5 for 1m")).unwrap().contains(&threshold.to_owned()));
        let errors = resolve(load("5 for 1m")).unwrap_err();
        assert!(errors[0].contains("api:status has 1 stage"), "{errors:?}");
        assert!(resolve(with("strict", &[threshold])).is_err(), "a burst has none");
    }

    #[test]
    fn a_step_on_one_of_several_infras_can_have_a_threshold() {
        let on = |infra: &str| LoadRequest {
            infra: words(&["aws", "gcp"]),
            copy_credentials: true,
            api: words(&["launch_and_logs"]),
            thresholds: vec![format!("api:launch_and_logs step launch/get @{infra} p95 < 5s")],
            ..LoadRequest::default()
        };
        let [kept] = &resolve(on("aws")).unwrap()[..] else { panic!("one threshold") };
        assert_eq!(kept, "api:launch_and_logs step launch/get @aws p95 < 5s");
        let errors = resolve(on("azure")).unwrap_err();
        assert!(
            errors[0].contains("expected one of aws, gcp after `@`, got `azure`"),
            "{errors:?}"
        );
    }
}
