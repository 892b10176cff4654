//! A server on another machine: looked up, never restarted.

use anyhow::{Result, bail};
use host::environment::proxies;
use skyload::api::is_loopback;
use skyload::credentials::Credentials;
use skyload::env;
use skyload::record::environment::{ClientSettings, Inherited, ServerEnvironment};
use skyload::record::outcome::Failure;
use skyload::record::outcome::error_type;
use url::Url;

use super::{Context, Kind, ServerSession, facts, health};

pub(super) fn begin(context: &Context<'_>, url: &Url) -> Result<ServerSession> {
    let step = context.progress.step(format!("Asking {url} for its health"));
    if matches!(context.credentials, Credentials::Login(_))
        && env::text(env::SERVICE_ACCOUNT_TOKEN).is_some()
    {
        context.progress.note(format!(
            "the login of the URL is sent, and {} is not: SkyPilot's client does the same",
            env::SERVICE_ACCOUNT_TOKEN
        ));
    }
    let health = match health::health_once_available(url, context)? {
        Ok(health) => health,
        Err(failure) => bail!(
            "the server at {url} cannot be loaded: {}\n  hint: {}",
            context.credentials.hide_in(&failure.to_string()),
            hint(&failure, &context.credentials)
        ),
    };
    let facts = facts::of_any(url, context)?;
    step.done(format!("SkyPilot {}", health.version));
    let exceptions = if is_loopback(url) { proxies::exceptions_of_shell() } else { Vec::new() };
    let endpoint = [(env::ENDPOINT.to_owned(), url.to_string())];
    let variables = exceptions.into_iter().chain(endpoint).chain(super::of_clients(context));
    Ok(ServerSession {
        server: super::under_test(health, None, None, facts),
        environment: ServerEnvironment::Unrecorded,
        addresses: None,
        client: ClientSettings {
            endpoint: url.clone(),
            sky: context.sky.sky.clone(),
            variables: variables.collect(),
            without: Vec::new(),
            inherits: Inherited::All,
        },
        kind: Kind::Remote,
    })
}

/// What to do about a server that cannot be loaded.
fn hint(failure: &Failure, credentials: &Credentials) -> String {
    let token = env::SERVICE_ACCOUNT_TOKEN;
    let wants_credentials = matches!(failure.status, Some(401 | 403))
        || failure.error_type == error_type::NEEDS_AUTHENTICATION;
    match credentials {
        _ if !wants_credentials => "check the address".to_owned(),
        Credentials::None => format!(
            "the server wants credentials: write them into the URL, as in \
             `http://user:password@host`, or set {token}"
        ),
        Credentials::Token(_) => format!("the server does not accept the token in {token}"),
        Credentials::Login(_) => {
            "the server does not accept the login of the URL; in it, `@`, `:`, \
                                  `/` and `%` of a password are written as `%40`, `%3A`, `%2F` and \
                                  `%25`"
                .to_owned()
        }
    }
}
