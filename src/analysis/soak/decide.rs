//! Length of a load that would decide whether a growth per hour is within a budget.

use std::time::Duration;

use super::RateInterval;
use crate::units::GrowthRate;

/// Longest load that is worth a forecast.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// Load that would bring the end of the interval next to the budget to the estimate's side of it;
/// `None` if that takes more than a week. The width of an interval falls with the power of 1.5 of
/// the time, by the time itself and by the number of readings.
pub(crate) fn time_to_decide(
    load: Duration,
    growth: RateInterval,
    budget: GrowthRate,
) -> Option<Duration> {
    let [low, estimate, high, budget] =
        [growth.low, growth.estimate, growth.high, budget].map(GrowthRate::as_bytes_per_hour);
    let half = if estimate > budget { estimate - low } else { high - estimate };
    let factor = (half / (estimate - budget).abs()).powf(2.0 / 3.0);
    let wanted = Duration::try_from_secs_f64(load.as_secs_f64() * factor.max(1.0)).ok()?;
    let minutes = wanted.as_secs().div_ceil(60);
    let wanted = Duration::from_secs(minutes * 60);
    (wanted <= LONGEST).then_some(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(low: f64, estimate: f64, high: f64) -> RateInterval {
        let [low, estimate, high] = [low, estimate, high].map(GrowthRate::mib_per_hour);
        RateInterval { low, estimate, high }
    }

    #[test]
    fn an_interval_eight_times_as_wide_as_needed_takes_four_times_as_long() {
        let wanted = |growth| {
            time_to_decide(Duration::from_secs(1200), growth, GrowthRate::mib_per_hour(5.0))
        };
        assert_eq!(wanted(interval(-20.0, 2.0, 26.0)), Some(Duration::from_secs(4800)));
        assert_eq!(wanted(interval(-16.0, 8.0, 50.0)), Some(Duration::from_secs(4800)));
    }

    #[test]
    fn an_estimate_at_the_budget_is_never_decided() {
        let wanted = |estimate| {
            let growth = interval(0.0, estimate, 10.0);
            time_to_decide(Duration::from_secs(1200), growth, GrowthRate::mib_per_hour(5.0))
        };
        assert_eq!([5.0, 5.0001].map(wanted), [None, None]);
    }
}
