//! What a file says that is of the right type and yet makes no sense.

use std::time::Duration;

use super::Resolver;
use super::size::MAX_ITERATIONS;
use crate::config::suggest;

/// The longest time that any part of a run takes, or that any wait is meant to.
const LONGEST_TIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

impl Resolver<'_> {
    /// A profile that is named must be there; only an empty file needs none.
    pub(super) fn name_of_profile(&mut self) {
        let (name, profiles) = (self.name, &self.config.profiles);
        let is_wanted = self.request.plan.is_some() || !profiles.is_empty();
        if is_wanted && !profiles.contains_key(name) {
            let known = profiles.keys().map(String::as_str);
            self.error(format!(
                "--profile: no profile is called `{name}`; {}",
                suggest(name, known)
            ));
        }
    }

    pub(super) fn settings(&mut self) {
        let profile = self.profile;
        if self.config.profiler.interval < Duration::from_millis(1) {
            self.error("[profiler] interval: it must be at least 1ms".to_owned());
        }
        if profile.baseline.is_zero() {
            self.error("baseline: without a baseline there is nothing to compare with".to_owned());
        }
        self.durations();
        if !(1..=1000).contains(&profile.probe_rate) {
            self.error(format!("probe-rate: {} is not from 1 to 1000", profile.probe_rate));
        }
        for (key, waves) in [("waves", profile.waves), ("infra-waves", profile.infra_waves)] {
            if !(1..=MAX_ITERATIONS).contains(&waves) {
                self.error(format!("{key}: {waves} is not from 1 to {MAX_ITERATIONS}"));
            }
        }
    }

    /// Times are counted from some moment: too long a one has no end.
    fn durations(&mut self) {
        let (config, profile) = (self.config, self.profile);
        let all = [
            ("baseline", profile.baseline),
            ("drain", profile.drain),
            ("settle", profile.settle.unwrap_or_default()),
            ("scenario-timeout", profile.scenario_timeout),
            ("teardown-timeout", profile.teardown_timeout),
            ("[profiler] interval", config.profiler.interval),
            ("[validity] send-lateness-p99", config.validity.send_lateness_p99),
            ("[validity] profiler-gap", config.validity.profiler_gap),
        ];
        for (key, _) in all.into_iter().filter(|(_, time)| *time > LONGEST_TIME) {
            self.error(format!(
                "{key}: it must be at most {}",
                humantime::format_duration(LONGEST_TIME)
            ));
        }
    }
}
