//! Removal of secrets from texts that are printed or written.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Replacement for a secret in a message.
pub(super) const HIDDEN: &str = "..";

/// Characters to percent-encode: all but the unreserved ones of RFC 3986, as Python's
/// `urllib.parse.quote` does.
const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Copy of a text with a secret replaced, in all forms in which a client or a server may print
/// it.
pub(super) fn hide(secret: &str, text: &str) -> String {
    if secret.is_empty() {
        return text.to_owned();
    }
    // Percent-encoded with either case of digits. The plain form last, since it may be part of
    // another one.
    let encoded = percent_encoded(secret);
    let forms = [base64(secret), encoded.to_lowercase(), encoded, secret.to_owned()];
    forms.iter().fold(text.to_owned(), |text, form| text.replace(form, HIDDEN))
}

/// Text in Base64.
pub(super) fn base64(text: &str) -> String {
    BASE64_STANDARD.encode(text)
}

/// Text percent-encoded as a part of a URL.
pub(super) fn percent_encoded(text: &str) -> String {
    utf8_percent_encode(text, &RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_in_every_form_that_may_be_printed() {
        let text = "a/é YS/DqQ== a%2F%C3%A9 a%2f%c3%a9 other";
        assert_eq!(hide("a/é", text), ".. .. .. .. other");
    }

    #[test]
    fn an_empty_secret_is_nowhere() {
        assert_eq!(hide("", "text"), "text");
    }
}
