//! What processes of the server under test found in their environment, and what of it
//! shapes their memory.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is known of the environment of the server's processes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ServerEnvironment {
    /// Nothing: the server is elsewhere, or the run is of a skyload that did not record it.
    #[default]
    Unrecorded,
    /// What it was started with.
    Recorded(Surroundings),
}

/// What a server was started with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Surroundings {
    /// Names of variables that were passed on to it from the shell.
    pub passed_on: Vec<String>,
    /// Names of the shell's variables that were not.
    pub left_out: Vec<String>,
    /// What shapes the memory of its processes.
    pub memory: MemoryShape,
}

/// What shapes the memory of a process beside its program. Peaks of servers that differ in
/// it are not comparable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MemoryShape {
    /// Variables of allocators and interpreters, and those that the server was given on
    /// purpose, with their values, or a hash where the value is nobody's business.
    pub variables: BTreeMap<String, String>,
    /// Whether the kernel backs memory with huge pages by itself.
    pub huge_pages: HugePages,
}

/// The machine's mode of transparent huge pages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HugePages {
    /// The machine does not say.
    #[default]
    Unknown,
    /// `always`, `madvise` or `never`.
    Mode(String),
}

/// Variables that change how much memory a Python process takes.
const MEMORY_VARIABLES: [&str; 11] = [
    "GLIBC_TUNABLES",
    "LD_PRELOAD",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONMALLOC",
    "PYTHONNODEBUGRANGES",
    "PYTHONOPTIMIZE",
    "PYTHONTRACEMALLOC",
    "PYTHON_GIL",
];

/// Beginnings of the names of more variables that change how much memory a process takes.
/// glibc and jemalloc share the first.
const MEMORY_PREFIXES: [&str; 3] = ["MALLOC_", "MIMALLOC_", "TCMALLOC_"];

impl ServerEnvironment {
    /// What shapes the memory of the server's processes, where that is on record.
    pub const fn memory(&self) -> Option<&MemoryShape> {
        match self {
            Self::Unrecorded => None,
            Self::Recorded(found) => Some(&found.memory),
        }
    }
}

impl MemoryShape {
    /// Whether a variable of this name shapes memory.
    pub fn is_shaped_by(name: &str) -> bool {
        MEMORY_VARIABLES.contains(&name)
            || MEMORY_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    }

    /// What differs, in words; `None` where nothing does. A mode of huge pages that one
    /// of the two does not know says nothing.
    pub fn difference_to(&self, other: &Self) -> Option<String> {
        let names: std::collections::BTreeSet<&String> =
            self.variables.keys().chain(other.variables.keys()).collect();
        let mut differences: Vec<String> = names
            .into_iter()
            .filter(|name| self.variables.get(*name) != other.variables.get(*name))
            .map(|name| {
                let value = |of: &Self| {
                    of.variables
                        .get(name)
                        .map_or_else(|| "unset".to_owned(), |it| format!("`{it}`"))
                };
                format!("{name} is {} and {}", value(self), value(other))
            })
            .collect();
        if let (HugePages::Mode(ours), HugePages::Mode(theirs)) =
            (&self.huge_pages, &other.huge_pages)
            && ours != theirs
        {
            differences.push(format!("transparent huge pages are `{ours}` and `{theirs}`"));
        }
        (!differences.is_empty()).then(|| differences.join("; "))
    }

    /// The variables, as they would be typed.
    pub fn assignments(&self) -> Vec<String> {
        self.variables.iter().map(|(name, value)| format!("{name}={value}")).collect()
    }
}

impl HugePages {
    /// The mode in `/sys/kernel/mm/transparent_hugepage/enabled`: `always [madvise] never`.
    pub fn parse(text: &str) -> Self {
        let mode = text.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
        mode.map_or(Self::Unknown, |(mode, _)| Self::Mode(mode.to_owned()))
    }
}

impl fmt::Display for HugePages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("unknown"),
            Self::Mode(mode) => f.write_str(mode),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(variables: &[(&str, &str)], mode: &str) -> MemoryShape {
        let owned = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        MemoryShape { variables: owned.collect(), huge_pages: HugePages::parse(mode) }
    }

    #[test]
    fn differences_are_named_and_equal_shapes_have_none() {
        let plain = shape(&[], "always [madvise] never");
        let other = shape(&[("MALLOC_ARENA_MAX", "1")], "[always] madvise never");
        assert_eq!(plain.difference_to(&plain), None);
        assert_eq!(
            plain.difference_to(&other).unwrap(),
            "MALLOC_ARENA_MAX is unset and `1`; transparent huge pages are `madvise` and `always`"
        );
    }

    #[test]
    fn a_machine_that_does_not_say_differs_from_none() {
        assert_eq!(shape(&[], "").difference_to(&shape(&[], "[never]")), None);
    }

    #[test]
    fn allocators_settings_shape_memory_and_a_locale_does_not() {
        for name in ["MALLOC_ARENA_MAX", "PYTHONMALLOC", "LD_PRELOAD", "MALLOC_CONF"] {
            assert!(MemoryShape::is_shaped_by(name), "{name}");
        }
        for name in ["LANG", "PYTHONPATH", "PATH"] {
            assert!(!MemoryShape::is_shaped_by(name), "{name}");
        }
    }
}
