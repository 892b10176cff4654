//! Port of the local API server, from a client's environment.

use anyhow::Context;

use super::role;

/// Environment variable with the port of the local server, if it is not SkyPilot's default.
pub(crate) const PORT_VARIABLE: &str = "SKYPILOT_API_SERVER_LOCAL_PORT";

const DEFAULT_PORT: u16 = 46580;

/// Port of this client's local server.
pub(crate) fn local_port() -> anyhow::Result<u16> {
    role::read(PORT_VARIABLE).map_or(Ok(DEFAULT_PORT), |port| {
        port.parse().with_context(|| format!("Invalid {PORT_VARIABLE} value: '{port}'"))
    })
}
