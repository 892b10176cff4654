//! Failures to update the nodes' figures that the supervisor bears for a while.
//!
//! A full disk, or no free open file, may be over in a moment, and nodes run on meanwhile.

use std::io::{Write as _, stderr};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

/// Time for which updates may fail.
const BORNE_FOR: Duration = Duration::from_secs(60);

/// Updates that have failed since the last one that succeeded.
#[derive(Debug, Default)]
pub(super) struct Outage {
    since: Option<Instant>,
}

impl Outage {
    /// Takes the result of an update at `now`. The error is returned only if updates have failed for
    /// [`BORNE_FOR`]; the first one is logged.
    pub(super) fn bear(&mut self, update: Result<()>, now: Instant) -> Result<()> {
        let Err(error) = update else {
            self.since = None;
            return Ok(());
        };
        let Some(since) = self.since else {
            self.since = Some(now);
            // The log may be on the full disk.
            _ = writeln!(stderr(), "updating the figures of nodes: {error:#}; trying again");
            return Ok(());
        };
        if now.saturating_duration_since(since) < BORNE_FOR {
            return Ok(());
        }
        let message = format!("updating the figures of nodes failed for {} s", BORNE_FOR.as_secs());
        Err(error).context(message)
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn only_failures_without_a_success_for_a_minute_are_an_error() {
        let began = Instant::now();
        let mut outage = Outage::default();
        let mut failure_is_borne = |second: u64| {
            let now = began + Duration::from_secs(second);
            outage.bear(Err(anyhow!("disk full")), now).is_ok()
        };
        assert!(failure_is_borne(0) && failure_is_borne(59));
        assert!(!failure_is_borne(60));
        outage.bear(Ok(()), began).unwrap();
        let last = began + Duration::from_secs(100);
        outage.bear(Err(anyhow!("disk full")), last).unwrap();
        let error = outage.bear(Err(anyhow!("disk full")), last + BORNE_FOR).unwrap_err();
        let error = format!("{error:#}");
        assert_eq!(error, "updating the figures of nodes failed for 60 s: disk full");
    }
}
