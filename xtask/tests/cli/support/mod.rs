//! Shared code of the tests: a site for runs, running commands, finished commands.

mod cargo_answers;
mod finished;
mod running;
mod secrets;
mod site;
mod tls;
pub(crate) mod uv;

pub(crate) use finished::{Finished, Schema, assert_finding, scenario};
pub(crate) use running::{Running, signal};
pub(crate) use secrets::{Texts, command_lines_until_the_end};
pub(crate) use site::{Settings, Site, Xtask};
pub(crate) use tls::TlsProxy;

use std::time::Duration;

use anyhow::Context as _;
use skyload::poll::{Probe, wait_until};

/// Timeout of a wait, long enough for a busy machine.
const TIMEOUT: Duration = Duration::from_secs(90);

/// Waits until `check` returns a value.
pub(crate) fn soon<T>(condition: &str, check: impl FnMut() -> Option<T>) -> anyhow::Result<T> {
    within(TIMEOUT, condition, check)
}

fn within<T>(
    timeout: Duration,
    condition: &str,
    mut check: impl FnMut() -> Option<T>,
) -> anyhow::Result<T> {
    wait_until(timeout, Duration::from_millis(10), || match check() {
        Some(found) => Probe::Ready(found),
        None => Probe::NotYet("not yet".to_owned()),
    })
    .with_context(|| format!("waiting until {condition}"))
}
