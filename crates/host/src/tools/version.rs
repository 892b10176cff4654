//! Versions that tools report.

use std::fmt;

/// Version of up to three numbers; suffixes such as `-rc.1` are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ToolVersion(pub u32, pub u32, pub u32);

impl ToolVersion {
    /// Version in a tool's output of `--version`, such as
    /// `uv 0.13.9 (x86_64-unknown-linux-gnu)`.
    pub fn find_in(output: &str) -> Option<Self> {
        output.split_whitespace().find_map(Self::parse)
    }

    fn parse(word: &str) -> Option<Self> {
        let mut numbers = word.split('.').map(|part| {
            let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            part[..end].parse().ok()
        });
        let (major, minor) = (numbers.next()??, numbers.next()??);
        Some(Self(major, minor, numbers.next().flatten().unwrap_or(0)))
    }
}

impl fmt::Display for ToolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("uv 0.13.9 (x86_64-unknown-linux-gnu)", ToolVersion(0, 13, 9))]
    #[case(
        "cargo-nextest 0.9.143 (60fa45f63 2026-08-04)\nrelease: 0.9.143",
        ToolVersion(0, 9, 143)
    )]
    #[case("uv 0.5", ToolVersion(0, 5, 0))]
    #[case("tool 1.2.3-rc.1", ToolVersion(1, 2, 3))]
    fn versions_are_found_in_output_of_tools(#[case] output: &str, #[case] version: ToolVersion) {
        assert_eq!(ToolVersion::find_in(output), Some(version));
    }

    #[test]
    fn no_text_is_too_odd_to_be_parsed() {
        crate::changes::try_changes(
            b"cargo-nextest 0.9.143 (60fa45f63)\nrelease: 1.2.3-rc.1",
            |text| {
                _ = ToolVersion::find_in(&String::from_utf8_lossy(text));
            },
        );
    }

    #[test]
    fn a_text_without_a_version_has_none() {
        assert_eq!(ToolVersion::find_in("pyenv: uv: command not found"), None);
        assert_eq!(ToolVersion::find_in(""), None);
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert!(ToolVersion(0, 9, 116) > ToolVersion(0, 9, 99));
    }
}
