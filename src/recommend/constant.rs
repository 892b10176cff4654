//! Constants in SkyPilot's source: its estimates of the peak memory of its processes.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::class::ProcessClass;
use crate::record::environment::WorkerConstants;
use crate::units::{ByteSize, as_gib, as_mib, gib};

/// Constant in SkyPilot's source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Constant {
    /// Memory of a long executor.
    Long,
    /// Memory of a short executor.
    Short,
    /// Memory of a web worker, or of the server's main process.
    Server,
    /// Memory of a managed-jobs controller inside of the server.
    Controller,
}

impl Constant {
    /// Constants in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Long, Self::Short, Self::Server, Self::Controller];

    /// Name in SkyPilot's source. Releases before 0.10.5 have a leading `_`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Long => "LONG_WORKER_MEM_GB",
            Self::Short => "SHORT_WORKER_MEM_GB",
            Self::Server => "SERVER_WORKER_MEM_GB",
            Self::Controller => "JOB_WORKER_MEMORY_MB",
        }
    }

    /// Classes of processes that the constant is an estimate for.
    pub const fn classes(self) -> &'static [ProcessClass] {
        match self {
            Self::Long => &[ProcessClass::LongExecutor],
            Self::Short => &[ProcessClass::ShortExecutor],
            Self::Server => &[ProcessClass::Server, ProcessClass::ServerWorker],
            Self::Controller => &[ProcessClass::JobsController],
        }
    }

    /// Whether a patch may change the constant. A controller manages up to 200 jobs but has only a
    /// few in a run, so the peaks of runs are no estimate for it.
    pub const fn is_patched(self) -> bool {
        !matches!(self, Self::Controller)
    }

    /// Value in the version under test. `None` for the controllers', which is in another module.
    pub(super) fn of(self, constants: &WorkerConstants) -> Option<ByteSize> {
        match self {
            Self::Long => constants.long,
            Self::Short => constants.short,
            Self::Server => constants.server,
            Self::Controller => None,
        }
    }

    /// Smallest multiple of the step that is at least `size`. Steps are 0.05 GB, or 50 MB for
    /// controllers, the finest that SkyPilot's own values have had.
    pub(super) fn round_up(self, size: ByteSize) -> ByteSize {
        const STEPS_PER_GIB: u64 = 20;
        const STEP_OF_CONTROLLERS: u64 = 50 << 20;
        match self {
            Self::Controller => ByteSize(
                size.as_u64().div_ceil(STEP_OF_CONTROLLERS).saturating_mul(STEP_OF_CONTROLLERS),
            ),
            Self::Long | Self::Short | Self::Server => {
                // Half a byte less, since the sizes of SkyPilot's numbers are rounded to the
                // nearest byte: a size that was rounded up must not become the next step.
                let halves = (u128::from(size.as_u64()) * 2).saturating_sub(1);
                let steps = (halves * u128::from(STEPS_PER_GIB)).div_ceil(1 << 31);
                // Rounded to the nearest byte, like the constants of an installed SkyPilot, so
                // that equal numbers are equal sizes.
                let bytes =
                    ((steps << 30) + u128::from(STEPS_PER_GIB / 2)) / u128::from(STEPS_PER_GIB);
                ByteSize(u64::try_from(bytes).unwrap_or(u64::MAX))
            }
        }
    }

    /// Size as a number in SkyPilot's source, in the constant's unit: `0.25`.
    pub fn literal(self, size: ByteSize) -> String {
        match self {
            Self::Controller => format!("{:.0}", as_mib(size)),
            // Sizes come from numbers with few digits; more would only show rounding errors.
            Self::Long | Self::Short | Self::Server => format!("{:.4}", as_gib(size))
                .trim_end_matches('0')
                .trim_end_matches('.')
                .to_owned(),
        }
    }

    /// Size of a number in SkyPilot's source, in the constant's unit.
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
    #[case::a_step_stays(gib(0.3), "0.3")]
    #[case::a_byte_more_is_the_next_step(ByteSize(gib(0.3).as_u64() + 2), "0.35")]
    #[case::one_byte_is_a_step(ByteSize(1), "0.05")]
    #[case::whole_units_have_no_point(ByteSize::gib(1), "1")]
    fn rounding_up(#[case] size: ByteSize, #[case] expected: &str) {
        assert_eq!(Constant::Short.literal(Constant::Short.round_up(size)), expected);
    }

    #[test]
    fn rounded_values_are_equal_to_those_of_an_installed_skypilot() {
        for steps in 1_u32..40 {
            let installed = gib(f64::from(steps) * 0.05);
            assert_eq!(Constant::Long.round_up(installed), installed, "{steps}");
        }
    }

    #[test]
    fn the_unit_of_controllers_is_a_mebibyte() {
        let controller = Constant::Controller;
        assert_eq!(controller.size(400.0), ByteSize::mib(400));
        assert_eq!(controller.literal(controller.round_up(ByteSize::mib(197))), "200");
    }
}
