//! Checks of configuration values that have the right type but are out of range.

use std::time::Duration;

use super::Resolver;
use super::size::MAX_ITERATIONS;
use crate::config::suggest;
use crate::record::profile::SPACING;

/// Upper bound of configured times. Far longer ones would overflow when added to an instant.
pub(crate) const LONGEST_TIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

impl Resolver<'_> {
    /// Checks that the plan exists in the file. The default plan may be missing in a file without
    /// plans.
    pub(super) fn check_plan_name(&mut self) {
        let (name, plans) = (self.name, &self.config.plans);
        let is_wanted = self.request.plan.is_some() || !plans.is_empty();
        if is_wanted && !plans.contains_key(name) {
            let known = plans.keys().map(String::as_str);
            self.error(format!("--plan: unknown plan `{name}`; {}", suggest(name, known)));
        }
    }

    pub(super) fn check_settings(&mut self) {
        let settings = self.settings;
        if self.config.profiler.interval < Duration::from_millis(1) {
            self.error("[profiler] interval: must be at least 1ms".to_owned());
        }
        if self.config.server_metrics.interval < Duration::from_millis(100) {
            self.error("[server-metrics] interval: must be at least 100ms".to_owned());
        }
        // Samples of a profile of hours are as far apart, and no gap.
        if self.config.validity.profiler_gap < SPACING {
            self.error(format!(
                "[validity] profiler-gap: must be at least {}",
                humantime::format_duration(SPACING)
            ));
        }
        if settings.baseline.is_zero() {
            self.error("baseline: must be longer than 0s".to_owned());
        }
        self.check_durations();
        if !(1..=1000).contains(&settings.probe_rate) {
            self.error(format!("probe-rate: expected 1 to 1000, got {}", settings.probe_rate));
        }
        for (key, iterations) in
            [("iterations", settings.iterations), ("infra-iterations", settings.infra_iterations)]
        {
            if !(1..=MAX_ITERATIONS).contains(&iterations) {
                self.error(format!("{key}: expected 1 to {MAX_ITERATIONS}, got {iterations}"));
            }
        }
    }

    /// Checks that no configured time exceeds [`LONGEST_TIME`].
    fn check_durations(&mut self) {
        let (config, settings) = (self.config, self.settings);
        let all = [
            ("baseline", settings.baseline),
            ("cooldown", settings.cooldown),
            ("settle-timeout", settings.settle_timeout.unwrap_or_default()),
            ("scenario-timeout", settings.scenario_timeout),
            ("teardown-timeout", settings.teardown_timeout),
            ("[profiler] interval", config.profiler.interval),
            ("[server-metrics] interval", config.server_metrics.interval),
            ("[validity] send-lateness-p99", config.validity.send_lateness_p99),
            ("[validity] profiler-gap", config.validity.profiler_gap),
        ];
        for (key, _) in all.into_iter().filter(|(_, time)| *time > LONGEST_TIME) {
            self.error(format!(
                "{key}: must be at most {}",
                humantime::format_duration(LONGEST_TIME)
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::tests::MACHINE;
    use crate::config::Config;
    use crate::plan::{LoadPlan, UsageErrors};
    use crate::record::request::LoadRequest;

    #[rstest]
    #[case::of_less_than_a_second("500ms", Some("[validity] profiler-gap: must be at least 1s"))]
    #[case::of_a_second("1s", None)]
    fn a_sampling_gap_that_thinned_samples_do_not_show_is_an_error(
        #[case] gap: &str,
        #[case] expected: Option<&str>,
    ) {
        let text = format!("[plans.default]\n[validity]\nprofiler-gap = \"{gap}\"\n");
        let config = Config::parse(&text, "skyload.toml").unwrap();
        let resolved = LoadPlan::resolve(&LoadRequest::default(), &config, &MACHINE);
        let errors = resolved.err().map(|UsageErrors(errors)| errors).unwrap_or_default();
        let found = errors.iter().find(|error| error.contains("profiler-gap"));
        assert_eq!(found.map(String::as_str), expected);
    }
}
