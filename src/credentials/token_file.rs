//! Service-account token in a file (`--token-file`).

use std::fs;
use std::path::Path;

/// Token in the first line of a file, or a usage error without any part of the file's content.
///
/// # Errors
///
/// With the reason why the file has no token.
pub fn token_of_file(path: &Path) -> Result<String, String> {
    let place = path.display();
    let text = fs::read_to_string(path)
        .map_err(|source| format!("--token-file: cannot read `{place}`: {source}"))?;
    parse(&text).map_err(|expected| format!("--token-file: expected {expected} in `{place}`"))
}

fn parse(text: &str) -> Result<String, &'static str> {
    let token = text.lines().next().unwrap_or_default().trim();
    // SkyPilot's client sends no other.
    if !token.starts_with("sky_") {
        return Err("a service-account token, which begins with `sky_`, in the first line");
    }
    // A header has no other characters.
    if !token.chars().all(|c| c.is_ascii_graphic()) {
        return Err("a service-account token of letters, digits and signs without blanks");
    }
    Ok(token.to_owned())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::the_first_line("sky_abc\nsky_def\n", "sky_abc")]
    #[case::with_blanks_around("  sky_abc \r\n", "sky_abc")]
    fn a_token_is_the_first_line_without_blanks(#[case] text: &str, #[case] token: &str) {
        assert_eq!(parse(text).as_deref(), Ok(token));
    }

    #[rstest]
    #[case::empty("")]
    #[case::in_the_second_line("\nsky_abc\n")]
    #[case::another_kind("ghp_abc")]
    #[case::a_blank("sky_a bc")]
    #[case::not_ascii("sky_ü")]
    fn a_text_that_skypilot_would_not_send_is_no_token(#[case] text: &str) {
        assert!(parse(text).is_err());
    }
}
