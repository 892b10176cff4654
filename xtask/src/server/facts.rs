//! What a server is that decides which refusals are right.

use std::time::Duration;

use anyhow::Result;
use skyload::api::Consolidation;
use skyload::fact::Fact;
use skyload::infrastructure::Infrastructure;
use skyload::resources::{Requests, has_clouds};
use tokio::time::timeout;
use url::Url;

use super::{Context, health};

/// A server that does not say so in this time may say it to nobody.
const TELL_WITHIN: Duration = Duration::from_secs(60);

/// What decides which refusals are right.
#[derive(Clone, Copy)]
pub(super) struct Facts {
    pub(super) consolidation: Consolidation,
    pub(super) clouds: Fact,
}

/// Asks a server of the user's, or one that is elsewhere. What it does not tell is unknown.
pub(super) fn of_any(url: &Url, context: &Context<'_>) -> Result<Facts> {
    let asks = context.plan.infrastructure == Infrastructure::None;
    let facts = health::with_client(url, context.signals, &context.credentials, async |client| {
        let consolidation = timeout(TELL_WITHIN, client.consolidation()).await;
        let clouds = async {
            let requests = Requests::new(client.clone());
            timeout(TELL_WITHIN, has_clouds(&requests)).await.unwrap_or_default()
        };
        // Where the run brings one, nothing hangs on others.
        let clouds = if asks { clouds.await } else { Fact::Unknown };
        Ok(Facts { consolidation: consolidation.unwrap_or_default(), clouds })
    });
    Ok(facts?.unwrap_or(Facts { consolidation: Consolidation::default(), clouds: Fact::Unknown }))
}

/// Asks a server of our own. It has no cloud but those that the run names, and managed jobs
/// run where we have configured it.
pub(super) fn of_ours(url: &Url, context: &Context<'_>) -> Result<Facts> {
    if !context.sky.facts.consolidates {
        let consolidation = Consolidation { jobs: Fact::No, services: Fact::No };
        return Ok(Facts { consolidation, clouds: Fact::No });
    }
    let asked = health::with_client(url, context.signals, &context.credentials, async |client| {
        Ok(timeout(TELL_WITHIN, client.consolidation()).await.unwrap_or_default())
    });
    let mut consolidation = asked?.unwrap_or_default();
    if consolidation.jobs == Fact::Unknown {
        consolidation.jobs = Fact::Yes;
    }
    Ok(Facts { consolidation, clouds: Fact::No })
}
