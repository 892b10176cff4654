//! Authentication of a client at a remote server.
//!
//! A login is removed from the server's URL before the URL is used for anything else. No
//! file, message or command line contains it: child processes get it in an environment
//! variable, decoded, and only `sky` processes get it in a URL again. Of cookies, child processes
//! get the path of the file.

mod client_config;
mod client_file;
mod cookies;
mod hiding;
mod in_url;
mod login;
mod token_file;

use std::fmt;
use std::process::Output;

pub use client_file::ClientFileError;
pub use cookies::{CookieState, Cookies};
pub use in_url::without_login;
pub(crate) use in_url::{strip, stripped};
pub use login::{Login, LoginError};
pub use token_file::token_of_file;

use crate::env;
use crate::target::ServerTarget;

/// Credentials of a client.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Access without authentication.
    None,
    /// Token of a service account.
    Token(String),
    /// User name and password.
    Login(Login),
    /// Cookies of `sky api login`.
    Cookies(Cookies),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

impl Credentials {
    /// Credentials for a server: from [`env::SERVER_CREDENTIALS`], or else
    /// [`env::SERVICE_ACCOUNT_TOKEN`], or else the token in the settings of SkyPilot's client, or
    /// else the cookies of `sky api login`. None for an isolated server, since SkyPilot's server
    /// rejects every token that it did not issue itself.
    ///
    /// # Errors
    ///
    /// With a file of settings or of cookies that cannot be read, and is needed.
    pub fn for_server(server: &ServerTarget) -> Result<Self, ClientFileError> {
        if matches!(server, ServerTarget::Isolated { .. }) {
            return Ok(Self::None);
        }
        // Login first, as in SkyPilot's client: with a login in the URL, Python's `requests`
        // sends that login and drops the token.
        if let Some(login) = Login::from_environment() {
            return Ok(Self::Login(login));
        }
        if let Some(token) = env::text(env::SERVICE_ACCOUNT_TOKEN) {
            return Ok(Self::Token(token));
        }
        if let Some(token) = client_config::token_for(server)? {
            return Ok(Self::Token(token));
        }
        Ok(Cookies::from_environment()?.map_or(Self::None, Self::Cookies))
    }

    /// Output of a process with the secret replaced. Must run before the output is
    /// truncated: a truncated secret would not be found.
    pub(crate) fn hide_in_output(&self, output: Output) -> Output {
        if *self == Self::None {
            return output;
        }
        let hide = |text: &[u8]| self.hide_in(&String::from_utf8_lossy(text)).into_bytes();
        Output { stdout: hide(&output.stdout), stderr: hide(&output.stderr), ..output }
    }

    /// Copy of a text with the secret replaced.
    pub fn hide_in(&self, text: &str) -> String {
        match self {
            Self::None => text.to_owned(),
            Self::Token(token) => hiding::hide(token, text),
            Self::Login(login) => login.hide_in(text),
            Self::Cookies(cookies) => cookies.hide_in(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_shows_no_credentials() {
        let login = Login::take_from(&mut "http://u:secret@h".parse().unwrap()).unwrap().unwrap();
        let token = Credentials::Token("secret".to_owned());
        let both = format!("{login:?}{token:?}");
        assert!(!both.contains("secret"), "{both}");
    }
}
