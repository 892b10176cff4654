//! Where a client looks for the API server of its own machine.

use anyhow::Context;

use super::role;

/// The variable that says so, for a port that is not SkyPilot's own.
pub(crate) const PORT_VARIABLE: &str = "SKYPILOT_API_SERVER_LOCAL_PORT";

const DEFAULT_PORT: u16 = 46580;

/// The port of this client's own server.
pub(crate) fn local_port() -> anyhow::Result<u16> {
    role::read(PORT_VARIABLE).map_or(Ok(DEFAULT_PORT), |port| {
        port.parse().with_context(|| format!("Invalid {PORT_VARIABLE} value: '{port}'"))
    })
}
