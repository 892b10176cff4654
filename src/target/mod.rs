//! SkyPilot and API server under test.
//!
//! * [`sky`]: where SkyPilot comes from, the value of `--sky`.
//! * [`dependencies`]: the date that its dependencies are resolved as of.

pub mod dependencies;
pub mod sky;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

pub use dependencies::{Dependencies, ResolutionDate};
pub use sky::{PINNED_SKYPILOT, SkySelection};

/// API server under test: the value of `--server`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ServerTarget {
    /// Isolated server: a home and ports of its own, stopped after the run.
    Isolated {
        /// Whether the server runs in SkyPilot's deploy mode.
        deploy: bool,
    },
    /// Local server: the user's own, on this machine.
    System,
    /// Remote server: not restarted, and profiled only on its own machine.
    Remote(Url),
}

impl ServerTarget {
    /// Whether the server's URL is of another machine.
    pub fn is_on_another_machine(&self) -> bool {
        matches!(self, Self::Remote(url) if !is_loopback(url))
    }
}

/// Whether a server is on this machine, by the host in its URL.
pub fn is_loopback(server: &Url) -> bool {
    match server.host() {
        // All names below `localhost` are reserved for loopback (RFC 6761).
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_recognised_by_name_and_by_address() {
        for (url, expected) in [
            ("http://127.0.0.1:46580", true),
            ("http://127.1.2.3", true),
            ("http://[::1]:1", true),
            ("http://localhost:46580/path", true),
            ("http://10.0.0.1", false),
            ("https://localhost.example.org", false),
        ] {
            let url = Url::parse(url).expect("a test knows its own data");
            assert_eq!(is_loopback(&url), expected, "{url}");
        }
    }
}
