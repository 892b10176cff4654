//! Renderers of a bisection: text, and Markdown for an issue or a step summary.

mod markdown;
mod rows;
mod text;

pub use markdown::render as render_markdown;
pub use text::render as render_text;

use crate::comparison::{Bisection, Outcome, Revision};

/// Heading of a bisection, in one line.
fn heading(bisection: &Bisection) -> String {
    format!(
        "{} from {} (good) to {} (bad), {}",
        bisection.metric,
        bisection.good.name(),
        bisection.revision(bisection.revisions.len()).name(),
        bisection.extent()
    )
}

/// Lines of the versions among which the first bad one is: whole hash, day, author and subject.
fn suspects(bisection: &Bisection) -> Vec<String> {
    let line = |revision: &Revision| match &revision.commit {
        Some(commit) => format!(
            "{} {} {}: {}",
            revision.full_name(),
            commit.day(),
            commit.author,
            commit.subject
        ),
        None => revision.full_name(),
    };
    bisection.suspects().iter().map(line).collect()
}

/// Heading of the lines of [`suspects`].
fn suspects_heading(bisection: &Bisection) -> String {
    let noun = bisection.good.noun();
    match bisection.outcome {
        Outcome::Found { .. } => format!("First bad {noun}"),
        _ => format!("First bad {noun}, one of"),
    }
}
