//! Kinds of files, and the versions of each that this build supports.
//!
//! Each kind has its own version: a new field in one kind does not make the others unreadable.
//! Content of earlier versions is upgraded by [`v2`](super::v2).

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// Kind of file that is written as a whole: one JSON value with a `version`.
pub trait Document: Serialize + DeserializeOwned {
    /// Name of the kind in errors.
    const KIND: &'static str;
    /// Version that this build writes.
    const VERSION: u32;
    /// Oldest version that this build supports.
    const OLDEST: u32 = Self::VERSION;

    /// Content of a file of an earlier version in the form of [`Self::VERSION`].
    fn upgrade(_version: u32, content: Value) -> Value {
        content
    }
}

/// Kind of file that grows line by line and has its `version` in the first line.
pub trait Log: Serialize + DeserializeOwned {
    /// Name of the kind in errors.
    const KIND: &'static str;
    /// Version that this build writes.
    const VERSION: u32;
    /// Oldest version that this build supports.
    const OLDEST: u32 = Self::VERSION;
    /// Version of a file without a version in its first line; `None` if every version has one.
    const UNVERSIONED: Option<u32> = None;

    /// Line of an earlier version in the form of [`Self::VERSION`].
    fn upgrade(_version: u32, line: Value) -> Value {
        line
    }
}

/// Number `N` as the `version` of a file. Any other number is an error when parsing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Version<const N: u32>;

impl<const N: u32> Serialize for Version<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        N.serialize(serializer)
    }
}

impl<'de, const N: u32> Deserialize<'de> for Version<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            found if found == N => Ok(Self),
            found => Err(D::Error::custom(format!("version {found}, expected {N}"))),
        }
    }
}

impl<const N: u32> JsonSchema for Version<N> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Version{N}").into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "const": N })
    }
}

/// Versions of a kind of file that this build supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readable {
    /// Oldest supported version.
    pub oldest: u32,
    /// Newest supported version, which this build writes.
    pub newest: u32,
}

impl Readable {
    /// Supported versions of a document.
    pub const fn of<T: Document>() -> Self {
        Self { oldest: T::OLDEST, newest: T::VERSION }
    }

    /// Supported versions of a log.
    pub const fn of_log<T: Log>() -> Self {
        Self { oldest: T::OLDEST, newest: T::VERSION }
    }

    /// Whether a version is supported.
    pub const fn contains(self, version: u32) -> bool {
        self.oldest <= version && version <= self.newest
    }
}

impl fmt::Display for Readable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.oldest == self.newest {
            true => write!(f, "version {}", self.newest),
            false => write!(f, "versions {} to {}", self.oldest, self.newest),
        }
    }
}

/// Version of a file, parsed without the rest of its content.
#[derive(Deserialize)]
pub(super) struct Versioned {
    /// Version; `None` in a file without one.
    #[serde(default)]
    pub(super) version: Option<u32>,
}
