//! Escapes for Markdown of texts from outside, such as names and messages of servers.

/// Text for a line or a table cell. Special characters of Markdown, HTML and tables become
/// character references, which Markdown never reads as markup. A zero-width space after `@` and
/// `#` keeps GitHub from notifying users and linking issues.
pub(in crate::render) fn inline(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut previous = ' ';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        // Markdown ignores `_` within words. Unescaped, names such as `launch_and_logs` stay
        // readable in the source.
        let is_within_word = previous.is_alphanumeric()
            && rest.peek().is_some_and(|next: &char| next.is_alphanumeric());
        previous = c;
        match c {
            '@' | '#' => {
                escaped.push_str(&reference(c));
                escaped.push_str("&#8203;");
            }
            '_' if is_within_word => escaped.push(c),
            '&' | '<' | '>' | '|' | '\\' | '`' | '*' | '_' | '~' | '[' | ']' | '$' => {
                escaped.push_str(&reference(c));
            }
            // A line break would end the table row or the list item.
            c if c.is_whitespace() => escaped.push(' '),
            c if is_invisible(c) => {}
            c => escaped.push(c),
        }
    }
    escaped
}

/// Text for a `<pre>` block, where only HTML is special.
pub(super) fn preformatted(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' | '<' | '>' => escaped.push_str(&reference(c)),
            '\n' => escaped.push('\n'),
            c if is_invisible(c) => {}
            c => escaped.push(c),
        }
    }
    escaped
}

fn reference(c: char) -> String {
    format!("&#{};", u32::from(c))
}

/// Whether a character is a control character, such as the escape of terminal colours, or changes
/// the direction of the text after it.
fn is_invisible(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::html("<script>alert(1)</script>", "&#60;script&#62;alert(1)&#60;/script&#62;")]
    #[case::a_cell("a | b", "a &#124; b")]
    #[case::a_line("a\r\n\n# b", "a   &#35;&#8203; b")]
    #[case::an_image("![x](http://x)", "!&#91;x&#93;(http://x)")]
    #[case::code("`x`", "&#96;x&#96;")]
    #[case::a_reference("&lt;", "&#38;lt;")]
    #[case::an_escape("\\|", "&#92;&#124;")]
    #[case::a_mention("@octocat", "&#64;&#8203;octocat")]
    #[case::emphasis("_a_b_", "&#95;a_b&#95;")]
    #[case::colours("\u{1b}[31mred", "&#91;31mred")]
    #[case::plain("api:status p95 1.5 s, 3x (12%)", "api:status p95 1.5 s, 3x (12%)")]
    fn special_characters_are_escaped(#[case] text: &str, #[case] escaped: &str) {
        assert_eq!(inline(text), escaped);
    }

    #[test]
    fn a_preformatted_text_keeps_its_lines_and_cannot_end_its_block() {
        assert_eq!(preformatted("a | b\n</pre>*&"), "a | b\n&#60;/pre&#62;*&#38;");
    }
}
