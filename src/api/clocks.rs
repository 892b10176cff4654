//! How far the server's clock is from ours.
//!
//! The server notes by its own clock when it takes a request in, which is after we
//! sent it and before it answered: each request bounds the difference from both sides,
//! and the quickest one bounds it best.

use super::{ApiClient, answer, for_ourselves};
use crate::clock::{ClockOffset, Timeline};
use crate::record::outcome::Failure;
use crate::scenario::{IterationNames, STATUS};

/// So many are asked; the first may have to wait for a connection.
const REQUESTS: u32 = 5;

impl ApiClient {
    /// Compares the clocks, by requests as `sky status` makes them.
    pub async fn compare_clocks(&self) -> Result<ClockOffset, Failure> {
        let mut tightest: Option<ClockOffset> = None;
        for _ in 0..REQUESTS {
            let offset = for_ourselves(async || self.one_comparison().await).await?;
            if tightest.is_none_or(|best| offset.uncertainty() < best.uncertainty()) {
                tightest = Some(offset);
            }
        }
        tightest.ok_or_else(|| no_time("no request was made"))
    }

    async fn one_comparison(&self) -> Result<ClockOffset, Failure> {
        let timeline = Timeline::start();
        let sent = timeline.now();
        let response = self.send(&STATUS, &IterationNames::none()).await?;
        let received = timeline.now();
        let response = response.expect_ok(STATUS.step)?;
        let id = response.request_id.ok_or_else(|| no_time("the response has no request id"))?;
        // However it ended: the time at which it was taken in is what counts.
        let created = self.get(STATUS.step, &id).await?.created;
        let created = created.ok_or_else(|| no_time("the request has no time of creation"))?;
        Ok(ClockOffset::bounded_by(sent, created, received))
    }
}

fn no_time(what: &str) -> Failure {
    answer::wrong_value(STATUS.step, 200, what.to_owned())
}
