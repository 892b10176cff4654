//! Speed of a machine, measured by `import sky`: imports are most of a server's CPU time.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits::Cpus;
use crate::machine_size::MachineSize;
use crate::plan::LoadPlan;
use crate::scenario::Cost;
use crate::units;

/// Speed of a machine at the time of a run, with other processes running.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Speed {
    /// Usable CPUs.
    pub cpus: Cpus,
    /// CPU time of one `import sky`, in seconds.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub import: Duration,
    /// Elapsed time of one `import sky` while `concurrency` of them run, in seconds.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub elapsed: Duration,
    /// Number of concurrent imports in the measurement.
    pub concurrency: usize,
    /// CPUs that other processes used during the measurement; `None` if unknown.
    #[serde(default)]
    pub others: Option<f64>,
}

impl Speed {
    /// CPUs that other processes leave. An import only computes, so elapsed time beyond its CPU
    /// time is time in which other processes had the CPU.
    pub fn effective_cpus(self) -> f64 {
        // An import that takes 20 times its CPU time waited for something else, such as a disk.
        const LEAST: f64 = 0.05;
        let cpus = self.cpus.usable();
        #[expect(clippy::cast_precision_loss, reason = "a few imports")]
        let concurrency = self.concurrency.max(1) as f64;
        // A quota of half a CPU alone doubles the elapsed time: `cpus` is the quota then, so that
        // the loss is not counted twice.
        let offered = self.elapsed.as_secs_f64() * cpus.min(concurrency);
        let share = self.import.as_secs_f64() * concurrency / offered;
        let share = if share.is_finite() { share.clamp(LEAST, 1.0) } else { 1.0 };
        // A few imports find free CPUs on a large machine that is mostly busy, so the CPUs that
        // others use are subtracted, too. A quota does not bound what others use: they are
        // subtracted from all allowed CPUs.
        let allowed = Cpus { quota: None, ..self.cpus }.usable();
        let free = self.others.filter(|others| others.is_finite()).map(|others| allowed - others);
        free.map_or(cpus * share, |free| free.min(cpus * share)).max(cpus * LEAST)
    }

    /// Speed with no more CPUs than a server of this size may use.
    #[must_use]
    pub fn within(self, size: Option<MachineSize>) -> Self {
        let Some(size) = size else { return self };
        let limit = f64::from(size.cpus);
        let quota = self.cpus.quota.map_or(limit, |quota| quota.min(limit));
        Self { cpus: Cpus { quota: Some(quota), ..self.cpus }, ..self }
    }

    /// Elapsed time in seconds for work of `cost` CPU-seconds of the reference machine (see
    /// [`Cost`]), if nothing waits.
    pub fn time_of(self, cost: f64) -> f64 {
        cost * self.factor() / self.effective_cpus()
    }

    /// Whether processes at idle CPU priority get enough CPU. At this priority, nodes of the
    /// loopback Slurm cluster never start on a busy machine, nor on a single CPU, which the
    /// server uses for as long as users start.
    pub fn leaves_cpu_for_nodes(self) -> bool {
        const FREE: f64 = 0.75;
        // More than one CPU, since the imports of the server's executors can fill a whole one.
        const LEAST: f64 = 1.5;
        self.effective_cpus() >= LEAST.max(FREE * self.cpus.usable())
    }

    /// Whether other processes use at least one of the CPUs that a run may use. A quota leaves
    /// CPUs to others, which take nothing from the run.
    pub fn is_shared(self) -> bool {
        let allowed = Cpus { quota: None, ..self.cpus }.usable();
        let beyond = allowed - self.cpus.usable();
        self.others.is_some_and(|others| others - beyond >= 1.0)
    }

    /// CPU-seconds on this machine per CPU-second of the reference machine.
    pub fn factor(self) -> f64 {
        self.import.as_secs_f64() / Cost::REFERENCE_IMPORT
    }
}

impl LoadPlan {
    /// Speed of this machine for its server, which may have fewer CPUs; `None` if it was not
    /// measured.
    pub(super) fn server_speed(&self) -> Option<Speed> {
        self.speed.map(|speed| speed.within(self.size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::ByteSize;

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
    fn cpus_used_by_other_processes_are_not_effective() {
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
        let shared = Speed { others: Some(1.0), ..throttled };
        assert_eq!(shared.effective_cpus(), 0.5, "others use the other CPU");
    }

    #[test]
    fn a_server_of_a_size_has_no_more_cpus_than_that() {
        let size = |cpus| Some(MachineSize { cpus, memory: ByteSize::gib(4) });
        assert_eq!(speed(2.0, 2.0).within(size(1)).effective_cpus(), 1.0);
        assert_eq!(speed(2.0, 2.0).within(size(8)).effective_cpus(), 2.0);
        assert_eq!(speed(2.0, 2.0).within(None), speed(2.0, 2.0));
    }

    #[test]
    fn a_few_imports_measure_many_cpus() {
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
