//! Removal of logins from URLs, and from texts that should have been URLs.

use url::Url;

use super::hiding::HIDDEN;

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

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::scheme("htp://me:pw@h:1", "htp://..@h:1")]
    #[case::no_scheme("me:pw@h", "..@h")]
    #[case::signs_in_the_password("http://me:p@w/x@h", "http://..@h")]
    #[case::a_scheme_in_the_password("me:p://w@h", "..@h")]
    #[case::no_login("h:1/x", "h:1/x")]
    fn a_possible_login_in_an_invalid_url_is_not_quoted(#[case] text: &str, #[case] quoted: &str) {
        assert_eq!(without_login(text), quoted);
    }
}
