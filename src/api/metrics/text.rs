//! Prometheus' text format: a sample a line, as `name{label="value"} 1.0`.
//!
//! A parser of its own: those that exist split labels at any comma or brace, also inside of values,
//! and leave out lines that they do not understand.

use std::borrow::Cow;

/// Maximum number of characters of a malformed line that a message quotes.
const QUOTED: usize = 60;

/// Sample of a metric.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample<'a> {
    /// Name, with the suffix of a histogram's part such as `_bucket`.
    pub(super) name: &'a str,
    labels: Vec<(&'a str, Cow<'a, str>)>,
    /// Value; may be infinite or no number.
    pub(super) value: f64,
}

impl Sample<'_> {
    /// Value of a label.
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| *label == name).map(|(_, value)| value.as_ref())
    }
}

/// Samples of a text, each or the reason why its line is none. Comments are left out.
pub(super) fn samples(text: &str) -> impl Iterator<Item = Result<Sample<'_>, String>> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines.map(|(number, line)| {
        sample(line).ok_or_else(|| {
            let quoted: String = line.chars().take(QUOTED).collect();
            format!("expected Prometheus' text format, got `{quoted}` in line {number}")
        })
    })
}

fn sample(line: &str) -> Option<Sample<'_>> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let end = line.find(|c| !is_of_name(c))?;
    let (name, rest) = line.split_at(end);
    if name.is_empty() {
        return None;
    }
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    // A timestamp or an exemplar may follow the value.
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Sample { name, labels, value })
}

/// Labels up to the closing brace, and the rest of the line.
type Labels<'a> = (Vec<(&'a str, Cow<'a, str>)>, &'a str);

fn labels(mut rest: &str) -> Option<Labels<'_>> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', ',']);
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, quoted) = rest.split_once('=')?;
        let (value, after) = quoted_value(quoted.trim_start().strip_prefix('"')?)?;
        labels.push((name.trim_end(), value));
        rest = after;
    }
}

/// Value up to its closing quote, and the rest of the line.
fn quoted_value(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut unescaped: Option<String> = None;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => {
                let value = unescaped.map_or(Cow::Borrowed(&text[..at]), Cow::Owned);
                return Some((value, &text[at + 1..]));
            }
            '\\' => {
                let (_, escaped) = chars.next()?;
                let so_far = unescaped.get_or_insert_with(|| text[..at].to_owned());
                so_far.push(if escaped == 'n' { '\n' } else { escaped });
            }
            other => {
                if let Some(so_far) = &mut unescaped {
                    so_far.push(other);
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn only(line: &str) -> Sample<'_> {
        samples(line).next().unwrap().unwrap()
    }

    #[test]
    fn a_label_may_contain_any_sign() {
        let sample = only(r#"requests{path="/a,b}\"c=\\d\n",status="2xx",} 3.0 1700000000"#);
        assert_eq!((sample.name, sample.value), ("requests", 3.0));
        assert_eq!(sample.label("path"), Some("/a,b}\"c=\\d\n"));
        assert_eq!((sample.label("status"), sample.label("method")), (Some("2xx"), None));
    }

    #[test]
    fn a_value_may_be_infinite_or_no_number() {
        assert_eq!(only("lag +Inf").value, f64::INFINITY);
        assert!(only("lag{} NaN").value.is_nan());
        assert_eq!(only("lag 1.5e+03").value, 1500.0);
    }

    #[test]
    fn comments_and_empty_lines_are_no_samples() {
        assert_eq!(samples("# HELP x {y} 1\n\n  \n# EOF\n").count(), 0);
    }

    #[rstest]
    #[case::of_a_page("<html>")]
    #[case::without_a_value("name")]
    #[case::with_an_open_brace("name{a=\"b\" 1")]
    #[case::with_an_open_quote("name{a=\"b} 1")]
    #[case::with_a_label_without_a_value("name{a} 1")]
    #[case::with_a_word_as_its_value("name one")]
    fn a_malformed_line_is_an_error(#[case] line: &str) {
        let error = samples(&format!("fine 1\n{line}\n")).nth(1).unwrap().unwrap_err();
        assert!(error.ends_with(&format!("got `{line}` in line 2")), "{error}");
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd_to_be_read(text in "([a-z_]{0,3}|[{}\",=\\\\ \n0-9.eé#]){0,60}") {
            _ = samples(&text).count();
        }

        #[test]
        fn a_label_survives_its_escapes(value in "\\PC{0,12}") {
            let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let line = format!("x{{path=\"{escaped}\"}} 1");
            let read = only(&line);
            prop_assert_eq!(read.label("path"), Some(value.as_str()));
        }
    }
}
