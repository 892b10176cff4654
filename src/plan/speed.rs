//! How fast a machine is, in the one unit that counts here: an `import sky`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits::Cpus;
use crate::scenario::Cost;
use crate::units;

/// Speed of a machine at the time of a run, with whatever else runs on it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Speed {
    /// CPUs that can be used.
    pub cpus: Cpus,
    /// CPU time of one `import sky`.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::schema::Seconds")]
    pub import: Duration,
    /// Time of one on the clock, while one runs on each CPU (four at the most).
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::schema::Seconds")]
    pub elapsed: Duration,
}

impl Speed {
    /// CPUs that are left beside whatever else runs on the machine. An import is all
    /// computing: the clock runs on only while others have the CPU.
    pub fn effective_cpus(self) -> f64 {
        // What takes longer than 20 times its CPU time waits for something else.
        const LEAST: f64 = 0.05;
        let share = self.import.as_secs_f64() / self.elapsed.as_secs_f64();
        let share = if share.is_finite() { share.clamp(LEAST, 1.0) } else { 1.0 };
        self.cpus.that_count() * share
    }

    /// Time on the clock in which the machine does work of `cost` CPU-seconds, as
    /// [`Cost`] counts them, when nothing of the run waits.
    pub fn time_of(self, cost: f64) -> f64 {
        cost * self.factor() / self.effective_cpus()
    }

    /// CPU-seconds that this machine takes for one of the table of costs.
    pub fn factor(self) -> f64 {
        self.import.as_secs_f64() / Cost::OF_ONE_IMPORT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speed(import: f64, elapsed: f64) -> Speed {
        let seconds = Duration::from_secs_f64;
        let cpus = Cpus { allowed: 2, quota: None };
        Speed { cpus, import: seconds(import), elapsed: seconds(elapsed) }
    }

    #[test]
    fn what_others_take_of_the_cpus_is_not_counted() {
        assert_eq!(speed(2.0, 2.0).effective_cpus(), 2.0);
        assert_eq!(speed(2.0, 4.0).effective_cpus(), 1.0);
        assert_eq!(speed(2.0, 1.9).effective_cpus(), 2.0, "never more than there are");
        assert_eq!(speed(2.0, 0.0).effective_cpus(), 2.0, "a clock that stood still");
    }

    #[test]
    fn work_takes_longer_on_a_machine_that_is_slower_or_shared() {
        assert_eq!(speed(2.0, 2.0).time_of(10.0), 5.0);
        assert_eq!(speed(4.0, 8.0).time_of(10.0), 20.0);
    }
}
