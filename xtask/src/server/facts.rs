//! Facts about a server that decide which error responses are expected.

use std::time::Duration;

use anyhow::Result;
use skyload::api::Consolidation;
use skyload::fact::Fact;
use skyload::infrastructure::Infrastructure;
use skyload::resources::{Requests, has_clouds};
use tokio::time::timeout;
use url::Url;

use super::{Context, health};

/// Time limit of each query. What the server does not tell by then stays unknown.
const QUERY_TIMEOUT: Duration = Duration::from_secs(60);

/// Facts that decide which error responses are expected.
#[derive(Clone, Copy)]
pub(super) struct Facts {
    /// Whether the managed jobs and services controllers run inside of the server.
    pub(super) consolidation: Consolidation,
    /// Whether any cloud is enabled on the server.
    pub(super) clouds: Fact,
}

/// Queries a local or remote server. What the server does not tell is unknown.
pub(super) fn of_external(url: &Url, context: &Context<'_>) -> Result<Facts> {
    // With an infra, the expected responses do not depend on the server's clouds.
    let depends_on_clouds = context.plan.infrastructure == Infrastructure::None;
    let facts = health::with_client(url, context.signals, &context.credentials, async |client| {
        let consolidation = timeout(QUERY_TIMEOUT, client.consolidation()).await;
        let clouds = async {
            let requests = Requests::new(client.clone());
            timeout(QUERY_TIMEOUT, has_clouds(&requests)).await.unwrap_or_default()
        };
        let clouds = if depends_on_clouds { clouds.await } else { Fact::Unknown };
        Ok(Facts { consolidation: consolidation.unwrap_or_default(), clouds })
    });
    Ok(facts?.unwrap_or(Facts { consolidation: Consolidation::default(), clouds: Fact::Unknown }))
}

/// Queries an isolated server. Only clouds that the run names are enabled there, and managed
/// jobs run inside of the server, as configured.
pub(super) fn of_isolated(url: &Url, context: &Context<'_>) -> Result<Facts> {
    if !context.sky.facts.consolidates {
        let consolidation = Consolidation { jobs: Fact::No, services: Fact::No };
        return Ok(Facts { consolidation, clouds: Fact::No });
    }
    let answer = health::with_client(url, context.signals, &context.credentials, async |client| {
        Ok(timeout(QUERY_TIMEOUT, client.consolidation()).await.unwrap_or_default())
    });
    let mut consolidation = answer?.unwrap_or_default();
    // A server that does not tell was still configured to consolidate jobs.
    if consolidation.jobs == Fact::Unknown {
        consolidation.jobs = Fact::Yes;
    }
    Ok(Facts { consolidation, clouds: Fact::No })
}
