//! List of a package's versions by pip; uv has none.

use std::path::Path;

use anyhow::{Context as _, Result};
use host::progress::Step;
use host::tools::python::for_installers;
use host::tools::run::run;
use xshell::{Shell, cmd};

/// Beginning of the line with all versions in the output of `pip index versions`.
const LINE: &str = "Available versions: ";

/// Versions of a package, newest first, by the pip of `python`.
pub(super) fn versions(
    shell: &Shell,
    python: &Path,
    package: &str,
    step: &Step,
) -> Result<Vec<String>> {
    let options = ["--no-input", "--disable-pip-version-check", "--pre"];
    let list = cmd!(shell, "{python} -m pip index versions {options...} {package}");
    let output = run(for_installers(list), step)?.into_output()?;
    listed(&output).with_context(|| format!("reading pip's list of {package}"))
}

pub(super) fn listed(output: &str) -> Option<Vec<String>> {
    let line = output.lines().find_map(|line| line.trim().strip_prefix(LINE))?;
    Some(line.split(',').map(|version| version.trim().to_owned()).collect())
}
