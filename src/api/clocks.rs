//! Offset of the server's clock from the local clock.
//!
//! The server records by its own clock when it receives a request, which is after the client
//! sends it and before the response arrives. Each request therefore bounds the offset from both
//! sides, and the fastest request gives the narrowest bounds.

use super::{ApiClient, response, with_retries};
use crate::clock::{ClockOffset, Timeline};
use crate::record::outcome::Failure;
use crate::scenario::{IterationNames, STATUS};

/// Number of requests. More than one, since the first may include the connection setup.
const REQUESTS: u32 = 5;

impl ApiClient {
    /// Measures the offset of the server's clock, by requests like those of `sky status`.
    pub async fn compare_clocks(&self) -> Result<ClockOffset, Failure> {
        let mut tightest: Option<ClockOffset> = None;
        for _ in 0..REQUESTS {
            let offset = with_retries(async || self.compare_clocks_once().await).await?;
            if tightest.is_none_or(|best| offset.uncertainty() < best.uncertainty()) {
                tightest = Some(offset);
            }
        }
        tightest.ok_or_else(|| no_timestamp("no request sent"))
    }

    async fn compare_clocks_once(&self) -> Result<ClockOffset, Failure> {
        let timeline = Timeline::start();
        let sent = timeline.now();
        let response = self.send(&STATUS, &IterationNames::none()).await?;
        let received = timeline.now();
        let response = response.expect_ok(STATUS.step)?;
        let id =
            response.request_id.ok_or_else(|| no_timestamp("response without a request ID"))?;
        // A failed request will do as well: only its creation time is used.
        let created = self.get(STATUS.step, &id).await?.created;
        let created = created.ok_or_else(|| no_timestamp("request without a creation time"))?;
        Ok(ClockOffset::bounded_by(sent, created, received))
    }
}

fn no_timestamp(reason: &str) -> Failure {
    response::unexpected_response(STATUS.step, 200, reason.to_owned())
}
