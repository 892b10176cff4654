//! What other constants would change: how many workers SkyPilot starts on machines.
//!
//! The numbers are SkyPilot's own answers; this module only gives them types.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::constant::Constant;
use super::{Recommendation, Support};
use crate::units::{ByteSize, QuantityError, as_gib, gib};

/// What the constants would change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Effects {
    /// SkyPilot has not been asked.
    NotAsked,
    /// It could not be asked, for this reason.
    Unknown(String),
    /// It was asked.
    Known {
        /// Whether managed jobs were reckoned to run inside of the server, as they did in
        /// the runs.
        consolidated: bool,
        /// What it plans for each jobs controller; `None` for one that has no such constant.
        controller: Option<ByteSize>,
        /// Each machine, in each mode.
        machines: Vec<MachineEffect>,
    },
}

/// A machine, or a pod, that a server runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MachineSize {
    /// Its CPUs.
    pub cpus: u32,
    /// Its memory.
    pub memory: ByteSize,
}

/// The machines that are shown where none are named.
pub const USUAL: [MachineSize; 5] = [
    MachineSize { cpus: 2, memory: ByteSize::gib(4) },
    MachineSize { cpus: 2, memory: ByteSize::gib(8) },
    MachineSize { cpus: 4, memory: ByteSize::gib(16) },
    MachineSize { cpus: 8, memory: ByteSize::gib(32) },
    MachineSize { cpus: 16, memory: ByteSize::gib(64) },
];

impl FromStr for MachineSize {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let error = || QuantityError::new(text, "CPUs x GiB, such as `4x16`");
        let (cpus, memory) = text.trim().split_once('x').ok_or_else(error)?;
        let cpus: u32 = cpus.trim().parse().map_err(|_| error())?;
        let memory: f64 = memory.trim().parse().map_err(|_| error())?;
        // The upper ends keep slips such as bytes for GiB out of SkyPilot's arithmetic.
        if (1..=4096).contains(&cpus) && memory > 0.0 && memory <= 65536.0 {
            Ok(Self { cpus, memory: gib(memory) })
        } else {
            Err(error())
        }
    }
}

impl fmt::Display for MachineSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gibibytes = format!("{:.2}", as_gib(self.memory));
        let gibibytes = gibibytes.trim_end_matches('0').trim_end_matches('.');
        f.pad(&format!("{} CPU, {gibibytes} GiB", self.cpus))
    }
}

/// How a server is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// `sky api start`: at most four long executors that stay, and bursts.
    Local,
    /// `sky api start --deploy`: as many as fit, and no bursts.
    Deploy,
}

impl Mode {
    /// Its name in tables and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Deploy => "deploy",
        }
    }
}

/// How many workers SkyPilot starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Workers {
    /// Web workers.
    pub server: u32,
    /// Executors for long requests that stay.
    pub long: u32,
    /// Executors for short requests that stay.
    pub short: u32,
    /// More executors of each kind at the most, each for one request.
    pub burst: u32,
    /// Jobs controllers inside of the server; `None` where there are none, or where this
    /// SkyPilot cannot be asked for their number.
    pub controllers: Option<u32>,
}

/// One machine in one mode, before and after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MachineEffect {
    /// The machine.
    pub machine: MachineSize,
    /// How the server is started.
    pub mode: Mode,
    /// With SkyPilot's constants as they are.
    pub before: Workers,
    /// With the recommended ones.
    pub after: Workers,
}

impl Recommendation {
    /// The memory of so many workers if each were at its peak at the same moment, bursts
    /// left out; `None` when a peak is missing.
    pub fn at_peak(&self, mode: Mode, workers: &Workers) -> Option<ByteSize> {
        let peak = |constant: Constant| {
            self.constants.iter().find(|advice| advice.constant == constant).and_then(|advice| {
                match advice.support {
                    Support::Supported { peak, .. } => Some(peak.as_u64()),
                    Support::NotTried | Support::Unbounded => None,
                }
            })
        };
        // Above deployed web workers there is the process that started them.
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
        for (count, constant) in parts.into_iter().filter(|(count, _)| *count > 0) {
            sum = sum.saturating_add(count.saturating_mul(peak(constant)?));
        }
        Some(ByteSize(sum))
    }
}
