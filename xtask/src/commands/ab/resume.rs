//! Reading of `--continue`, of `ab` and `bisect` alike: only limits may be given anew.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use host::workspace::Workspace;
use skyload::plan::UsageErrors;
use skyload::record::{Document, read};

use super::limits::Limits;
use crate::flags;

/// Record from which an interrupted command is continued.
pub(crate) trait Resumable: Document {
    /// Directory that has the record.
    type Directory;

    /// Name of what is continued, in messages.
    const NAME: &'static str;

    /// Names of what the record has, which flags cannot change.
    const FIXED: &'static str;

    /// Directory with a record, by its path or its id, or a usage error.
    fn find(name: &Path, workspace: &Workspace) -> Result<Self::Directory, String>;

    /// File of the record.
    fn file(directory: &Self::Directory) -> PathBuf;

    /// Limits that the command began with.
    fn limits(&self) -> Limits;
}

/// Record to continue, with the flags that may be given anew.
pub(crate) struct Continued<R: Resumable> {
    pub(crate) directory: R::Directory,
    pub(crate) record: R,
    pub(crate) limits: Limits,
    /// `--yes`, which is not recorded.
    pub(crate) yes: bool,
}

impl<R: Resumable> Continued<R> {
    /// Reads the record called `name`, or returns all usage errors. Versions and other arguments
    /// that make a new one, of which `is_new` says whether there are any, are errors.
    pub(crate) fn read(
        name: &Path,
        flags: &flags::Paired,
        is_new: bool,
        workspace: &Workspace,
    ) -> Result<Self> {
        let mut mistakes = Vec::new();
        if is_new || flags.has_any_of_a_new_one() {
            mistakes.push(format!(
                "--continue: expected only --pairs, --max-time, --allow-differences, --yes and the \
                 form of the output, since {} are those of the {}",
                R::FIXED,
                R::NAME
            ));
        }
        let directory = R::find(name, workspace).map_err(|mistake| mistakes.push(mistake)).ok();
        let record = directory.as_ref().map(|directory| read::<R>(&R::file(directory)));
        let record = record.transpose().with_context(|| format!("reading the {}", R::NAME))?;
        let begun = record.as_ref().map(R::limits);
        let (limits, mistake) = Limits::of_flags(flags, begun);
        mistakes.extend(mistake);
        match (directory, record) {
            (Some(directory), Some(record)) if mistakes.is_empty() => {
                Ok(Self { directory, record, limits, yes: flags.request.yes })
            }
            _ => Err(UsageErrors(mistakes).into()),
        }
    }
}
