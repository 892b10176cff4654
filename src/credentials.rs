//! How a client proves to a server elsewhere who it is.
//!
//! A login is taken out of the server's URL before anything else is done with that. It
//! stands in no file, in no message and in no command line: it is handed on in the
//! environment alone, decoded, and put back into a URL only for `sky` processes.

use std::fmt;
use std::process::Output;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

use crate::env;
use crate::target::ServerTarget;

/// What stands in a message where a secret stood.
const HIDDEN: &str = "..";

/// What Python's `quote` leaves as it is, and every parser of URLs takes for itself.
const UNRESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How a client proves who it is.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Not at all.
    None,
    /// By the token of a service account.
    Token(String),
    /// By a user's name and password.
    Login(Login),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

impl Credentials {
    /// Those for a server, as the environment has them. A server of our own knows nobody:
    /// SkyPilot's refuses every request with a token that it has not made.
    pub fn for_server(server: &ServerTarget) -> Self {
        match server {
            ServerTarget::Isolated { .. } => Self::None,
            ServerTarget::System | ServerTarget::Remote(_) => Self::from_environment(),
        }
    }

    /// Those of the environment: [`env::SERVER_CREDENTIALS`], or else
    /// [`env::SERVICE_ACCOUNT_TOKEN`]. In this order, since Python's `requests`, which
    /// SkyPilot's client is made of, sends the login of a URL instead of a token.
    fn from_environment() -> Self {
        let login = env::text(env::SERVER_CREDENTIALS);
        if let Some(login) = login.as_deref().and_then(Login::from_variable) {
            return Self::Login(login);
        }
        env::text(env::SERVICE_ACCOUNT_TOKEN).map_or(Self::None, Self::Token)
    }

    /// What a process wrote, without the secret. Before anything is cut off from it: of
    /// half a secret nothing would be recognised.
    pub(crate) fn hide_in_output(&self, output: Output) -> Output {
        if *self == Self::None {
            return output;
        }
        let hide = |text: &[u8]| self.hide_in(&String::from_utf8_lossy(text)).into_bytes();
        Output { stdout: hide(&output.stdout), stderr: hide(&output.stderr), ..output }
    }

    /// A text without the secret.
    pub fn hide_in(&self, text: &str) -> String {
        match self {
            Self::None => text.to_owned(),
            Self::Token(token) => text.replace(token, HIDDEN),
            Self::Login(login) => login.hide_in(text),
        }
    }
}

/// A user's name and password, as HTTP's Basic scheme sends them.
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

/// Why a URL's login cannot be sent. The words hold nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// The name would end at its colon.
    #[error(
        "there is a `:` in the user's name, at which the name would end: HTTP's Basic \
         authentication cannot send it\n  hint: a service account's token, in {token}, has no \
         user's name",
        token = env::SERVICE_ACCOUNT_TOKEN
    )]
    ColonInUser,
    /// Its bytes are no text.
    #[error(
        "the user's name or the password is not UTF-8\n  hint: encode characters as their UTF-8 \
         bytes, `é` as `%C3%A9`"
    )]
    NotUtf8,
    /// Basic authentication does not allow for it.
    #[error(
        "there is a control character in the user's name or the password, which HTTP's Basic \
         authentication does not allow"
    )]
    ControlCharacter,
    /// What was meant as a password is taken for a path.
    #[error(
        "there is an `@` after the host\n  hint: in a user's name and a password write `/` as \
         `%2F`, `?` as `%3F`, `#` as `%23`, `%` as `%25` and `@` as `%40`"
    )]
    AtSignAfterHost,
}

impl Login {
    /// Takes the login out of a URL; `None` if there is none.
    pub fn take_from(url: &mut Url) -> Result<Option<Self>, LoginError> {
        let (user, password) = (url.username().to_owned(), url.password().map(str::to_owned));
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

    /// The user's name.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The password; empty where the URL has none.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The value of [`env::SERVER_CREDENTIALS`].
    pub fn to_variable(&self) -> String {
        format!("{}:{}", self.user, self.password)
    }

    fn from_variable(text: &str) -> Option<Self> {
        let (user, password) = text.split_once(':')?;
        Some(Self { user: user.to_owned(), password: password.to_owned() })
    }

    /// A URL with the login in it. Also an empty password has its colon: without one,
    /// Python's `requests` sends nothing at all.
    pub fn put_into(&self, url: &Url) -> String {
        let [user, password] = [&self.user, &self.password].map(|part| encoded(part));
        let url = url.as_str();
        match url.split_once("://") {
            Some((scheme, rest)) => format!("{scheme}://{user}:{password}@{rest}"),
            None => url.to_owned(),
        }
    }

    fn hide_in(&self, text: &str) -> String {
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

/// A text that was typed as a URL and is none, without what may be a login in it.
pub fn without_login(text: &str) -> String {
    let Some((before, after)) = text.rsplit_once('@') else { return text.to_owned() };
    // Of what stands before the `@`, nothing but a scheme is certain to be no secret.
    let scheme = before.split_once("://").map_or("", |(scheme, _)| scheme);
    match !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric()) {
        true => format!("{scheme}://{HIDDEN}@{after}"),
        false => format!("{HIDDEN}@{after}"),
    }
}

/// What was typed as a server, without what may be a login in it.
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

/// Takes a login out of a URL and forgets it.
pub(crate) fn strip(url: &mut Url) {
    // Both fail only for URLs that can't have a login to begin with.
    _ = url.set_username("");
    _ = url.set_password(None);
}

fn encoded(part: &str) -> String {
    utf8_percent_encode(part, &UNRESERVED).to_string()
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
    #[case::as_it_is("http://me:p@ss@h:1/x", "me", "p@ss")]
    #[case::with_a_colon("http://me:a:b@h:1/x", "me", "a:b")]
    #[case::no_ascii("http://m%C3%A9:ü@h:1/x", "mé", "ü")]
    #[case::no_password("http://me@h:1/x", "me", "")]
    #[case::an_empty_password("http://me:@h:1/x", "me", "")]
    #[case::no_name("http://:p@h:1/x", "", "p")]
    fn a_login_is_taken_out_of_a_url_and_decoded(
        #[case] url: &str,
        #[case] user: &str,
        #[case] password: &str,
    ) {
        let expected = login(user, password);
        assert_eq!(taken(url), ("http://h:1/x".to_owned(), Ok(Some(expected.clone()))));
        // And back: what `sky` is given means the same.
        let given = expected.put_into(&"http://h:1/x".parse().unwrap());
        assert_eq!(taken(&given).1, Ok(Some(expected.clone())), "{given}");
        assert_eq!(Login::from_variable(&expected.to_variable()), Some(expected));
    }

    #[test]
    fn a_url_without_a_login_stays_as_it_is() {
        assert_eq!(taken("https://h/east"), ("https://h/east".to_owned(), Ok(None)));
    }

    #[rstest]
    #[case::scheme("htp://me:pw@h:1", "htp://..@h:1")]
    #[case::no_scheme("me:pw@h", "..@h")]
    #[case::signs_in_the_password("http://me:p@w/x@h", "http://..@h")]
    #[case::a_scheme_in_the_password("me:p://w@h", "..@h")]
    #[case::no_login("h:1/x", "h:1/x")]
    fn a_text_that_is_no_url_is_quoted_without_what_may_be_a_login(
        #[case] text: &str,
        #[case] quoted: &str,
    ) {
        assert_eq!(without_login(text), quoted);
    }

    #[test]
    fn a_secret_is_hidden_in_every_form_in_which_it_may_be_printed() {
        let login = Credentials::Login(login("me", "p@ss/é"));
        let text = "p@ss/é p%40ss%2F%C3%A9 p%40ss%2f%c3%a9 bWU6cEBzcy/DqQ== me";
        assert_eq!(login.hide_in(text), ".. .. .. .. me");
        assert_eq!(Credentials::Token("sky_x".to_owned()).hide_in("a sky_x b"), "a .. b");
    }

    #[test]
    fn credentials_do_not_show_in_what_is_printed() {
        let token = Credentials::Token("secret".to_owned());
        let both = format!("{:?}{token:?}", login("u", "secret"));
        assert!(!both.contains("secret"), "{both}");
    }
}
