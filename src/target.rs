//! What is tested: a SkyPilot, and a server of it.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

/// The SkyPilot release that is tested unless another is asked for.
pub const PINNED_SKYPILOT: &str = "0.14.1";

/// Which SkyPilot is tested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SkySelection {
    /// A release from PyPI.
    Version(String),
    /// The newest nightly build from PyPI.
    Nightly,
    /// This `sky` program.
    Executable(PathBuf),
}

impl SkySelection {
    /// What `--sky` names: a version, `nightly`, or a program, which has a `/` in its
    /// path.
    pub fn parse(text: &str) -> Option<Self> {
        let looks_like_version = text.starts_with(|c: char| c.is_ascii_digit())
            && !text.contains('/')
            && text.contains('.');
        match text {
            "nightly" => Some(Self::Nightly),
            _ if looks_like_version => Some(Self::Version(text.to_owned())),
            _ if text.contains('/') => Some(Self::Executable(PathBuf::from(text))),
            _ => None,
        }
    }

    /// The release that is tested where none is named.
    pub fn pinned() -> Self {
        Self::Version(PINNED_SKYPILOT.to_owned())
    }
}

/// Which server is tested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ServerTarget {
    /// One of our own: own home, own ports, gone afterwards.
    Isolated {
        /// In SkyPilot's deploy mode.
        deploy: bool,
    },
    /// The user's own server on this machine.
    System,
    /// A server somewhere else: no restart, and no profile but one that is made there.
    Remote(Url),
}
