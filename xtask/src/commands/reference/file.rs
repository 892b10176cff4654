//! File of a reference, and the request that made its runs.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use host::workspace::Workspace;
use skyload::comparison::Reference;
use skyload::plan::UsageErrors;
use skyload::record::request::LoadRequest;
use skyload::record::{RecordError, read};
use skyload::shell;

use crate::commands::load::with_paths;
use crate::flags;

/// Name of the file in the checkout, unless a flag names another one.
const NAME: &str = "skyload-reference.json";

/// File of a reference.
pub(super) struct ReferenceFile {
    /// Absolute path.
    path: PathBuf,
}

impl ReferenceFile {
    pub(super) fn locate(flags: &flags::ReferenceFile, workspace: &Workspace) -> Result<Self> {
        let path = flags.file.clone().unwrap_or_else(|| workspace.root.join(NAME));
        let path = std::path::absolute(path).context("finding the reference")?;
        Ok(Self { path })
    }

    /// Flag that names the file in a command, with a space before it; empty for the default file.
    pub(super) fn flag(flags: &flags::ReferenceFile) -> String {
        let path = flags.file.as_ref();
        path.map_or_else(String::new, |path| {
            format!(" --file {}", shell::word(&path.to_string_lossy()))
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Folder of the file, to which its paths are relative.
    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    /// Reference in the file; one that cannot be read is a usage error.
    pub(super) fn read(&self) -> Result<Reference, UsageErrors> {
        const SET: &str = "make it with `cargo xtask reference set RUN...`";
        read(&self.path).map_err(|error: RecordError| {
            let hint = match &error {
                RecordError::Version { found, readable, .. } if *found > readable.newest => {
                    "use the skyload that made the file, or make it anew with `cargo xtask \
                     reference set RUN...`"
                        .to_owned()
                }
                error if error.is_not_found() => format!("{SET}, or name another file with --file"),
                _ => format!("restore the file, or {SET}"),
            };
            UsageErrors(vec![format!("{}\n  hint: {hint}", error.in_one_line())])
        })
    }

    /// Request with paths relative to the file's folder where they are below it, so that the file
    /// is the same on another machine. A reference has no kept server, which would run beside the
    /// next one.
    pub(super) fn portable(&self, request: &LoadRequest) -> Result<LoadRequest> {
        let relative = |path: &Path| {
            Ok(path.strip_prefix(self.folder()).map_or_else(|_| path.to_owned(), Path::to_owned))
        };
        with_paths(LoadRequest { keep_server: false, ..request.clone() }, relative)
    }

    /// Request of a reference with absolute paths.
    pub(super) fn request(&self, reference: &Reference) -> Result<LoadRequest> {
        with_paths(reference.request()?, |path| Ok(self.folder().join(path)))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rstest::rstest;

    use super::*;

    fn file(folder: &str) -> ReferenceFile {
        ReferenceFile { path: Path::new(folder).join(NAME) }
    }

    #[test]
    fn paths_below_the_file_are_relative_to_it() {
        let request = LoadRequest {
            config: Some("/here/plans.toml".into()),
            script: Some("/elsewhere/run.sh".into()),
            sky: Some("/here/skypilot".into()),
            keep_server: true,
            ..LoadRequest::default()
        };
        let stored = file("/here").portable(&request).unwrap();
        assert_eq!(stored.config.as_deref(), Some(Path::new("plans.toml")));
        assert_eq!(stored.script.as_deref(), Some(Path::new("/elsewhere/run.sh")));
        assert_eq!(stored.sky.as_deref(), Some("./skypilot"));
        assert!(!stored.keep_server);
    }

    #[rstest]
    #[case::missing(None, "cannot read", "--file")]
    #[case::truncated(Some(r#"{"version": 1, "sky": "0.1"#), "is not a valid reference", "restore")]
    #[case::of_something_else(Some("[]"), "is not a valid reference", "restore")]
    #[case::of_a_newer_build(Some(r#"{"version": 99}"#), "found version 99", "that made the file")]
    fn a_file_that_cannot_be_read_is_a_usage_error_with_its_path(
        #[case] text: Option<&str>,
        #[case] problem: &str,
        #[case] hint: &str,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let file = file(folder.path().to_str().unwrap());
        if let Some(text) = text {
            fs::write(file.path(), text).unwrap();
        }
        let UsageErrors(mistakes) = file.read().unwrap_err();
        assert_eq!(mistakes.len(), 1);
        for expected in [problem, hint, file.path().to_str().unwrap()] {
            assert!(mistakes[0].contains(expected), "{mistakes:?}");
        }
    }
}
