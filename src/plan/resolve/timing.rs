//! Timing of a load: its ramp, and the time limit to fit it to.

use std::time::Duration;

use super::Resolver;
use crate::config::{FitSetting, RampSetting};

/// Ramp and time limit of a load, from flags and settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timing {
    pub(super) ramp: RampSetting,
    pub(super) fit: FitSetting,
}

impl Timing {
    /// Time limit of the load, if there is one.
    pub(super) const fn within(self) -> Option<Duration> {
        match self.fit {
            FitSetting::Off => None,
            FitSetting::Within(time) => Some(time),
        }
    }
}

impl Resolver<'_> {
    /// Timing of flags, and of the plan's settings for the rest. The settings suit the plan's
    /// own size: `-n` without `--ramp` is a burst, as upstream, and a size set by flags is not
    /// reduced.
    pub(super) fn timing(&mut self) -> Timing {
        let (request, settings) = (self.request, self.settings);
        let sizes =
            [&request.users, &request.iterations, &request.time, &request.rate, &request.stages];
        let is_sized = sizes.into_iter().any(Option::is_some);
        let by_default = match request.users {
            Some(_) => RampSetting::BURST,
            None => settings.ramp,
        };
        let fit_by_default = if is_sized { FitSetting::Off } else { settings.fit };
        let ramp = self.setting("--ramp", request.ramp.as_deref()).unwrap_or(by_default);
        let fit = self.setting("--fit", request.fit.as_deref()).unwrap_or(fit_by_default);
        if let RampSetting::Over(time) = ramp
            && time >= settings.scenario_timeout
        {
            let place = if request.ramp.is_some() { "--ramp" } else { "ramp" };
            self.error(format!(
                "{place}: expected less than the scenario-timeout of {}, got {}",
                humantime::format_duration(settings.scenario_timeout),
                humantime::format_duration(time)
            ));
        }
        // A typed ramp takes its time with any number of users, so no reduction gets below it.
        if let (Some(_), RampSetting::Over(time), FitSetting::Within(within)) =
            (&request.ramp, ramp, fit)
            && request.fit.is_some()
            && time >= within
        {
            self.error(format!(
                "--fit: expected more than the --ramp of {}, got {}",
                humantime::format_duration(time),
                humantime::format_duration(within)
            ));
        }
        Timing { ramp, fit }
    }

    /// Value of a flag; an invalid one is a usage error.
    pub(super) fn setting<T: std::str::FromStr<Err: std::fmt::Display>>(
        &mut self,
        flag: &str,
        text: Option<&str>,
    ) -> Option<T> {
        let parsed = text?.parse();
        parsed.map_err(|error| self.error(format!("{flag}: {error}"))).ok()
    }
}
