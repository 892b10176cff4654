//! How fast a load begins, and how long it may take.

use std::time::Duration;

use super::Resolver;
use crate::config::{FitSetting, RampSetting};

/// How fast a load begins, and how long it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    pub(super) ramp: RampSetting,
    pub(super) fit: FitSetting,
}

impl Pace {
    /// The time that the load is to take at the most, if it is limited.
    pub(super) const fn within(self) -> Option<Duration> {
        match self.fit {
            FitSetting::Off => None,
            FitSetting::Within(time) => Some(time),
        }
    }
}

impl Resolver<'_> {
    /// Flags count before the file. The file's pace is for the file's load: `-n` alone asks
    /// for a burst, as in the original, and whoever asks for a size gets that size.
    pub(super) fn pace(&mut self) -> Pace {
        let (request, settings) = (self.request, self.settings);
        let is_sized = request.users.is_some() || request.iterations.is_some();
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
                "{place}: the last users would start after {}, when their scenarios end anyway \
                 (scenario-timeout is {})",
                humantime::format_duration(time),
                humantime::format_duration(settings.scenario_timeout)
            ));
        }
        if let (Some(_), RampSetting::Over(time), FitSetting::Within(within)) =
            (&request.ramp, ramp, fit)
            && request.fit.is_some()
            && time >= within
        {
            self.error(format!(
                "--fit: starts that are starts of users spread over {} leave nothing of {}",
                humantime::format_duration(time),
                humantime::format_duration(within)
            ));
        }
        Pace { ramp, fit }
    }

    fn setting<T: std::str::FromStr<Err: std::fmt::Display>>(
        &mut self,
        flag: &str,
        text: Option<&str>,
    ) -> Option<T> {
        let parsed = text?.parse();
        parsed.map_err(|error| self.error(format!("{flag}: {error}"))).ok()
    }
}
