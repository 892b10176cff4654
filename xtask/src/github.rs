//! Annotations and job summary of runs and comparisons in GitHub Actions.

use std::fs::{self, File};
use std::io::{self, Write, stderr};
use std::path::Path;

use skyload::analysis::Report;
use skyload::env;
use skyload::record::RunDir;
use skyload::render::github;

/// Writes annotations for the findings, and appends report.md to the job summary.
///
/// Annotations go to standard error, which GitHub reads too, since standard output is for the
/// report. A summary that cannot be written is reported and changes no verdict.
pub(crate) fn publish(run: &RunDir, report: &Report) {
    if env::text(env::GITHUB_ACTIONS).is_some_and(|value| value == "true") {
        _ = github::annotations(report, &mut stderr().lock());
    }
    summarize(&run.report_markdown());
}

/// Appends a Markdown file to the job summary.
pub(crate) fn summarize(markdown: &Path) {
    if let Some(summary) = env::path(env::GITHUB_STEP_SUMMARY)
        && let Err(error) = append(markdown, &summary)
    {
        let name = markdown.file_name().unwrap_or_default().to_string_lossy();
        _ = writeln!(stderr(), "Adding {name} to `{}` failed: {error}", summary.display());
    }
}

fn append(report: &Path, summary: &Path) -> io::Result<()> {
    let text = fs::read(report)?;
    let mut summary = File::options().create(true).append(true).open(summary)?;
    summary.write_all(&text)
}
