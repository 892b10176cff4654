//! Versions that a bisection is about: releases, nightly builds or commits.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::plan::SkySelection;
use crate::record::environment::short_commit;

/// Version of SkyPilot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Revision {
    /// Selection, in which the reference of a repository is a whole hash.
    pub sky: SkySelection,
    /// Author, date and subject of a commit; `None` for a release or a nightly build.
    pub commit: Option<CommitTitle>,
}

/// Author, date and subject of a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CommitTitle {
    /// Name of the author.
    pub author: String,
    /// Date of the author, in microseconds since the Unix epoch.
    pub date: Timestamp,
    /// First line of the message.
    pub subject: String,
}

impl Revision {
    /// Version, or first digits of the commit.
    pub fn name(&self) -> String {
        match &self.sky {
            SkySelection::Git(git) => short_commit(&git.reference),
            sky => sky.to_string(),
        }
    }

    /// Version, or whole hash of the commit.
    pub fn full_name(&self) -> String {
        match &self.sky {
            SkySelection::Git(git) => git.reference.clone(),
            sky => sky.to_string(),
        }
    }
}

impl CommitTitle {
    /// Day of the author, such as 2026-11-20.
    pub fn day(&self) -> String {
        let date = humantime::format_rfc3339_seconds(self.date.to_system_time()).to_string();
        // An RFC 3339 time begins with the date.
        date.split('T').next().unwrap_or_default().to_owned()
    }
}
