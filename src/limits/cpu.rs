//! CPU limits: the CPUs that a process may run on, and the CPU quota of its control groups.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::groups::{Groups, Version, number};

/// CPU time that a control group may use in each period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CpuQuota {
    /// CPU time per period, in microseconds.
    pub quota_micros: u64,
    /// Length of the period, in microseconds.
    pub period_micros: u64,
    /// Path of the file that sets the quota.
    pub file: String,
}

impl CpuQuota {
    /// Quota as a number of CPUs, such as 1.5.
    #[expect(clippy::cast_precision_loss, reason = "microseconds are far below 2^52")]
    pub fn cpus(&self) -> f64 {
        self.quota_micros as f64 / self.period_micros as f64
    }

    /// Smallest quota of the control groups of this process, from files below `root`.
    pub(super) fn below(root: &Path) -> Option<Self> {
        let groups = Groups::find(root, "self", "cpu")?;
        let quotas = groups.folders().iter().filter_map(|folder| {
            let (file, quota_micros, period_micros) = match groups.version {
                Version::V1 => read_v1(folder)?,
                Version::V2 => read_v2(folder)?,
            };
            let file = groups.name(&file);
            // A file may hold any number, and a period of 0 would make the quota infinite.
            (period_micros > 0).then_some(Self { quota_micros, period_micros, file })
        });
        quotas.min_by(|one, other| one.cpus().total_cmp(&other.cpus()))
    }
}

impl fmt::Display for CpuQuota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CPU quota of {} CPUs ({})", in_tenths(self.cpus()), self.file)
    }
}

fn read_v1(folder: &Path) -> Option<(PathBuf, u64, u64)> {
    // Without a quota the file has -1, which `number` does not read.
    let file = folder.join("cpu.cfs_quota_us");
    Some((file.clone(), number(&file)?, number(&folder.join("cpu.cfs_period_us"))?))
}

fn read_v2(folder: &Path) -> Option<(PathBuf, u64, u64)> {
    let file = folder.join("cpu.max");
    let text = fs::read_to_string(&file).ok()?;
    // Without a quota the first field is `max`, which is no number.
    let (quota, period) = text.trim().split_once(' ')?;
    Some((file, quota.parse().ok()?, period.parse().ok()?))
}

/// CPUs available to a run, the server included.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Cpus {
    /// Number of CPUs in the process's affinity mask.
    pub allowed: usize,
    /// CPU quota of the control groups as a number of CPUs, such as 1.5.
    pub quota: Option<f64>,
}

impl Cpus {
    /// CPUs available to this process.
    pub fn here() -> Self {
        let root = Path::new("/");
        let allowed = allowed(root);
        // Only a fallback: the standard library applies the quota, too, and rounds it down.
        let fallback = || std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            allowed: allowed.unwrap_or_else(fallback),
            quota: CpuQuota::below(root).map(|quota| quota.cpus()),
        }
    }

    /// Number of processes that can each use a whole CPU; at least one.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few CPUs")]
    pub fn whole(self) -> usize {
        (self.usable() as usize).max(1)
    }

    /// Number of usable CPUs: the smaller of affinity mask and quota.
    #[expect(clippy::cast_precision_loss, reason = "a machine has fewer than 2^52 CPUs")]
    pub fn usable(self) -> f64 {
        let allowed = self.allowed.max(1) as f64;
        self.quota.map_or(allowed, |quota| quota.min(allowed))
    }
}

impl fmt::Display for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&in_tenths(self.usable()))
    }
}

fn in_tenths(cpus: f64) -> String {
    match (cpus * 10.0).round() / 10.0 {
        whole if whole.fract() == 0.0 => format!("{whole:.0}"),
        part => format!("{part:.1}"),
    }
}

fn allowed(root: &Path) -> Option<usize> {
    let status = fs::read_to_string(root.join("proc/self/status")).ok()?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    count(list.trim())
}

/// Count of the CPUs in a list such as `0-3,8`.
fn count(list: &str) -> Option<usize> {
    let of_range = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        // Checked, since a file may hold any number.
        last.checked_sub(first)?.checked_add(1)
    };
    list.split(',').try_fold(0_usize, |sum, range| sum.checked_add(of_range(range)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpus_of_a_list_are_counted() {
        assert_eq!(count("0-3,8"), Some(5));
        assert_eq!(count("7"), Some(1));
        assert_eq!(count("all"), None);
        assert_eq!(count(&format!("0-{}", usize::MAX)), None);
    }

    #[test]
    fn a_quota_above_all_cpus_has_no_effect() {
        let cpus = |quota| Cpus { allowed: 4, quota };
        assert_eq!(cpus(Some(1.5)).to_string(), "1.5");
        assert_eq!(cpus(Some(8.0)).to_string(), "4");
        assert_eq!(cpus(None).to_string(), "4");
    }
}
