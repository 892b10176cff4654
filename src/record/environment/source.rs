//! Source that skyload has built SkyPilot from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::units::counted;

/// Number of hexadecimal digits of a commit or of a hash in texts, file names and commits that
/// SkyPilot reports.
const DIGITS: usize = 12;

/// Source that skyload has built SkyPilot from, exactly as tested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SkySource {
    /// Folder of a checkout, or path or URL of a repository, as given in `--sky`.
    pub repository: String,
    /// Branch, tag, commit or pull request, as given in `--sky`; `None` for a checkout.
    pub reference: Option<String>,
    /// Commit; `None` for a folder that is not in a git repository.
    pub commit: Option<Commit>,
    /// Files that are not as in the commit; `None` if there are none.
    pub uncommitted: Option<Uncommitted>,
}

/// Commit of a git repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Commit {
    /// Hash of the commit.
    pub hash: String,
    /// Date of the commit, in microseconds since the Unix epoch.
    pub date: Timestamp,
}

/// Files of a checkout that differ from its commit, that the commit has not, or that were
/// deleted; of a folder without a commit, all files. Ignored files do not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Uncommitted {
    /// Number of files.
    pub files: usize,
    /// SHA-256 of the files' paths and contents.
    pub sha256: String,
}

impl SkySource {
    /// Commit that the built SkyPilot reports: the hash of the commit, with `-dirty` and digits
    /// of the hash of uncommitted files, or `content-` and digits without a commit.
    pub fn reported_commit(&self) -> String {
        match (&self.commit, &self.uncommitted) {
            (Some(commit), None) => commit.hash.clone(),
            (Some(commit), Some(files)) => {
                format!("{}-dirty-{}", commit.hash, short(&files.sha256))
            }
            (None, files) => {
                format!("content-{}", files.as_ref().map_or("empty", |files| short(&files.sha256)))
            }
        }
    }

    /// Short form of [`Self::reported_commit`], for names and columns.
    pub fn short_commit(&self) -> String {
        match &self.commit {
            Some(commit) => self.reported_commit().replace(&commit.hash, short(&commit.hash)),
            None => self.reported_commit(),
        }
    }

    /// Source in words, such as `branch of a repository, commit and uncommitted files`.
    pub fn in_words(&self) -> String {
        let place = match (&self.reference, &self.commit) {
            (Some(reference), _) => format!("{reference} of {}", self.repository),
            (None, Some(_)) => format!("checkout {}", self.repository),
            (None, None) => format!("folder {} (no git repository)", self.repository),
        };
        let commit = self.commit.as_ref().map(|commit| format!("commit {}", short(&commit.hash)));
        let kind = if self.commit.is_some() { "uncommitted " } else { "" };
        let files = self.uncommitted.as_ref().map(|Uncommitted { files, sha256 }| {
            format!("{} (SHA-256 {})", counted(*files, &format!("{kind}file")), short(sha256))
        });
        let contents: Vec<String> = [commit, files].into_iter().flatten().collect();
        format!("{place}, {}", contents.join(" with "))
    }
}

/// Short form of a commit that a SkyPilot reports: of the hash the first digits, and all that
/// says what is not committed.
pub fn short_commit(commit: &str) -> String {
    match commit.split_once('-') {
        Some((hash, rest)) => format!("{}-{rest}", short(hash)),
        None => short(commit).to_owned(),
    }
}

/// First digits of a hash.
fn short(hash: &str) -> &str {
    hash.get(..DIGITS).unwrap_or(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(reference: Option<&str>, is_in_git: bool, files: Option<usize>) -> SkySource {
        let hash = "0123456789abcdef0123456789abcdef01234567".to_owned();
        SkySource {
            repository: "../skypilot".to_owned(),
            reference: reference.map(str::to_owned),
            commit: is_in_git.then(|| Commit { hash, date: Timestamp::from_micros(1) }),
            uncommitted: files.map(|files| Uncommitted { files, sha256: "fedcba98765432".into() }),
        }
    }

    #[test]
    fn uncommitted_files_are_part_of_the_commit_that_is_reported() {
        let hash = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(source(None, true, None).reported_commit(), hash);
        let dirty = source(None, true, Some(1));
        assert_eq!(dirty.reported_commit(), format!("{hash}-dirty-fedcba987654"));
        assert_eq!(dirty.short_commit(), "0123456789ab-dirty-fedcba987654");
        assert_eq!(source(None, false, Some(9)).reported_commit(), "content-fedcba987654");
    }

    #[test]
    fn sources_in_words() {
        for (source, expected) in [
            (source(Some("fix"), true, None), "fix of ../skypilot, commit 0123456789ab"),
            (source(None, true, None), "checkout ../skypilot, commit 0123456789ab"),
            (
                source(None, true, Some(1)),
                "checkout ../skypilot, commit 0123456789ab with 1 uncommitted file (SHA-256 \
                 fedcba987654)",
            ),
            (
                source(None, false, Some(9)),
                "folder ../skypilot (no git repository), 9 files (SHA-256 fedcba987654)",
            ),
        ] {
            assert_eq!(source.in_words(), expected);
        }
    }
}
