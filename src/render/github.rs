//! Annotations of GitHub Actions, shown on the page of a workflow run and in pull requests.
//!
//! GitHub takes any line of a step's output or error output that begins with `::error` or
//! `::warning` as an annotation.

use std::io::{self, Write};

use crate::analysis::{Report, Severity};

/// Writes one annotation for each finding that is not a note, most severe first. GitHub shows the
/// first ten of a step.
pub fn annotations(report: &Report, out: &mut impl Write) -> io::Result<()> {
    for finding in &report.findings {
        let command = match finding.severity {
            Severity::ScenarioFailed | Severity::OverBudget => "error",
            Severity::Inconclusive => "warning",
            Severity::Note => continue,
        };
        let word = finding.severity.name();
        let title = match &finding.about {
            Some(about) => format!("skyload: {word}, {about}"),
            None => format!("skyload: {word}"),
        };
        writeln!(
            out,
            "::{command} title={}::{}",
            as_property(&title),
            as_message(&finding.message)
        )?;
    }
    Ok(())
}

/// Text escaped for the message after the second `::`, as GitHub's toolkit does.
fn as_message(text: &str) -> String {
    // `%` comes first, so that the other escapes are not escaped again.
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Text escaped for a property before the second `::`, as GitHub's toolkit does.
fn as_property(text: &str) -> String {
    as_message(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_end_its_annotation_or_property() {
        assert_eq!(as_message("50% of\r\n::error::x"), "50%25 of%0D%0A::error::x");
        assert_eq!(as_property("a,title=b::c"), "a%2Ctitle=b%3A%3Ac");
        assert_eq!(as_message("%0A"), "%250A", "an escape in the text stays literal");
    }
}
