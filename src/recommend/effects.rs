//! Effects of changed constants: numbers of workers that SkyPilot starts on given machines.
//!
//! Types only; the numbers are computed by SkyPilot's own formulas.

use serde::{Deserialize, Serialize};

use super::constant::Constant;
use super::{Recommendation, Support};
use crate::machine_size::MachineSize;
use crate::units::ByteSize;

/// Effects of the recommended constants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Effects {
    /// Effects that are not computed yet.
    NotAsked,
    /// Reason for which they could not be computed.
    Unknown(String),
    /// Computed by SkyPilot.
    Known {
        /// Whether managed jobs run inside of the server, as in the runs.
        consolidated: bool,
        /// Memory that SkyPilot plans for each jobs controller; `None` in a release without this
        /// constant.
        controller: Option<ByteSize>,
        /// Effect on each machine in each mode.
        machines: Vec<MachineEffect>,
    },
}

/// Machines that are shown by default.
pub const DEFAULT_MACHINES: [MachineSize; 5] = [
    MachineSize { cpus: 2, memory: ByteSize::gib(4) },
    MachineSize { cpus: 2, memory: ByteSize::gib(8) },
    MachineSize { cpus: 4, memory: ByteSize::gib(16) },
    MachineSize { cpus: 8, memory: ByteSize::gib(32) },
    MachineSize { cpus: 16, memory: ByteSize::gib(64) },
];

/// Mode in which a server is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// `sky api start`: at most four permanent long executors, and more in bursts.
    Local,
    /// `sky api start --deploy`: as many permanent executors as fit into memory, no bursts.
    Deploy,
}

impl Mode {
    /// Name in tables and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Deploy => "deploy",
        }
    }
}

/// Numbers of workers that SkyPilot starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Workers {
    /// Web workers.
    pub server: u32,
    /// Permanent long executors.
    pub long: u32,
    /// Permanent short executors.
    pub short: u32,
    /// Maximum number of additional executors of each kind, each for one request.
    pub burst: u32,
    /// Jobs controllers inside of the server; `None` if there are none, or if this SkyPilot has no
    /// function for their number.
    pub controllers: Option<u32>,
}

/// Numbers of workers on one machine in one mode, before and after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MachineEffect {
    /// Machine that the server runs on.
    pub machine: MachineSize,
    /// Mode of the server.
    pub mode: Mode,
    /// Workers with SkyPilot's present constants.
    pub before: Workers,
    /// Workers with the recommended constants.
    pub after: Workers,
}

impl Recommendation {
    /// Memory of these workers if all are at their peaks at the same moment, without bursts;
    /// `None` if a peak is missing.
    pub fn at_peak(&self, mode: Mode, workers: &Workers) -> Option<ByteSize> {
        // In deploy mode a main process starts the web workers.
        let servers = match mode {
            Mode::Local => u64::from(workers.server),
            Mode::Deploy => u64::from(workers.server) + 1,
        };
        let parts = [
            (servers, Constant::Server),
            (u64::from(workers.long), Constant::Long),
            (u64::from(workers.short), Constant::Short),
            (u64::from(workers.controllers.unwrap_or(0)), Constant::Controller),
        ];
        let mut sum = 0_u64;
        // A missing peak matters only if there are workers that it is needed for.
        for (count, constant) in parts.into_iter().filter(|(count, _)| *count > 0) {
            sum = sum.saturating_add(count.saturating_mul(self.peak(constant)?.as_u64()));
        }
        Some(ByteSize(sum))
    }

    /// Number of these workers' short executors for which the memory of a machine is enough if
    /// all workers are at their peaks; `None` if a peak is missing.
    pub fn short_that_fit(&self, effect: &MachineEffect, workers: &Workers) -> Option<u32> {
        let others = self.at_peak(effect.mode, &Workers { short: 0, ..*workers })?;
        let left = effect.machine.memory.as_u64().saturating_sub(others.as_u64());
        let fit = left.checked_div(self.peak(Constant::Short)?.as_u64())?;
        Some(workers.short.min(u32::try_from(fit).unwrap_or(u32::MAX)))
    }

    /// Largest peak of the processes that a constant is an estimate for; `None` if there is none,
    /// or only a lower bound.
    fn peak(&self, constant: Constant) -> Option<ByteSize> {
        let advice = self.constants.iter().find(|advice| advice.constant == constant)?;
        match advice.support {
            Support::Supported { peak, .. } => Some(peak),
            Support::NotTried | Support::Unbounded => None,
        }
    }
}
