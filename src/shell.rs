//! Words as a POSIX shell takes them, for commands that are shown to be typed.

use std::borrow::Cow;
use std::path::Path;

/// A word of a command, quoted where a shell would take it for something else.
pub fn word(text: &str) -> Cow<'_, str> {
    // Only a NUL cannot be quoted, and nothing that was typed has one.
    shlex::try_quote(text).unwrap_or(Cow::Borrowed(text))
}

/// A path as a word of a command.
pub fn path(path: &Path) -> String {
    word(&path.to_string_lossy()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_they_have_to_be() {
        assert_eq!(path(Path::new("/plans/ours-2.toml")), "/plans/ours-2.toml");
        assert_eq!(word("http://10.0.0.1:46580"), "http://10.0.0.1:46580");
        assert_eq!(path(Path::new("/my plans/it's.toml")), r#""/my plans/it's.toml""#);
        assert_eq!(word("http://host/?a=1&b=2"), "'http://host/?a=1&b=2'");
    }
}
