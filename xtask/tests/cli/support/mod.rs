//! What all tests share: a place for runs, a run under way, a run that has ended.

mod finished;
mod running;
mod site;

pub(crate) use finished::{Finished, Schema, assert_finding, scenario};
pub(crate) use running::{Running, signal};
pub(crate) use site::{Settings, Site, Xtask};

use std::time::Duration;

use anyhow::Context as _;
use skyload::poll::{Probe, wait_until};

/// Longer than anything takes here on a machine that does other work as well.
const PATIENCE: Duration = Duration::from_secs(90);

/// Waits for something that is bound to happen.
pub(crate) fn soon<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> anyhow::Result<T> {
    wait_until(PATIENCE, Duration::from_millis(10), || match look() {
        Some(found) => Probe::Ready(found),
        None => Probe::NotYet("not so".to_owned()),
    })
    .with_context(|| format!("waiting until {what}"))
}
