//! Credentials for the server and its metrics: from the request, files and the environment.
//!
//! They are not in the plan, since results are shared with people who must not see them.

use std::ffi::OsString;

use anyhow::Result;
use host::progress::Progress;
use skyload::credentials::{Credentials, Login, token_of_file};
use skyload::env;
use skyload::plan::{LoadPlan, ServerTarget};
use skyload::record::request::LoadRequest;
use url::Url;

/// Credentials that flags name.
#[derive(Default)]
pub(super) struct Typed {
    /// Token of the file of `--token-file`.
    token: Option<String>,
}

impl Typed {
    /// Reads the file of `--token-file`. Returns usage errors beside it.
    pub(super) fn read(request: &LoadRequest) -> (Self, Vec<String>) {
        let (token, mut errors) = match request.token_file.as_deref().map(token_of_file) {
            None => (None, Vec::new()),
            Some(Ok(token)) => (Some(token), Vec::new()),
            Some(Err(error)) => (None, vec![error]),
        };
        let is_isolated = matches!(request.server.as_deref(), None | Some("isolated"));
        if !is_isolated && env::text(env::SERVER_CREDENTIALS).is_some() {
            let name = env::SERVER_CREDENTIALS;
            if Login::from_environment().is_none() {
                errors.push(format!("{name}: expected `user:password`"));
            } else if request.token_file.is_some() {
                errors.push(format!("--token-file: {name} has a login; remove one"));
            }
        }
        (Self { token }, errors)
    }

    /// Credentials for the server: the login of its URL, the token of the file, or those of the
    /// environment.
    pub(super) fn for_server(&self, request: &LoadRequest, plan: &LoadPlan) -> Result<Credentials> {
        let login = request.server.as_deref().and_then(login_of);
        let token = self.token.clone();
        match login.map(Credentials::Login).or(token.map(Credentials::Token)) {
            Some(credentials) => Ok(credentials),
            None => Ok(Credentials::for_server(&plan.server)?),
        }
    }
}

/// Login in the URL of the server's metrics; `None` without one.
pub(super) fn metrics_login(request: &LoadRequest) -> Option<Login> {
    login_of(request.metrics_url.as_deref()?)
}

/// Notes that a typed URL has a login, if it has one.
pub(super) fn warn_of_login(request: &LoadRequest, plan: &LoadPlan, progress: Progress) {
    if matches!(plan.server, ServerTarget::Remote(_))
        && request.server.as_deref().and_then(login_of).is_some()
    {
        progress.note(format!(
            "Credentials in a URL end up in the shell's history; use {} (`user:password`), \
             --token-file or `sky api login` instead",
            env::SERVER_CREDENTIALS
        ));
    }
}

fn login_of(url: &str) -> Option<Login> {
    Login::take_from(&mut Url::parse(url).ok()?).ok().flatten()
}

/// Environment variables with secrets for scenario processes, or with the path of a file of them.
pub(super) fn secrets(credentials: &Credentials) -> Vec<(&'static str, OsString)> {
    match credentials {
        Credentials::Login(login) => vec![(env::SERVER_CREDENTIALS, login.to_variable().into())],
        Credentials::Token(token) => vec![(env::SERVICE_ACCOUNT_TOKEN, token.into())],
        // Absolute: scenario processes and `sky` have other working directories.
        Credentials::Cookies(cookies) => vec![(env::COOKIE_FILE, cookies.path().into())],
        Credentials::None => Vec::new(),
    }
}
