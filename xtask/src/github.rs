//! What a run tells GitHub, where it is GitHub that runs it.

use std::fs::{self, File};
use std::io::{self, Write, stderr};
use std::path::Path;

use skyload::analysis::Report;
use skyload::env;
use skyload::record::RunDir;
use skyload::render::github;

/// Annotates the workflow run with what was found, and adds report.md to its page.
///
/// Annotations go to standard error, which GitHub reads as well: standard output is
/// the report's. That the page could not be written is said and changes no verdict.
pub(crate) fn tell(run: &RunDir, report: &Report) {
    let mut out = stderr().lock();
    if env::text(env::GITHUB_ACTIONS).is_some_and(|value| value == "true") {
        _ = github::annotations(report, &mut out);
    }
    if let Some(page) = env::path(env::GITHUB_STEP_SUMMARY)
        && let Err(error) = append(&run.report_markdown(), &page)
    {
        _ = writeln!(out, "Adding report.md to `{}` failed: {error}", page.display());
    }
}

fn append(report: &Path, page: &Path) -> io::Result<()> {
    let text = fs::read(report)?;
    let mut page = File::options().create(true).append(true).open(page)?;
    page.write_all(&text)
}
