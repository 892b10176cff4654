//! Texts from outside inside of Markdown: names and messages of servers say what they
//! say, and do nothing.

/// A text in a line or in the cell of a table. What means something to Markdown, to
/// HTML or to a table becomes a character reference, which Markdown never reads as
/// markup. Nobody is mentioned and no issue is linked: behind `@` and `#` stands a
/// space without width.
pub(super) fn inline(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        // `launch_and_logs` is read by people who see the source, too.
        let is_within_word = before.is_alphanumeric()
            && rest.peek().is_some_and(|after: &char| after.is_alphanumeric());
        before = c;
        match c {
            '@' | '#' => {
                escaped.push_str(&reference(c));
                escaped.push_str("&#8203;");
            }
            '_' if is_within_word => escaped.push(c),
            '&' | '<' | '>' | '|' | '\\' | '`' | '*' | '_' | '~' | '[' | ']' | '$' => {
                escaped.push_str(&reference(c));
            }
            c if c.is_whitespace() => escaped.push(' '),
            c if is_invisible(c) => {}
            c => escaped.push(c),
        }
    }
    escaped
}

/// A text inside of `<pre>`, where nothing but HTML means anything.
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

/// Colours of terminals, and marks that turn the direction of what follows.
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
    fn a_text_says_what_it_says_and_does_nothing(#[case] text: &str, #[case] escaped: &str) {
        assert_eq!(inline(text), escaped);
    }

    #[test]
    fn a_preformatted_text_keeps_its_lines_and_cannot_end_its_block() {
        assert_eq!(preformatted("a | b\n</pre>*&"), "a | b\n&#60;/pre&#62;*&#38;");
    }
}
