//! What kinds of file there are, and which versions of each this build reads.
//!
//! Each kind has a version of its own: a new field in one does not make the others
//! unreadable. What an earlier version holds is brought into today's form by [`v2`](super::v2).

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// A kind of file that is written whole, as one JSON value with a `version`.
pub trait Document: Serialize + DeserializeOwned {
    /// Name of the kind in errors.
    const KIND: &'static str;
    /// Version that this build writes.
    const VERSION: u32;
    /// Oldest version that this build reads.
    const OLDEST: u32 = Self::VERSION;

    /// Content of a file of an earlier version in the form of [`Self::VERSION`].
    fn upgrade(_version: u32, content: Value) -> Value {
        content
    }
}

/// A kind of file that grows line by line, whose first line has the `version`.
pub trait Log: Serialize + DeserializeOwned {
    /// Name of the kind in errors.
    const KIND: &'static str;
    /// Version that this build writes.
    const VERSION: u32;
    /// Oldest version that this build reads.
    const OLDEST: u32 = Self::VERSION;
    /// Version of a file whose first line has none, where there were such files.
    const UNNAMED: Option<u32> = None;

    /// Line of an earlier version in the form of [`Self::VERSION`].
    fn upgrade(_version: u32, line: Value) -> Value {
        line
    }
}

/// The number `N` as the `version` of a file: no other can be written, and none is read.
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

/// The versions of a kind of file that this build reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readable {
    /// First of them.
    pub oldest: u32,
    /// Last of them, which is the one that is written.
    pub newest: u32,
}

impl Readable {
    /// Those of a document.
    pub const fn of<T: Document>() -> Self {
        Self { oldest: T::OLDEST, newest: T::VERSION }
    }

    /// Those of a log.
    pub const fn of_log<T: Log>() -> Self {
        Self { oldest: T::OLDEST, newest: T::VERSION }
    }

    /// Whether a version is among them.
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

/// The version that stands in a file, whatever else does.
#[derive(Deserialize)]
pub(super) struct Versioned {
    /// `None` where the file has none.
    #[serde(default)]
    pub(super) version: Option<u32>,
}
