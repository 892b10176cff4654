//! Size of a machine, or of a pod, that a server runs on: CPUs and memory.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::units::{ByteSize, QuantityError, as_gib, gib};

/// Machine, or pod, that a server runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MachineSize {
    /// Number of CPUs. A whole number, since SkyPilot rounds fractions down.
    pub cpus: u32,
    /// Memory in bytes.
    pub memory: ByteSize,
}

impl MachineSize {
    /// Memory as a number of GiB, such as `16` or `3.5`.
    pub fn gibibytes(&self) -> String {
        let text = format!("{:.2}", as_gib(self.memory));
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }

    /// Text that a flag takes: `4x16`.
    pub fn typed(&self) -> String {
        format!("{}x{}", self.cpus, self.gibibytes())
    }
}

impl FromStr for MachineSize {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let error = || QuantityError::new(text, "whole CPUs x GiB, such as `4x16`");
        let (cpus, memory) = text.trim().split_once('x').ok_or_else(error)?;
        let cpus: u32 = cpus.trim().parse().map_err(|_| error())?;
        let memory = memory.trim();
        let memory = memory.strip_suffix("GiB").unwrap_or(memory).trim();
        let memory: f64 = memory.parse().map_err(|_| error())?;
        // The upper limits catch mistakes such as bytes instead of GiB, the lower one amounts
        // that would be written as 0 GiB.
        if (1..=4096).contains(&cpus) && (0.01..=65536.0).contains(&memory) {
            Ok(Self { cpus, memory: gib(memory) })
        } else {
            Err(error())
        }
    }
}

impl fmt::Display for MachineSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{} CPU, {} GiB", self.cpus, self.gibibytes()))
    }
}

/// Deserializes a size from the text that a flag takes.
///
/// # Errors
///
/// If the text is no size.
pub(crate) fn from_text<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<MachineSize>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("4x16", 4, 16.0)]
    #[case("4x16GiB", 4, 16.0)]
    #[case(" 2 x 3.5 GiB ", 2, 3.5)]
    fn a_size_is_read_and_written(#[case] text: &str, #[case] cpus: u32, #[case] memory: f64) {
        let size: MachineSize = text.parse().unwrap();
        assert_eq!(size, MachineSize { cpus, memory: gib(memory) });
        assert_eq!(size.typed().parse(), Ok(size));
    }

    #[rstest]
    #[case::half_a_cpu("1.5x4")]
    #[case::no_cpu("0x4")]
    #[case::no_memory("2x0")]
    #[case::less_than_can_be_written("2x0.001")]
    #[case::another_unit("2x4GB")]
    #[case::no_number("2xNaN")]
    #[case::bytes("2x4294967296")]
    #[case::one_number("4")]
    fn what_is_no_size_is_an_error(#[case] text: &str) {
        assert!(text.parse::<MachineSize>().is_err());
    }
}
