//! Catalogs of clouds that a server was started with: instance types, zones and prices.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// SkyPilot's catalogs of clouds in the home of an isolated server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CatalogFacts {
    /// Source of the files.
    pub source: CatalogSource,
    /// Version of the catalogs' format that SkyPilot asks for, such as `v8`.
    pub schema: String,
    /// Time of the download; `None` unless downloaded.
    pub date: Option<Timestamp>,
    /// SHA-256 of the catalogs' names and contents, in hexadecimal.
    pub hash: String,
    /// Number of offers of AWS: instance types times zones.
    pub rows: u64,
}

/// Source of catalogs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CatalogSource {
    /// Public catalogs, from the address that SkyPilot downloads them from.
    Downloaded,
    /// Folder named on the command line (`--catalog`).
    Given,
    /// Made-up catalogs of the public ones' shape and size, where those cannot be downloaded.
    Generated,
}
