//! Authentication of a client at a remote server.
//!
//! A login is removed from the server's URL before the URL is used for anything else. No
//! file, message or command line contains it: child processes get it in an environment
//! variable, decoded, and only `sky` processes get it in a URL again.

use std::fmt;
use std::process::Output;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

use crate::env;
use crate::target::ServerTarget;

/// Replacement for a secret in a message.
const HIDDEN: &str = "..";

/// Characters to percent-encode: all but the unreserved ones of RFC 3986, as Python's
/// `urllib.parse.quote` does.
const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Credentials of a client.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Access without authentication.
    None,
    /// Token of a service account.
    Token(String),
    /// User name and password.
    Login(Login),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

impl Credentials {
    /// Credentials for a server, from the environment; none for an isolated server, since
    /// SkyPilot's server rejects every token that it did not issue itself.
    pub fn for_server(server: &ServerTarget) -> Self {
        match server {
            ServerTarget::Isolated { .. } => Self::None,
            ServerTarget::System | ServerTarget::Remote(_) => Self::from_environment(),
        }
    }

    /// Credentials from [`env::SERVER_CREDENTIALS`], or else
    /// [`env::SERVICE_ACCOUNT_TOKEN`].
    fn from_environment() -> Self {
        // Login first, as in SkyPilot's client: with a login in the URL, Python's `requests`
        // sends that login and drops the token.
        let login = env::text(env::SERVER_CREDENTIALS);
        if let Some(login) = login.as_deref().and_then(Login::from_variable) {
            return Self::Login(login);
        }
        env::text(env::SERVICE_ACCOUNT_TOKEN).map_or(Self::None, Self::Token)
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
            Self::Token(token) => text.replace(token, HIDDEN),
            Self::Login(login) => login.hide_in(text),
        }
    }
}

/// User name and password for HTTP Basic authentication, decoded.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    user: String,
    password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(..)")
    }
}

/// Reason why a URL's login cannot be sent. No message contains any part of the login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// Colon in the user name, where HTTP Basic authentication would split it.
    #[error(
        "the user name contains a `:`, which HTTP Basic authentication cannot send\n  hint: use \
         a service account token instead, in {token}",
        token = env::SERVICE_ACCOUNT_TOKEN
    )]
    ColonInUser,
    /// Percent-encoded bytes that are not UTF-8.
    #[error(
        "the user name or the password is not UTF-8\n  hint: percent-encode the UTF-8 bytes of \
         a character, `é` as `%C3%A9`"
    )]
    NotUtf8,
    /// Control character, which HTTP Basic authentication does not allow.
    #[error(
        "the user name or the password contains a control character, which HTTP Basic \
         authentication does not allow"
    )]
    ControlCharacter,
    /// `@` after the host: an unencoded `/`, `?` or `#` in the password ended the host early.
    #[error(
        "the URL contains an `@` after the host\n  hint: in the user name and the password, \
         write `/` as `%2F`, `?` as `%3F`, `#` as `%23`, `%` as `%25` and `@` as `%40`"
    )]
    AtSignAfterHost,
}

impl Login {
    /// Removes the login from a URL and returns it; `None` if there is none.
    pub fn take_from(url: &mut Url) -> Result<Option<Self>, LoginError> {
        let (user, password) = (url.username().to_owned(), url.password().map(str::to_owned));
        // Before any check: the caller keeps the URL after an error, too.
        strip(url);
        if url.path().contains('@') || url.query().is_some_and(|query| query.contains('@')) {
            return Err(LoginError::AtSignAfterHost);
        }
        if url.fragment().is_some_and(|fragment| fragment.contains('@')) {
            return Err(LoginError::AtSignAfterHost);
        }
        if user.is_empty() && password.is_none() {
            return Ok(None);
        }
        let (user, password) = (decoded(&user)?, decoded(&password.unwrap_or_default())?);
        if user.contains(':') {
            return Err(LoginError::ColonInUser);
        }
        Ok(Some(Self { user, password }))
    }

    /// User name.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Password; empty if the URL has none.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Value for [`env::SERVER_CREDENTIALS`].
    pub fn to_variable(&self) -> String {
        format!("{}:{}", self.user, self.password)
    }

    fn from_variable(text: &str) -> Option<Self> {
        let (user, password) = text.split_once(':')?;
        Some(Self { user: user.to_owned(), password: password.to_owned() })
    }

    /// Copy of a URL with the login inserted.
    pub fn put_into(&self, url: &Url) -> String {
        let [user, password] = [&self.user, &self.password].map(|part| encoded(part));
        let url = url.as_str();
        match url.split_once("://") {
            // The colon stays with an empty password too: without a colon, Python's `requests`
            // sends no login.
            Some((scheme, rest)) => format!("{scheme}://{user}:{password}@{rest}"),
            None => url.to_owned(),
        }
    }

    fn hide_in(&self, text: &str) -> String {
        // All forms in which a client or a server may print the secret: the value of the
        // `Authorization` header, percent-encoded with either case of digits, and plain. The
        // plain form last, since it may be part of another one.
        let pair = BASE64_STANDARD.encode(self.to_variable());
        let mut text = text.replace(&pair, HIDDEN);
        let encoded = encoded(&self.password);
        let forms = [encoded.as_str(), &encoded.to_lowercase(), self.password.as_str()];
        for secret in forms.into_iter().filter(|secret| !secret.is_empty()) {
            text = text.replace(secret, HIDDEN);
        }
        text
    }
}

/// Copy of a text that is not a valid URL, with a possible login replaced.
pub fn without_login(text: &str) -> String {
    let Some((before, after)) = text.rsplit_once('@') else { return text.to_owned() };
    // Everything before the `@` but a scheme may be secret.
    let scheme = before.split_once("://").map_or("", |(scheme, _)| scheme);
    match !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric()) {
        true => format!("{scheme}://{HIDDEN}@{after}"),
        false => format!("{HIDDEN}@{after}"),
    }
}

/// Value of `--server` without a login, whether or not the value is a valid URL.
pub(crate) fn stripped(text: &str) -> String {
    match Url::parse(text) {
        Ok(url) if url.username().is_empty() && url.password().is_none() => text.to_owned(),
        Ok(mut url) if url.has_host() => {
            strip(&mut url);
            url.to_string()
        }
        Ok(_) | Err(_) => without_login(text),
    }
}

/// Removes a login from a URL.
pub(crate) fn strip(url: &mut Url) {
    // Both fail only for URLs that cannot have a login.
    _ = url.set_username("");
    _ = url.set_password(None);
}

fn encoded(part: &str) -> String {
    utf8_percent_encode(part, &RESERVED).to_string()
}

fn decoded(part: &str) -> Result<String, LoginError> {
    let text = percent_decode_str(part).decode_utf8().map_err(|_| LoginError::NotUtf8)?;
    if text.chars().any(char::is_control) {
        return Err(LoginError::ControlCharacter);
    }
    Ok(text.into_owned())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn taken(url: &str) -> (String, Result<Option<Login>, LoginError>) {
        let mut url: Url = url.parse().unwrap();
        let login = Login::take_from(&mut url);
        (url.to_string(), login)
    }

    fn login(user: &str, password: &str) -> Login {
        Login { user: user.to_owned(), password: password.to_owned() }
    }

    #[rstest]
    #[case::encoded("http://me:p%40ss%2F%3a%25@h:1/x", "me", "p@ss/:%")]
    #[case::not_encoded("http://me:p@ss@h:1/x", "me", "p@ss")]
    #[case::with_a_colon("http://me:a:b@h:1/x", "me", "a:b")]
    #[case::not_ascii("http://m%C3%A9:ü@h:1/x", "mé", "ü")]
    #[case::no_password("http://me@h:1/x", "me", "")]
    #[case::an_empty_password("http://me:@h:1/x", "me", "")]
    #[case::no_user_name("http://:p@h:1/x", "", "p")]
    fn a_login_is_removed_from_a_url_and_decoded(
        #[case] url: &str,
        #[case] user: &str,
        #[case] password: &str,
    ) {
        let expected = login(user, password);
        assert_eq!(taken(url), ("http://h:1/x".to_owned(), Ok(Some(expected.clone()))));
        // Round trip: the URL that `sky` gets holds the same login.
        let given = expected.put_into(&"http://h:1/x".parse().unwrap());
        assert_eq!(taken(&given).1, Ok(Some(expected.clone())), "{given}");
        assert_eq!(Login::from_variable(&expected.to_variable()), Some(expected));
    }

    #[test]
    fn a_url_without_a_login_is_unchanged() {
        assert_eq!(taken("https://h/east"), ("https://h/east".to_owned(), Ok(None)));
    }

    #[rstest]
    #[case::scheme("htp://me:pw@h:1", "htp://..@h:1")]
    #[case::no_scheme("me:pw@h", "..@h")]
    #[case::signs_in_the_password("http://me:p@w/x@h", "http://..@h")]
    #[case::a_scheme_in_the_password("me:p://w@h", "..@h")]
    #[case::no_login("h:1/x", "h:1/x")]
    fn a_possible_login_in_an_invalid_url_is_not_quoted(#[case] text: &str, #[case] quoted: &str) {
        assert_eq!(without_login(text), quoted);
    }

    #[test]
    fn a_secret_is_hidden_in_every_form_that_may_be_printed() {
        let login = Credentials::Login(login("me", "p@ss/é"));
        let text = "p@ss/é p%40ss%2F%C3%A9 p%40ss%2f%c3%a9 bWU6cEBzcy/DqQ== me";
        assert_eq!(login.hide_in(text), ".. .. .. .. me");
        assert_eq!(Credentials::Token("sky_x".to_owned()).hide_in("a sky_x b"), "a .. b");
    }

    #[test]
    fn debug_output_shows_no_credentials() {
        let token = Credentials::Token("secret".to_owned());
        let both = format!("{:?}{token:?}", login("u", "secret"));
        assert!(!both.contains("secret"), "{both}");
    }
}
