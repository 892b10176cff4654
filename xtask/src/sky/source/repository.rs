//! Commit of a git repository: on this machine, or fetched into the state directory.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use host::progress::{Progress, Step};
use host::tools::git::Git;
use host::tools::lock::SetupLock;
use host::tools::run::{Finished, run};
use host::tools::shell_in;
use skyload::clock::Timestamp;
use skyload::hash::sha256;
use skyload::record::environment::Commit;
use skyload::suggest::nearest;
use skyload::target::sky::GitReference;
use xshell::Shell;

/// Folder of the state directory with copies of remote repositories.
pub(super) const CACHE: &str = "git";

/// Number of digits of a hash in the name of a copy and of a fetched commit.
const DIGITS: usize = 16;

/// Repository that has the commit, and its name there.
#[derive(Debug)]
pub(super) struct Repository {
    git: Git,
    folder: PathBuf,
    /// Name that git resolves in the folder.
    name: String,
}

impl Repository {
    /// Repository of a reference. One on this machine is used as it is; of a remote one, the
    /// commit alone is fetched.
    pub(super) fn open(
        reference: &GitReference,
        state_dir: &Path,
        progress: &Progress,
    ) -> Result<Self> {
        let GitReference { repository, reference } = reference;
        let shell = shell_in(state_dir)?;
        let git = Git::require(&shell)?;
        let path = std::path::absolute(repository)
            .with_context(|| format!("finding the repository {repository}"))?;
        if !path.is_dir() {
            let step = progress.step(format!("Fetching {reference} of {repository}"));
            return fetch(git, &shell, state_dir, repository, reference, step);
        }
        // Git itself would go on to look in the folders above.
        if !(path.join(".git").exists() || path.join("objects").is_dir()) {
            bail!(
                "no git repository at {}\n  hint: `--sky {repository}` builds a folder without one",
                path.display()
            );
        }
        let name = format!("{reference}^{{commit}}");
        let found = git.try_read(&path, ["rev-parse", "--verify", "--quiet", &name])?;
        if !found.status.success() {
            // Of an unknown name alone, git says nothing: the repository itself may be unreadable.
            let error = String::from_utf8_lossy(&found.stderr).trim().to_owned();
            if !error.is_empty() {
                bail!("reading the repository {}: {error}", path.display());
            }
            return Err(unknown(&git, &shell, &path.to_string_lossy(), reference));
        }
        Ok(Self { git, folder: path, name: reference.clone() })
    }

    /// Commit that the reference stands for at this moment.
    pub(super) fn commit(&self) -> Result<Commit> {
        commit_of(&self.git, &self.folder, &self.name)
    }

    /// Writes the files of a commit into an existing, empty folder.
    pub(super) fn export(&self, commit: &Commit, folder: &Path) -> Result<()> {
        let index = tempfile::tempdir().context("creating a folder for an index of git")?;
        let exporting = || format!("exporting {} of {}", commit.hash, self.folder.display());
        for args in [&["read-tree", &commit.hash][..], &["checkout-index", "--all", "--force"]] {
            let mut command = self.git.reading(&self.folder);
            command.env("GIT_INDEX_FILE", index.path().join("index")).env("GIT_WORK_TREE", folder);
            let output =
                host::process::command::output(command.args(args)).with_context(exporting)?;
            if !output.status.success() {
                let error = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                return Err(anyhow!(error)).with_context(exporting);
            }
        }
        Ok(())
    }
}

/// Commit `name` of the repository of `folder`.
pub(super) fn commit_of(git: &Git, folder: &Path, name: &str) -> Result<Commit> {
    let name = format!("{name}^{{commit}}");
    let hash = git.read(folder, ["rev-parse", "--verify", &name])?;
    let hash = String::from_utf8_lossy(&hash).trim().to_owned();
    // The object itself: what `git log` prints depends on the user's settings.
    let object = git.read(folder, ["cat-file", "commit", &hash])?;
    let date = date(&String::from_utf8_lossy(&object))
        .with_context(|| format!("reading the date of commit {hash}"))?;
    Ok(Commit { hash, date })
}

/// Date in a commit object: `committer NAME <ADDRESS> 1764000000 +0100`, in its header.
fn date(object: &str) -> Option<Timestamp> {
    let header = object.lines().take_while(|line| !line.is_empty());
    let line = header.into_iter().find_map(|line| line.strip_prefix("committer "))?;
    let seconds: u64 = line.rsplit(' ').nth(1)?.parse().ok()?;
    Some(Timestamp::from_micros(seconds.saturating_mul(1_000_000)))
}

/// Fetches a commit of a remote repository.
fn fetch(
    git: Git,
    shell: &Shell,
    state_dir: &Path,
    url: &str,
    reference: &str,
    step: Step,
) -> Result<Repository> {
    let _lock = SetupLock::take(state_dir)?;
    let folder = state_dir.join(CACHE).join(format!("{}.git", &sha256(url.as_bytes())[..DIGITS]));
    if !folder.join("HEAD").is_file() {
        fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        // Without a template, which may have hooks.
        let init = git.step(shell).args(["init", "--quiet", "--bare", "--template="]);
        run(init.arg(&folder), &step)?.into_output()?;
    }
    let name = format!("refs/skyload/{}", &sha256(reference.as_bytes())[..DIGITS]);
    let is_there = is_full_hash(reference)
        && git.try_read(&folder, ["cat-file", "-e", reference])?.status.success();
    if is_there {
        step.done("fetched before");
        return Ok(Repository { git, folder, name: reference.to_owned() });
    }
    let fetch = git.step(shell).arg("-C").arg(&folder).args(["fetch", "--depth=1", "--no-tags"]);
    let fetch = fetch.args(["--no-recurse-submodules", url]).arg(format!("+{reference}:{name}"));
    let fetched = run(fetch, &step)?;
    if !fetched.succeeded() {
        return Err(match fetched.output.contains("couldn't find remote ref") {
            true => unknown(&git, shell, url, reference),
            false => failure(&fetched, url, reference),
        });
    }
    let repository = Repository { git, folder, name };
    step.done(repository.commit()?.hash);
    Ok(repository)
}

fn is_full_hash(text: &str) -> bool {
    text.len() == 40 && text.chars().all(|c| c.is_ascii_hexdigit())
}

/// Error for a reference that the repository does not have.
fn unknown(git: &Git, shell: &Shell, repository: &str, reference: &str) -> anyhow::Error {
    let names = git
        .try_read(&shell.current_dir(), ["ls-remote", "--refs", "--heads", "--tags", repository])
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    let name = |line: &'_ str| -> Option<String> {
        let (_, name) = line.split_once('\t')?;
        let name = name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/tags/"))?;
        Some(name.to_owned())
    };
    let names: Vec<String> = names.lines().filter_map(name).collect();
    let is_part_of_hash = reference.len() >= 4 && reference.chars().all(|c| c.is_ascii_hexdigit());
    let hint = match nearest(reference, names.iter().map(String::as_str)) {
        Some(name) => format!("did you mean `{name}`?"),
        None if is_part_of_hash => "of a commit, give all 40 digits".to_owned(),
        None => format!("`git ls-remote {repository}` lists branches, tags and pull requests"),
    };
    anyhow!("no branch, tag, commit or pull request `{reference}` in {repository}\n  hint: {hint}")
}

/// Error of a fetch that failed.
fn failure(fetched: &Finished, url: &str, reference: &str) -> anyhow::Error {
    let reason = fetched.output.lines().find_map(|line| line.strip_prefix("fatal: "));
    let reason = reason.map_or_else(|| fetched.output.trim(), str::trim);
    anyhow!(
        "cannot fetch {reference} of {url}: {reason}\n  hint: check the path or the URL; for a \
         private repository, use SSH with a key, or git's credential helper"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const OBJECT: &str = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\
                          author A <a@b> 1700000000 +0000\n\
                          committer B C <b@c> 1764000000 -0130\n\
                          gpgsig -----BEGIN PGP SIGNATURE-----\n \n -----END PGP SIGNATURE-----\n\
                          \ncommitter in the message 1 +0000\n";

    #[test]
    fn the_date_of_a_commit_is_its_committers() {
        assert_eq!(date(OBJECT), Some(Timestamp::from_micros(1_764_000_000_000_000)));
        assert_eq!(date("tree 4b82\n\ncommitter in the message 1 +0000\n"), None);
    }

    #[test]
    fn no_commit_is_too_odd_to_be_read() {
        crate::changes::try_changes(OBJECT.as_bytes(), |object| {
            _ = date(&String::from_utf8_lossy(object));
        });
    }
}
