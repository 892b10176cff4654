//! Commits between two of a repository on this machine: those of the main line (first parents)
//! that change the package.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use host::progress::Progress;
use host::tools::git::Git;
use host::tools::shell_in;
use skyload::clock::Timestamp;
use skyload::comparison::{CommitTitle, Revision};
use skyload::plan::SkySelection;
use skyload::target::sky::GitReference;

use super::repository::Repository;
use crate::sky::between::Between;

/// Paths that a build reads. Commits that change none of them build the same package.
const PACKAGE: [&str; 5] = ["sky", "setup.py", "setup.cfg", "pyproject.toml", "MANIFEST.in"];

/// Format of a commit in lists: hash, author, date and subject.
const FORMAT: &str = "--format=%H%x00%an%x00%at%x00%s";

/// Commits after `good` up to `bad`, or all mistakes in both references, with their names.
pub(in crate::sky) fn between(
    good: &GitReference,
    bad: &GitReference,
    state_dir: &Path,
    progress: &Progress,
) -> Result<Result<Between, Vec<String>>> {
    let ends = [("GOOD", good), ("BAD", bad)];
    let [good_end, bad_end] = ends.map(|(name, end)| {
        let resolved = resolve(end, state_dir, progress);
        resolved.map_err(|error| format!("{name}: {error:#}"))
    });
    let (good_end, bad_end) = match (good_end, bad_end) {
        (Ok(good), Ok(bad)) => (good, bad),
        (good, bad) => {
            return Ok(Err([good.err(), bad.err()].into_iter().flatten().collect()));
        }
    };
    if good_end.folder != bad_end.folder {
        return Ok(Err(vec![format!(
            "GOOD and BAD: expected commits of one repository, got {} and {}",
            good.repository, bad.repository
        )]));
    }
    let git = Git::require(&shell_in(state_dir)?)?;
    let repository = std::path::absolute(&good.repository).context("finding the repository")?;
    let repository = repository.to_str().context("expected a path of a repository in Unicode")?;
    let main_line = MainLine { git, folder: good_end.folder, repository };
    main_line.between(&good_end.hash, &bad_end.hash)
}

/// End of a history.
struct End {
    /// Real path of the repository.
    folder: PathBuf,
    hash: String,
}

fn resolve(end: &GitReference, state_dir: &Path, progress: &Progress) -> Result<End> {
    let folder = Path::new(&end.repository);
    // Of a remote repository, single commits are fetched, without their history.
    anyhow::ensure!(
        folder.is_dir(),
        "expected a repository on this machine, which has the commits between, got {}\n  hint: \
         `git clone` it first",
        end.repository
    );
    let hash = Repository::open(end, state_dir, progress)?.commit()?.hash;
    let folder = folder.canonicalize().context("finding the repository")?;
    Ok(End { folder, hash })
}

/// Main line of a repository: first parents.
struct MainLine<'a> {
    git: Git,
    folder: PathBuf,
    /// Absolute path of the repository, as `--sky` has it.
    repository: &'a str,
}

impl MainLine<'_> {
    fn between(&self, good: &str, bad: &str) -> Result<Result<Between, Vec<String>>> {
        if good == bad {
            return Ok(Err(vec![format!("GOOD and BAD: expected two commits, got {good} twice")]));
        }
        let ancestor =
            self.git.try_read(&self.folder, ["merge-base", "--is-ancestor", good, bad])?;
        if !ancestor.status.success() {
            return Ok(Err(vec![self.not_an_ancestor(good, bad)?]));
        }
        let range = format!("{good}..{bad}");
        let all = self.read(&["rev-list", "--first-parent", "--count", &range])?;
        let all: usize = all.trim().parse().context("reading git's number of commits")?;
        let list = ["rev-list", "--first-parent", "--reverse", "--encoding=UTF-8", FORMAT];
        let changed = [&list[..], &[&range, "--"], &PACKAGE].concat();
        let revisions = self.revisions(&changed)?;
        if revisions.is_empty() {
            return Ok(Err(vec![format!(
                "BAD: expected commits after GOOD that change the package ({}), found none",
                PACKAGE.join(", ")
            )]));
        }
        let good = self.revisions(&["rev-list", "--max-count=1", FORMAT, good])?;
        let good = good.into_iter().next().context("reading the good commit")?;
        let unchanged_commits = all.saturating_sub(revisions.len());
        Ok(Ok(Between { good, revisions, unchanged_commits }))
    }

    fn not_an_ancestor(&self, good: &str, bad: &str) -> Result<String> {
        let base = self.git.try_read(&self.folder, ["merge-base", good, bad])?;
        let base = String::from_utf8_lossy(&base.stdout).trim().to_owned();
        let hint = match base.is_empty() {
            true => "the two have no common history here".to_owned(),
            false => format!("their merge base is git:{}@{base}", self.repository),
        };
        Ok(format!("GOOD: expected an ancestor of BAD, got {good}\n  hint: {hint}"))
    }

    /// Commits of a list in [`FORMAT`].
    fn revisions(&self, args: &[&str]) -> Result<Vec<Revision>> {
        let text = self.read(args)?;
        // Other lines only repeat the hash.
        let lines = text.lines().filter(|line| line.contains('\0'));
        let revision = |line| self.revision(line).with_context(|| format!("reading `{line:?}`"));
        lines.map(revision).collect()
    }

    fn revision(&self, line: &str) -> Option<Revision> {
        let mut fields = line.splitn(4, '\0');
        let (hash, author, seconds) = (fields.next()?, fields.next()?, fields.next()?);
        // A date before 1970 counts as the first one.
        let seconds = seconds.parse::<i64>().ok()?.try_into().unwrap_or(0_u64);
        let commit = CommitTitle {
            author: author.to_owned(),
            date: Timestamp::from_micros(seconds.saturating_mul(1_000_000)),
            subject: fields.next()?.to_owned(),
        };
        let (repository, reference) = (self.repository.to_owned(), hash.to_owned());
        let sky = SkySelection::Git(GitReference { repository, reference });
        Some(Revision { sky, commit: Some(commit) })
    }

    fn read(&self, args: &[&str]) -> Result<String> {
        let output = self.git.read(&self.folder, args)?;
        Ok(String::from_utf8_lossy(&output).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repositories::{commit, git, repository, write};

    /// Commits between two references of the repository in a folder, by their subjects.
    fn between_in(folder: &Path, good: &str, bad: &str) -> Result<Between, Vec<String>> {
        let state = tempfile::tempdir().unwrap();
        let repository = folder.to_str().unwrap().to_owned();
        let end = |reference: &str| GitReference {
            repository: repository.clone(),
            reference: reference.to_owned(),
        };
        between(&end(good), &end(bad), state.path(), &Progress::new()).unwrap()
    }

    fn hashes(found: &Between) -> Vec<String> {
        found.revisions.iter().map(Revision::full_name).collect()
    }

    #[test]
    fn commits_of_the_main_line_that_change_the_package_are_listed_oldest_first() {
        let folder = tempfile::tempdir().unwrap();
        let work = folder.path();
        let good = repository(work);
        let change = |name: &str, text: &str| {
            write(work, name, text);
            commit(work)
        };
        let first = change("sky/one.py", "1");
        change("docs/page.md", "text");
        git(work, &["checkout", "--quiet", "-b", "side"]);
        change("sky/side.py", "1");
        change("sky/side.py", "2");
        git(work, &["checkout", "--quiet", "master"]);
        git(work, &["merge", "--quiet", "--no-ff", "--message=merge", "side"]);
        let merge = git(work, &["rev-parse", "HEAD"]);
        let setup = change("setup.py", "other");
        change("README.md", "text");

        let found = between_in(work, &good, "master").unwrap();
        assert_eq!(hashes(&found), [first, merge, setup]);
        assert_eq!((found.good.full_name(), found.unchanged_commits), (good, 2));
        let title = found.revisions[1].commit.clone().unwrap();
        assert_eq!((title.author.as_str(), title.subject.as_str()), ("A", "merge"));
        assert_eq!(title.day(), "2026-10-20");
    }

    #[test]
    fn ends_that_are_no_history_are_mistakes() {
        let folder = tempfile::tempdir().unwrap();
        let work = folder.path();
        let base = repository(work);
        git(work, &["branch", "release"]);
        write(work, "docs/page.md", "text");
        commit(work);
        let mistakes = |good: &str, bad: &str| between_in(work, good, bad).unwrap_err();
        assert_eq!(mistakes("master", "master").len(), 1);
        assert!(mistakes("release", "master")[0].contains("that change the package"));
        let [mistake] = mistakes("master", "release").try_into().unwrap();
        assert!(mistake.starts_with("GOOD: expected an ancestor of BAD"), "{mistake}");
        assert!(mistake.ends_with(&format!("@{base}")), "{mistake}");
        let both = mistakes("mastre", "relaese");
        assert!(both[0].starts_with("GOOD: ") && both[0].contains("mean `master`?"), "{both:?}");
        assert!(both[1].starts_with("BAD: ") && both[1].contains("mean `release`?"), "{both:?}");
        let remote = GitReference {
            repository: "https://example.org/sky".to_owned(),
            reference: "master".to_owned(),
        };
        let state = tempfile::tempdir().unwrap();
        let found = between(&remote, &remote, state.path(), &Progress::new()).unwrap();
        assert!(found.unwrap_err()[0].contains("`git clone` it first"));
    }
}
