//! Login of a user: removed from a URL, passed in a variable, put into a URL again for `sky`.

use std::fmt;

use percent_encoding::percent_decode_str;
use url::Url;

use super::hiding;
use super::in_url::strip;
use crate::env;

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

    /// Login of [`env::SERVER_CREDENTIALS`]; `None` if the variable is not set, or without a colon.
    pub fn from_environment() -> Option<Self> {
        Self::from_variable(&env::text(env::SERVER_CREDENTIALS)?)
    }

    fn from_variable(text: &str) -> Option<Self> {
        let (user, password) = text.split_once(':')?;
        Some(Self { user: user.to_owned(), password: password.to_owned() })
    }

    /// Copy of a URL with the login inserted.
    pub fn put_into(&self, url: &Url) -> String {
        let [user, password] =
            [&self.user, &self.password].map(|part| hiding::percent_encoded(part));
        let url = url.as_str();
        match url.split_once("://") {
            // The colon stays with an empty password too: without a colon, Python's `requests`
            // sends no login.
            Some((scheme, rest)) => format!("{scheme}://{user}:{password}@{rest}"),
            None => url.to_owned(),
        }
    }

    pub(super) fn hide_in(&self, text: &str) -> String {
        // The value of the `Authorization` header first, in which the password is not to be seen.
        hiding::hide(
            &self.password,
            &text.replace(&hiding::base64(&self.to_variable()), hiding::HIDDEN),
        )
    }
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

    #[test]
    fn a_password_is_hidden_in_every_form_that_may_be_printed() {
        let text = "p@ss/é p%40ss%2F%C3%A9 p%40ss%2f%c3%a9 bWU6cEBzcy/DqQ== me";
        assert_eq!(login("me", "p@ss/é").hide_in(text), ".. .. .. .. me");
    }
}
