//! Patch of SkyPilot's source with the recommended constants.

use std::collections::BTreeMap;
use std::ops::Range;

use similar::TextDiff;

use super::constant::Constant;
use crate::units::ByteSize;

/// Reason for which a module cannot be patched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// Module without an assignment of a number to the constant at its top level.
    #[error("expected `{constant} = NUMBER` in `{path}`, found none")]
    NotFound {
        /// Path of the module.
        path: String,
        /// Constant that is missing.
        constant: Constant,
    },
    /// Module with another value than in the runs.
    #[error(
        "expected {constant} = {expected} in `{path}`, as in the runs, found {found}: the module has \
         changed since"
    )]
    Changed {
        /// Path of the module.
        path: String,
        /// Constant with another value.
        constant: Constant,
        /// Value in the module.
        found: String,
        /// Value in the runs.
        expected: String,
    },
}

/// Change of a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Value in the runs.
    pub from: ByteSize,
    /// Recommended value.
    pub to: ByteSize,
}

/// Unified diff of the module at `path` (as in a checkout of SkyPilot) with the text `source`;
/// empty if nothing changes. Replaces only the numbers, not annotations or comments.
pub fn unified(
    path: &str,
    source: &str,
    changes: &BTreeMap<Constant, Change>,
) -> Result<String, PatchError> {
    let mut numbers = Vec::new();
    for (&constant, change) in changes {
        let number = find(source, constant)
            .ok_or_else(|| PatchError::NotFound { path: path.to_owned(), constant })?;
        let found = &source[number.clone()];
        // Cannot fail: `find` accepts only text that parses.
        let size = found.replace('_', "").parse().map(|number| constant.size(number));
        if size != Ok(change.from) {
            return Err(PatchError::Changed {
                path: path.to_owned(),
                constant,
                found: found.to_owned(),
                expected: constant.literal(change.from),
            });
        }
        if change.from != change.to {
            numbers.push((number, constant.literal(change.to)));
        }
    }
    // From the end, so that the remaining ranges stay valid.
    numbers.sort_by_key(|(number, _)| std::cmp::Reverse(number.start));
    let mut changed = source.to_owned();
    for (number, value) in numbers {
        changed.replace_range(number, &value);
    }
    let diff = TextDiff::from_lines(source, &changed);
    let names = (format!("a/{path}"), format!("b/{path}"));
    Ok(diff.unified_diff().context_radius(3).header(&names.0, &names.1).to_string())
}

/// Range of the number that a module assigns to a constant at its top level.
fn find(source: &str, constant: Constant) -> Option<Range<usize>> {
    let mut begin = 0;
    for line in source.split_inclusive('\n') {
        if let Some(number) = number_of(line, constant.name()) {
            return Some(begin + number.start..begin + number.end);
        }
        begin += line.len();
    }
    None
}

/// Range of the number in `NAME = 0.4` or `_NAME: float = 0.4  # why`.
fn number_of(line: &str, name: &str) -> Option<Range<usize>> {
    let after_name = line.strip_prefix('_').unwrap_or(line).strip_prefix(name)?;
    let (annotation, value) = after_name.split_once('=')?;
    let annotation = annotation.trim();
    // Otherwise `name` is only the beginning of a longer name, as in `NAME_MAX = 1`.
    if !(annotation.is_empty() || annotation.starts_with(':')) {
        return None;
    }
    let value = value.trim_start();
    let start = line.len() - value.len();
    let is_of_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | '_');
    let length = value.find(|c| !is_of_number(c)).unwrap_or(value.len());
    let rest = value[length..].trim();
    // In an expression such as `0.4 * FACTOR` the number is not the constant's value.
    let stands_alone = rest.is_empty() || rest.starts_with('#') || rest.starts_with(';');
    // Python allows `_` between digits, Rust's parser does not.
    let is_number = value[..length].replace('_', "").parse::<f64>().is_ok();
    (stands_alone && is_number).then(|| start..start + length)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::units::gib;

    const MODULE: &str = "import os\n\n# Why.\nLONG_WORKER_MEM_GB: float = 0.4  # measured\n\
                          SHORT_WORKER_MEM_GB = 0.3\nSERVER_WORKER_MEM_GB = 0.4\n\n\
                          def f():\n    return LONG_WORKER_MEM_GB * 2\n";

    fn change(from: f64, to: f64) -> Change {
        Change { from: gib(from), to: gib(to) }
    }

    #[test]
    fn only_the_numbers_change() {
        let changes = BTreeMap::from([
            (Constant::Long, change(0.4, 0.25)),
            (Constant::Short, change(0.3, 0.3)),
            (Constant::Server, change(0.4, 1.0)),
        ]);
        let diff = unified("sky/server/config.py", MODULE, &changes).unwrap();
        assert_eq!(
            diff,
            "--- a/sky/server/config.py\n+++ b/sky/server/config.py\n@@ -1,9 +1,9 @@\n import os\n \n \
             # Why.\n-LONG_WORKER_MEM_GB: float = 0.4  # measured\n\
             +LONG_WORKER_MEM_GB: float = 0.25  # measured\n SHORT_WORKER_MEM_GB = 0.3\n\
             -SERVER_WORKER_MEM_GB = 0.4\n+SERVER_WORKER_MEM_GB = 1\n \n def f():\n     \
             return LONG_WORKER_MEM_GB * 2\n"
        );
    }

    #[rstest]
    #[case::plain("LONG_WORKER_MEM_GB = 0.4\n", Some("0.4"))]
    #[case::of_older_releases("_LONG_WORKER_MEM_GB = 0.4\n", Some("0.4"))]
    #[case::without_spaces("LONG_WORKER_MEM_GB=.4\n", Some(".4"))]
    #[case::with_a_type("LONG_WORKER_MEM_GB: Final[float] = 0.40\r\n", Some("0.40"))]
    #[case::with_a_comment("LONG_WORKER_MEM_GB = 1# = 2\n", Some("1"))]
    #[case::without_a_line_end("LONG_WORKER_MEM_GB = 0.4", Some("0.4"))]
    #[case::in_a_function("    LONG_WORKER_MEM_GB = 0.4\n", None)]
    #[case::of_a_longer_name("LONG_WORKER_MEM_GB_MAX = 0.4\n", None)]
    #[case::compared("LONG_WORKER_MEM_GB == 0.4\n", None)]
    #[case::computed("LONG_WORKER_MEM_GB = 0.4 * 2\n", None)]
    #[case::copied("LONG_WORKER_MEM_GB = OTHER\n", None)]
    #[case::in_a_comment("# LONG_WORKER_MEM_GB = 0.4\n", None)]
    fn the_number_of_an_assignment(#[case] line: &str, #[case] number: Option<&str>) {
        assert_eq!(find(line, Constant::Long).map(|range| &line[range]), number);
    }

    #[test]
    fn an_unchanged_value_gives_an_empty_diff() {
        let changes = BTreeMap::from([(Constant::Long, change(0.4, 0.4))]);
        assert_eq!(unified("sky/server/config.py", MODULE, &changes).unwrap(), "");
    }

    #[test]
    fn a_module_without_the_constant_is_an_error_with_its_name() {
        let changes = BTreeMap::from([(Constant::Long, change(0.4, 0.5))]);
        let error = unified("sky/x.py", "import os\n", &changes).unwrap_err();
        let expected = "expected `LONG_WORKER_MEM_GB = NUMBER` in `sky/x.py`, found none";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_module_that_has_changed_since_the_runs_is_an_error() {
        let changes = BTreeMap::from([(Constant::Short, change(0.25, 0.35))]);
        let error = unified("sky/x.py", MODULE, &changes).unwrap_err().to_string();
        assert!(error.contains("expected SHORT_WORKER_MEM_GB = 0.25"), "{error}");
        assert!(error.contains("found 0.3:"), "{error}");
    }
}
