//! Environment variables of the server under test, and settings that affect its memory.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Environment of the server's processes, as far as recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ServerEnvironment {
    /// Unrecorded environment: the server is remote, or the run is of an earlier build of skyload.
    #[default]
    Unrecorded,
    /// Environment that the server was started with.
    Recorded(RecordedEnvironment),
}

/// Environment that a server was started with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RecordedEnvironment {
    /// Names of the shell's variables that were passed to the server.
    pub passed_on: Vec<String>,
    /// Names of the shell's variables that were not passed to the server.
    pub left_out: Vec<String>,
    /// Settings that affect the memory of the server's processes.
    pub memory: MemorySettings,
}

/// Settings that affect the memory of a process. Peaks of servers with different settings are
/// not comparable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MemorySettings {
    /// Variables of memory allocators and of Python, and those of `--server-env`, with their
    /// values, or with a hash of a value that may be a secret.
    pub variables: BTreeMap<String, String>,
    /// Mode of transparent huge pages.
    pub huge_pages: HugePages,
}

/// Mode of the kernel's transparent huge pages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HugePages {
    /// Mode that could not be read.
    #[default]
    Unknown,
    /// Mode as the kernel names it: `always`, `madvise` or `never`.
    Mode(String),
}

/// Names of variables that change the memory use of a Python process.
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

/// Prefixes of the names of allocator variables that change the memory use of a process.
/// `MALLOC_` is used by both glibc and jemalloc.
const MEMORY_PREFIXES: [&str; 3] = ["MALLOC_", "MIMALLOC_", "TCMALLOC_"];

impl ServerEnvironment {
    /// Settings that affect the memory of the server's processes, if recorded.
    pub const fn memory(&self) -> Option<&MemorySettings> {
        match self {
            Self::Unrecorded => None,
            Self::Recorded(recorded) => Some(&recorded.memory),
        }
    }
}

impl MemorySettings {
    /// Whether a variable with this name affects memory.
    pub fn affects_memory(name: &str) -> bool {
        MEMORY_VARIABLES.contains(&name)
            || MEMORY_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    }

    /// Message that names the differences; `None` if there are none. Modes of huge pages are
    /// compared only if both are known.
    pub fn difference_to(&self, other: &Self) -> Option<String> {
        let names: std::collections::BTreeSet<&String> =
            self.variables.keys().chain(other.variables.keys()).collect();
        let mut differences: Vec<String> = names
            .into_iter()
            .filter(|name| self.variables.get(*name) != other.variables.get(*name))
            .map(|name| {
                let value = |settings: &Self| {
                    settings
                        .variables
                        .get(name)
                        .map_or_else(|| "unset".to_owned(), |value| format!("`{value}`"))
                };
                format!("{name} is {} and {}", value(self), value(other))
            })
            .collect();
        if let (HugePages::Mode(mode), HugePages::Mode(other_mode)) =
            (&self.huge_pages, &other.huge_pages)
            && mode != other_mode
        {
            differences.push(format!("transparent huge pages are `{mode}` and `{other_mode}`"));
        }
        (!differences.is_empty()).then(|| differences.join("; "))
    }

    /// Variables as shell assignments, `NAME=value`.
    pub fn assignments(&self) -> Vec<String> {
        self.variables.iter().map(|(name, value)| format!("{name}={value}")).collect()
    }
}

impl HugePages {
    /// Mode in brackets in the text of `/sys/kernel/mm/transparent_hugepage/enabled`, such as
    /// `always [madvise] never`.
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

    fn settings(variables: &[(&str, &str)], mode: &str) -> MemorySettings {
        let owned = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        MemorySettings { variables: owned.collect(), huge_pages: HugePages::parse(mode) }
    }

    #[test]
    fn differences_are_named_and_equal_settings_have_none() {
        let plain = settings(&[], "always [madvise] never");
        let other = settings(&[("MALLOC_ARENA_MAX", "1")], "[always] madvise never");
        assert_eq!(plain.difference_to(&plain), None);
        assert_eq!(
            plain.difference_to(&other).unwrap(),
            "MALLOC_ARENA_MAX is unset and `1`; transparent huge pages are `madvise` and `always`"
        );
    }

    #[test]
    fn an_unknown_mode_of_huge_pages_is_no_difference() {
        assert_eq!(settings(&[], "").difference_to(&settings(&[], "[never]")), None);
    }

    #[test]
    fn allocator_variables_affect_memory_and_a_locale_does_not() {
        for name in ["MALLOC_ARENA_MAX", "PYTHONMALLOC", "LD_PRELOAD", "MALLOC_CONF"] {
            assert!(MemorySettings::affects_memory(name), "{name}");
        }
        for name in ["LANG", "PYTHONPATH", "PATH"] {
            assert!(!MemorySettings::affects_memory(name), "{name}");
        }
    }
}
