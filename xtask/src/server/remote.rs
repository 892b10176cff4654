//! A server on another machine: looked up, never restarted.

use anyhow::{Result, bail};
use skyload::env;
use skyload::environment::ClientSettings;
use url::Url;

use super::{Context, Kind, ServerSession, health};

pub(super) fn begin(context: &Context<'_>, url: &Url) -> Result<ServerSession> {
    let step = context.progress.step(format!("Asking {url} for its health"));
    let health = match health::health(url, context.signals)? {
        Ok(health) => health,
        Err(failure) => bail!(
            "the server at {url} cannot be loaded: {failure}\n  hint: check the address; for a \
             server that wants credentials, set {} or write them into the URL",
            env::SERVICE_ACCOUNT_TOKEN
        ),
    };
    step.done(format!("SkyPilot {}", health.version));
    Ok(ServerSession {
        server: super::under_test(health, None, None, false),
        addresses: None,
        client: ClientSettings {
            endpoint: url.clone(),
            sky: context.sky.sky.clone(),
            variables: vec![
                ("SKYPILOT_API_SERVER_ENDPOINT".to_owned(), url.to_string()),
                ("SKYPILOT_DISABLE_LOCAL_API_SERVER".to_owned(), "1".to_owned()),
                ("SKYPILOT_DISABLE_USAGE_COLLECTION".to_owned(), "1".to_owned()),
                (env::CLIENT_OF_RUN.to_owned(), context.run.id().to_string()),
            ],
            without: Vec::new(),
        },
        kind: Kind::Remote,
    })
}
