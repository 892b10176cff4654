//! SkyPilot's estimates of its processes' peak memory, each a constant in its source.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::class::ProcessClass;
use crate::record::environment::WorkerConstants;
use crate::units::{ByteSize, as_gib, as_mib, gib};

/// One of the constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Constant {
    /// Of an executor for long requests.
    Long,
    /// Of an executor for short requests.
    Short,
    /// Of a web worker, and of the process above them.
    Server,
    /// Of a managed-jobs controller inside of the server.
    Controller,
}

impl Constant {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Long, Self::Short, Self::Server, Self::Controller];

    /// Its name in SkyPilot's source. Releases before 0.10.5 put a `_` before it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Long => "LONG_WORKER_MEM_GB",
            Self::Short => "SHORT_WORKER_MEM_GB",
            Self::Server => "SERVER_WORKER_MEM_GB",
            Self::Controller => "JOB_WORKER_MEMORY_MB",
        }
    }

    /// The classes of processes that it is an estimate for.
    pub const fn classes(self) -> &'static [ProcessClass] {
        match self {
            Self::Long => &[ProcessClass::LongExecutor],
            Self::Short => &[ProcessClass::ShortExecutor],
            Self::Server => &[ProcessClass::Server, ProcessClass::ServerWorker],
            Self::Controller => &[ProcessClass::JobsController],
        }
    }

    /// Whether a run's peaks say enough to change it. A controller looks after up to
    /// 200 jobs, a run's after a few: what it peaks at then is no estimate for the other.
    pub const fn is_patched(self) -> bool {
        !matches!(self, Self::Controller)
    }

    /// What the version under test plans; the controllers' is not in its config module.
    pub(super) fn of(self, constants: &WorkerConstants) -> Option<ByteSize> {
        match self {
            Self::Long => constants.long,
            Self::Short => constants.short,
            Self::Server => constants.server,
            Self::Controller => None,
        }
    }

    /// The smallest value that is a whole number of steps and at least `size`: 0.05 GB
    /// or 50 MB, as finely as SkyPilot's own ever were.
    pub(super) fn round_up(self, size: ByteSize) -> ByteSize {
        const STEPS_PER_GIB: u64 = 20;
        const STEP_OF_CONTROLLERS: u64 = 50 << 20;
        match self {
            Self::Controller => ByteSize(
                size.as_u64().div_ceil(STEP_OF_CONTROLLERS).saturating_mul(STEP_OF_CONTROLLERS),
            ),
            Self::Long | Self::Short | Self::Server => {
                // Half a byte less: numbers are read to the nearest byte, some from below.
                let halves = (u128::from(size.as_u64()) * 2).saturating_sub(1);
                let steps = (halves * u128::from(STEPS_PER_GIB)).div_ceil(1 << 31);
                // To the nearest byte, as the constants of an installed SkyPilot are read:
                // equal numbers have to be equal sizes.
                let bytes =
                    ((steps << 30) + u128::from(STEPS_PER_GIB / 2)) / u128::from(STEPS_PER_GIB);
                ByteSize(u64::try_from(bytes).unwrap_or(u64::MAX))
            }
        }
    }

    /// A size as the number that stands in SkyPilot's source: `0.25`.
    pub fn spell(self, size: ByteSize) -> String {
        match self {
            Self::Controller => format!("{:.0}", as_mib(size)),
            // Sizes come from such numbers, so more digits would show rounding alone.
            Self::Long | Self::Short | Self::Server => format!("{:.4}", as_gib(size))
                .trim_end_matches('0')
                .trim_end_matches('.')
                .to_owned(),
        }
    }

    /// The size that a number in SkyPilot's source means.
    pub fn size(self, number: f64) -> ByteSize {
        match self {
            Self::Controller => gib(number / 1024.0),
            Self::Long | Self::Short | Self::Server => gib(number),
        }
    }
}

impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::of_a_number_is_the_number(gib(0.3), "0.3")]
    #[case::of_a_byte_more_is_the_next(ByteSize(gib(0.3).as_u64() + 2), "0.35")]
    #[case::of_little_is_a_step(ByteSize(1), "0.05")]
    #[case::of_whole_units_has_no_point(ByteSize::gib(1), "1")]
    fn rounding_up(#[case] size: ByteSize, #[case] spelled: &str) {
        assert_eq!(Constant::Short.spell(Constant::Short.round_up(size)), spelled);
    }

    #[test]
    fn rounded_values_are_equal_to_those_of_an_installed_skypilot() {
        for steps in 1_u32..40 {
            let installed = gib(f64::from(steps) * 0.05);
            assert_eq!(Constant::Long.round_up(installed), installed, "{steps}");
        }
    }

    #[test]
    fn controllers_count_in_megabytes_of_which_1024_are_a_gigabyte() {
        let controller = Constant::Controller;
        assert_eq!(controller.size(400.0), ByteSize::mib(400));
        assert_eq!(controller.spell(controller.round_up(ByteSize::mib(197))), "200");
    }
}
