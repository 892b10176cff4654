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
    #[schemars(with = "crate::units::Seconds")]
    pub import: Duration,
    /// Time of one on the clock, while `concurrency` of them run.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub elapsed: Duration,
    /// Imports that ran at once.
    pub concurrency: usize,
    /// CPUs that other processes used meanwhile, where that is known.
    #[serde(default)]
    pub others: Option<f64>,
}

impl Speed {
    /// CPUs that are left beside whatever else runs on the machine. An import is all
    /// computing: the clock runs on only while others have the CPU.
    pub fn effective_cpus(self) -> f64 {
        // What takes longer than 20 times its CPU time waits for something else.
        const LEAST: f64 = 0.05;
        let cpus = self.cpus.usable();
        #[expect(clippy::cast_precision_loss, reason = "there are four at the most")]
        let concurrency = self.concurrency.max(1) as f64;
        // A quota of half a CPU lets an import take twice its CPU time, and nobody else has
        // taken any of it.
        let had = self.elapsed.as_secs_f64() * cpus.min(concurrency);
        let share = self.import.as_secs_f64() * concurrency / had;
        let share = if share.is_finite() { share.clamp(LEAST, 1.0) } else { 1.0 };
        // A few imports find free CPUs on a machine of many that are mostly taken. A quota is
        // less than the machine: what others take of the rest is nothing to it.
        let allowed = Cpus { quota: None, ..self.cpus }.usable();
        let free = self.others.filter(|others| others.is_finite()).map(|others| allowed - others);
        free.map_or(cpus * share, |free| free.min(cpus * share)).max(cpus * LEAST)
    }

    /// Time on the clock in which the machine does work of `cost` CPU-seconds, as
    /// [`Cost`] counts them, when nothing of the run waits.
    pub fn time_of(self, cost: f64) -> f64 {
        cost * self.factor() / self.effective_cpus()
    }

    /// Whether processes that get what nobody else wants get anything: nodes of the loopback
    /// infrastructure never come up on a machine that is kept busy, and on one CPU, which is
    /// the server's for as long as users start.
    pub fn leaves_cpu_for_nodes(self) -> bool {
        const FREE: f64 = 0.75;
        const LEAST: f64 = 1.5;
        self.effective_cpus() >= LEAST.max(FREE * self.cpus.usable())
    }

    /// CPU-seconds that this machine takes for one of the table of costs.
    pub fn factor(self) -> f64 {
        self.import.as_secs_f64() / Cost::REFERENCE_IMPORT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speed(import: f64, elapsed: f64) -> Speed {
        let seconds = Duration::from_secs_f64;
        let cpus = Cpus { allowed: 2, quota: None };
        Speed {
            cpus,
            import: seconds(import),
            elapsed: seconds(elapsed),
            concurrency: 2,
            others: None,
        }
    }

    #[test]
    fn what_others_take_of_the_cpus_is_not_counted() {
        assert_eq!(speed(2.0, 2.0).effective_cpus(), 2.0);
        assert_eq!(speed(2.0, 4.0).effective_cpus(), 1.0);
        assert_eq!(speed(2.0, 1.9).effective_cpus(), 2.0, "never more than there are");
        assert_eq!(speed(2.0, 0.0).effective_cpus(), 2.0, "a clock that stood still");
    }

    #[test]
    fn a_quota_is_counted_once() {
        let cpus = Cpus { allowed: 2, quota: Some(0.5) };
        let throttled = Speed { cpus, concurrency: 1, ..speed(2.0, 4.0) };
        assert_eq!(throttled.effective_cpus(), 0.5);
        let beside = Speed { others: Some(1.0), ..throttled };
        assert_eq!(beside.effective_cpus(), 0.5, "another has the other CPU");
    }

    #[test]
    fn a_few_imports_stand_for_many_cpus() {
        let cpus = Cpus { allowed: 64, quota: None };
        let quiet = Speed { cpus, concurrency: 4, ..speed(2.0, 2.0) };
        let busy = Speed { elapsed: Duration::from_secs(4), ..quiet };
        assert_eq!((quiet.effective_cpus(), busy.effective_cpus()), (64.0, 32.0));
        let taken = Speed { others: Some(48.0), ..quiet };
        assert_eq!(taken.effective_cpus(), 16.0);
    }

    #[test]
    fn work_takes_longer_on_a_machine_that_is_slower_or_shared() {
        assert_eq!(speed(2.0, 2.0).time_of(10.0), 5.0);
        assert_eq!(speed(4.0, 8.0).time_of(10.0), 20.0);
    }
}
