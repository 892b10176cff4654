//! Quoting for a POSIX shell, in commands that are shown to be copied.

use std::borrow::Cow;
use std::path::Path;

/// Text as one shell word, quoted if needed.
pub fn word(text: &str) -> Cow<'_, str> {
    // Quoting fails only for a NUL, which no command-line argument can contain.
    shlex::try_quote(text).unwrap_or(Cow::Borrowed(text))
}

/// Path as one shell word, quoted if needed.
pub fn path(path: &Path) -> String {
    word(&path.to_string_lossy()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_if_needed() {
        assert_eq!(path(Path::new("/plans/ours-2.toml")), "/plans/ours-2.toml");
        assert_eq!(word("http://10.0.0.1:46580"), "http://10.0.0.1:46580");
        assert_eq!(path(Path::new("/my plans/it's.toml")), r#""/my plans/it's.toml""#);
        assert_eq!(word("http://host/?a=1&b=2"), "'http://host/?a=1&b=2'");
    }
}
