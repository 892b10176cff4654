//! Remote server: queried, never restarted.

use anyhow::{Error, Result, bail};
use host::environment::proxies;
use skyload::credentials::{CookieState, Cookies, Credentials};
use skyload::env;
use skyload::plan::UsageErrors;
use skyload::record::environment::{ClientSettings, Inherited, ServerEnvironment};
use skyload::record::outcome::Failure;
use skyload::target::is_loopback;
use url::Url;

use super::{Context, Kind, ServerSession, facts, health};

pub(super) fn begin(context: &Context<'_>, url: &Url) -> Result<ServerSession> {
    let step = context.progress.step(format!("Checking the health of {url}"));
    if matches!(context.credentials, Credentials::Login(_))
        && env::text(env::SERVICE_ACCOUNT_TOKEN).is_some()
    {
        context.progress.note(format!(
            "Sending the login of the URL or of {} and not {}, as SkyPilot's client does",
            env::SERVER_CREDENTIALS,
            env::SERVICE_ACCOUNT_TOKEN
        ));
    }
    let health = match health::health_once_available(url, context)? {
        Ok(health) => health,
        Err(failure) if health::needs_credentials(&failure) => {
            return Err(refused(&failure, context, url));
        }
        Err(failure) => bail!(
            "cannot reach the API server at {url}: {}\n  hint: check the URL",
            context.credentials.hide_in(&failure.to_string()),
        ),
    };
    if let Some(refusal) = health::refusal(url, context)? {
        return Err(refused(&refusal, context, url));
    }
    let facts = facts::of_external(url, context)?;
    step.done(format!("SkyPilot {}", health.version));
    let exceptions = if is_loopback(url) { proxies::exceptions_of_shell() } else { Vec::new() };
    let endpoint = [(env::ENDPOINT.to_owned(), url.to_string())];
    let variables = exceptions.into_iter().chain(endpoint).chain(super::client_variables(context));
    Ok(ServerSession {
        server: super::server_under_test(health, None, None, facts),
        environment: ServerEnvironment::Unrecorded,
        addresses: None,
        metrics: super::metrics_of_url(context.plan),
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

/// Error of a server that does not accept the credentials, or asks for some.
fn refused(failure: &Failure, context: &Context<'_>, url: &Url) -> Error {
    let mistake = format!(
        "--server: {url} refuses access: {}\n  hint: {}",
        context.credentials.hide_in(&failure.to_string()),
        hint(&context.credentials, url)
    );
    UsageErrors(vec![mistake]).into()
}

/// Hint on the credentials that a server refused.
fn hint(credentials: &Credentials, url: &Url) -> String {
    let token = env::SERVICE_ACCOUNT_TOKEN;
    match credentials {
        Credentials::None => without_credentials(url),
        Credentials::Cookies(cookies) => of_cookies(cookies, url),
        Credentials::Token(_) => {
            format!(
                "check {token}, the file of --token-file, or `api_server` in ~/.sky/config.yaml: \
                 the server rejected this token"
            )
        }
        Credentials::Login(_) => format!(
            "check the login in the URL or in {}: the server rejected it; in the URL, write `@`, \
             `:`, `/` and `%` of a password as `%40`, `%3A`, `%2F` and `%25`",
            env::SERVER_CREDENTIALS
        ),
    }
}

/// Hint for a server that needs credentials, where none were sent.
fn without_credentials(url: &Url) -> String {
    format!(
        "run `sky api login -e {url}`, pass --token-file, or set {} or {} (`user:password`)",
        env::SERVICE_ACCOUNT_TOKEN,
        env::SERVER_CREDENTIALS
    )
}

/// Hint for a server that needs other cookies than those of the file.
fn of_cookies(cookies: &Cookies, url: &Url) -> String {
    let path = cookies.path().display();
    let again = format!("run `sky api login -e {url}` again");
    match cookies.state(url) {
        CookieState::Sent => format!("{again}: the server rejected the cookies in `{path}`"),
        CookieState::Expired => format!("{again}: the cookies in `{path}` have expired"),
        CookieState::NoneForUrl => without_credentials(url),
    }
}
