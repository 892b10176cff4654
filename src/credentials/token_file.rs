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
    let first = text.lines().next().unwrap_or_default();
    checked(first.trim()).map(str::to_owned).map_err(|expected| {
        format!("--token-file: expected {expected} in the first line of `{place}`")
    })
}

/// Token of a service account, or what was expected in its place.
pub(super) fn checked(token: &str) -> Result<&str, &'static str> {
    // SkyPilot's client sends no other.
    if !token.starts_with("sky_") {
        return Err("a service-account token, which begins with `sky_`,");
    }
    // A header has no other characters.
    if !token.chars().all(|c| c.is_ascii_graphic()) {
        return Err("a service-account token of letters, digits and signs without blanks");
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::the_first_line("sky_abc\nsky_def\n")]
    #[case::with_blanks_around("  sky_abc \r\n")]
    fn a_token_is_the_first_line_without_blanks(#[case] text: &str) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, text).unwrap();
        assert_eq!(token_of_file(&path).as_deref(), Ok("sky_abc"));
        fs::write(&path, format!("\n{text}")).unwrap();
        assert!(token_of_file(&path).is_err());
    }

    #[rstest]
    #[case::empty("")]
    #[case::another_kind("ghp_abc")]
    #[case::a_blank("sky_a bc")]
    #[case::not_ascii("sky_ü")]
    fn a_text_that_skypilot_would_not_send_is_no_token(#[case] text: &str) {
        assert!(checked(text).is_err());
    }
}
