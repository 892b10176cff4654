//! Tests of checkouts and repositories, without a build.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use host::progress::Progress;
use rstest::rstest;
use skyload::record::environment::{SkySource, Uncommitted};
use skyload::target::sky::GitReference;
use tempfile::TempDir;
use xshell::Shell;

use super::checkout::Checkout;
use super::repository::Repository;
use super::{environment_name, write_commit};
use crate::repositories::{commit, git, repository, write, write_all};

/// New repository with a committed SkyPilot, and the commit.
fn sky() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let hash = repository(folder.path());
    (folder, hash)
}

fn open(folder: &Path) -> Checkout {
    Checkout::open(folder, &Shell::new().unwrap()).unwrap()
}

fn source(folder: &Path) -> SkySource {
    open(folder).source().unwrap()
}

fn uncommitted(folder: &Path) -> Uncommitted {
    source(folder).uncommitted.unwrap()
}

#[test]
fn a_clean_checkout_is_its_commit() {
    let (folder, hash) = sky();
    write(folder.path(), "ignored/file", "");
    let source = source(folder.path());
    let commit = source.commit.clone().unwrap();
    assert_eq!((commit.hash, source.uncommitted.clone()), (hash.clone(), None));
    assert_eq!(commit.date.to_string(), "2026-10-20T12:00:00.000Z");
    assert_eq!(source.reported_commit(), hash);
}

#[rstest]
#[case::changed("sky/__init__.py", "__version__ = '1'\n")]
#[case::not_tracked("sky/more/plugin.py", "")]
fn a_file_that_is_not_committed_is_part_of_the_source(#[case] name: &str, #[case] text: &str) {
    let (folder, hash) = sky();
    write(folder.path(), name, text);
    let first = uncommitted(folder.path());
    assert_eq!(first.files, 1);
    assert_eq!(uncommitted(folder.path()), first, "the same files");
    write(folder.path(), name, "other = 1\n");
    assert_ne!(uncommitted(folder.path()).sha256, first.sha256);
    assert!(source(folder.path()).reported_commit().starts_with(&format!("{hash}-dirty-")));
    git(folder.path(), &["add", "--all"]);
    assert_eq!(uncommitted(folder.path()).files, 1, "added to the index");
}

#[rstest]
#[case::skip_worktree("--skip-worktree")]
#[case::assume_unchanged("--assume-unchanged")]
fn a_mark_in_the_index_hides_no_change(#[case] mark: &str) {
    let (folder, _) = sky();
    let name = "sky/server/server.py";
    git(folder.path(), &["update-index", mark, name, "sky/server/config.py"]);
    assert_eq!(source(folder.path()).uncommitted, None, "marked, and not changed");
    write(folder.path(), name, "changed = 1\n");
    assert_eq!(git(folder.path(), &["status", "--porcelain"]), "");
    let first = uncommitted(folder.path());
    assert_eq!(first.files, 1);
    write(folder.path(), name, "changed = 2\n");
    assert_ne!(uncommitted(folder.path()).sha256, first.sha256);
}

#[test]
fn files_that_a_sparse_checkout_lacks_are_deleted() {
    let (folder, _) = sky();
    git(folder.path(), &["sparse-checkout", "set", "--cone", "sky/client"]);
    assert!(!folder.path().join("sky/server").exists());
    // Three files of the server, and the one with constants.
    assert_eq!(uncommitted(folder.path()).files, 4);
}

#[test]
fn changes_in_a_repository_inside_are_found_whatever_the_settings() {
    let (folder, _) = sky();
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    repository(&inner);
    commit(folder.path());
    git(folder.path(), &["config", "diff.ignoreSubmodules", "all"]);
    assert_eq!(source(folder.path()).uncommitted, None);
    write(&inner, "sky/server/server.py", "changed = 1\n");
    assert!(source(folder.path()).uncommitted.is_some());
}

#[test]
fn folders_of_one_commit_have_different_environments() {
    let repository = tempfile::tempdir().unwrap();
    let [one, other] = ["third_party/skypilot", "experiments/skypilot"].map(|name| {
        let folder = repository.path().join(name);
        write_all(&folder);
        folder
    });
    write(&other, "sky/server/server.py", "changed = 1\n");
    git(repository.path(), &["init", "--quiet", "--initial-branch=master"]);
    let hash = commit(repository.path());
    let name = |folder: &Path| {
        let checkout = open(folder);
        environment_name(&checkout.source().unwrap(), checkout.tree().unwrap().as_deref())
    };
    assert_eq!(source(&one).reported_commit(), source(&other).reported_commit());
    let prefix = format!("source-{}-tree-", &hash[..12]);
    assert!(name(&one).starts_with(&prefix), "{}", name(&one));
    assert_ne!(name(&one), name(&other));
    let (whole, commit) = sky();
    assert_eq!(name(whole.path()), format!("source-{}", &commit[..12]));
    // A folder that is not committed has a hash of all its files.
    let new = repository.path().join("new");
    write_all(&new);
    git(repository.path(), &["add", "new"]);
    let name = name(&new);
    assert!(name.starts_with(&format!("source-{}-dirty-", &hash[..12])), "{name}");
}

#[test]
fn deletions_modes_and_links_are_part_of_the_source() {
    let (folder, _) = sky();
    let file = folder.path().join("sky/server/server.py");
    let mut seen = Vec::new();
    let mut expect_new = || {
        let sha256 = uncommitted(folder.path()).sha256;
        assert!(!seen.contains(&sha256), "{seen:?}");
        seen.push(sha256);
    };
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    expect_new();
    fs::remove_file(&file).unwrap();
    expect_new();
    std::os::unix::fs::symlink("config.py", &file).unwrap();
    expect_new();
    // A repository inside of the checkout, which git lists as a folder.
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    repository(&inner);
    expect_new();
    write(&inner, "sky/server/server.py", "changed = 1\n");
    expect_new();
}

#[test]
fn a_folder_that_was_replaced_by_a_link_is_copied_as_the_link_alone() {
    let (folder, _) = sky();
    let (from, elsewhere) = (folder.path().join("sky/server"), tempfile::tempdir().unwrap());
    let moved = elsewhere.path().join("server");
    fs::rename(&from, &moved).unwrap();
    std::os::unix::fs::symlink(&moved, &from).unwrap();
    let text = fs::read(moved.join("server.py")).unwrap();
    let copy = tempfile::tempdir().unwrap();
    open(folder.path()).copy_to(copy.path()).unwrap();
    assert_eq!(fs::read_link(copy.path().join("sky/server")).unwrap(), moved);
    // Of a copy through both links, source and target would be one file, and then empty.
    assert_eq!(fs::read(moved.join("server.py")).unwrap(), text);
    fs::remove_file(&from).unwrap();
    fs::write(&from, "a file\n").unwrap();
    let copy = tempfile::tempdir().unwrap();
    open(folder.path()).copy_to(copy.path()).unwrap();
    assert_eq!(fs::read(copy.path().join("sky/server")).unwrap(), b"a file\n");
}

#[test]
fn a_checkout_is_copied_with_its_changes_and_not_written_to() {
    let (folder, _) = sky();
    write(folder.path(), "ignored/file", "");
    write(folder.path(), "sky/new.py", "new = 1\n");
    fs::remove_file(folder.path().join("sky/server/config.py")).unwrap();
    let index = || fs::read(folder.path().join(".git/index")).unwrap();
    let before = (listed(folder.path()), index());
    let copy = tempfile::tempdir().unwrap();
    open(folder.path()).copy_to(copy.path()).unwrap();
    let expected: Vec<PathBuf> =
        before.0.iter().filter(|path| !path.starts_with("ignored")).cloned().collect();
    assert_eq!(listed(copy.path()), expected);
    let link = fs::read_link(copy.path().join("link.py")).unwrap();
    assert_eq!(link, Path::new("sky/skylet/constants.py"));
    source(folder.path());
    assert_eq!((listed(folder.path()), index()), before);
}

/// Paths of all files but those of git, sorted.
fn listed(folder: &Path) -> Vec<PathBuf> {
    super::files::all(folder).unwrap().into_iter().collect()
}

#[rstest]
#[case::in_no_repository(false)]
#[case::ignored_by_the_repository_around_it(true)]
fn a_folder_that_no_repository_tracks_is_its_content(#[case] is_in_repository: bool) {
    let (parent, _) = sky();
    let alone = tempfile::tempdir().unwrap();
    let folder = match is_in_repository {
        true => parent.path().join("ignored"),
        false => alone.path().to_owned(),
    };
    fs::create_dir_all(&folder).unwrap();
    write_all(&folder);
    let first = source(&folder);
    assert_eq!(first.commit, None);
    assert_eq!(first.uncommitted.as_ref().map(|all| all.files), Some(9));
    assert!(first.reported_commit().starts_with("content-"));
    // Files of builds and of Python are not source.
    for name in ["build/lib/sky/old.py", "sky/__pycache__/a.pyc", ".venv/pyvenv.cfg", ".venv/x"] {
        write(&folder, name, "");
    }
    assert_eq!(source(&folder), first);
    write(&folder, "sky/build/new.py", "");
    assert_ne!(source(&folder).uncommitted, first.uncommitted);
}

fn reference(repository: impl ToString, reference: &str) -> GitReference {
    GitReference { repository: repository.to_string(), reference: reference.to_owned() }
}

fn commit_of(repository: impl ToString, name: &str, state: &Path) -> Result<String, String> {
    let found = Repository::open(&reference(repository, name), state, &Progress::new());
    let commit = found.and_then(|found| found.commit());
    commit.map(|commit| commit.hash).map_err(|error| format!("{error:#}"))
}

/// Bare repository with two commits on `master`, the first one tagged, and a pull request.
/// Returns its folder and the commits.
fn bare() -> (TempDir, [String; 3]) {
    let (work, first) = sky();
    git(work.path(), &["tag", "--annotate", "--message=x", "v1"]);
    write(work.path(), "sky/second.py", "");
    let second = commit(work.path());
    git(work.path(), &["checkout", "--quiet", "-b", "pull"]);
    write(work.path(), "sky/third.py", "");
    let third = commit(work.path());
    git(work.path(), &["update-ref", "refs/pull/1/head", &third]);
    git(work.path(), &["checkout", "--quiet", "master"]);
    git(work.path(), &["branch", "--quiet", "--delete", "--force", "pull"]);
    let bare = tempfile::tempdir().unwrap();
    git(work.path(), &["clone", "--quiet", "--mirror", ".", bare.path().to_str().unwrap()]);
    (bare, [first, second, third])
}

#[rstest]
#[case::a_path("")]
#[case::a_url("file://")]
fn commits_are_found_by_branch_tag_hash_and_pull_request(#[case] scheme: &str) {
    let (bare, [first, second, third]) = bare();
    let state = tempfile::tempdir().unwrap();
    let url = format!("{scheme}{}", bare.path().display());
    for (name, expected) in [
        ("master", &second),
        ("v1", &first),
        (first.as_str(), &first),
        ("pull/1/head", &third),
        ("refs/heads/master", &second),
    ] {
        assert_eq!(commit_of(&url, name, state.path()).as_ref(), Ok(expected), "{name}");
    }
    let error = commit_of(&url, "mastre", state.path()).unwrap_err();
    let expected = format!("no branch, tag, commit or pull request `mastre` in {url}");
    assert_eq!(error, format!("{expected}\n  hint: did you mean `master`?"));
}

#[test]
fn a_branch_that_moved_is_fetched_again_and_a_commit_is_not() {
    let (work, first) = sky();
    let state = tempfile::tempdir().unwrap();
    let url = format!("file://{}", work.path().display());
    let of = |name: &str| commit_of(&url, name, state.path());
    assert_eq!(of("master").as_ref(), Ok(&first));
    write(work.path(), "sky/second.py", "");
    let second = commit(work.path());
    assert_eq!(of("master").as_ref(), Ok(&second));
    fs::remove_dir_all(work.path()).unwrap();
    assert_eq!(of(&second).as_ref(), Ok(&second), "fetched before");
    let error = of("master").unwrap_err();
    assert!(error.starts_with(&format!("cannot fetch master of {url}: ")), "{error}");
    assert!(error.contains("\n  hint: check the path or the URL"), "{error}");
}

#[test]
fn a_path_without_a_repository_is_an_error_even_below_one() {
    let (work, _) = sky();
    let state = tempfile::tempdir().unwrap();
    let folder = work.path().join("sky");
    let error = commit_of(folder.display(), "master", state.path()).unwrap_err();
    assert!(error.starts_with(&format!("no git repository at {}", folder.display())), "{error}");
}

#[test]
fn a_repository_that_git_refuses_is_an_error_in_the_words_of_git() {
    let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(folder.path(), ".git", "no repository\n");
    let error = commit_of(folder.path().display(), "master", state.path()).unwrap_err();
    let beginning = format!("reading the repository {}: fatal: ", folder.path().display());
    assert!(error.starts_with(&beginning), "{error}");
}

#[test]
fn the_files_of_a_commit_are_exported_and_the_repository_stays_as_it_is() {
    let (work, first) = sky();
    write(work.path(), "sky/second.py", "");
    commit(work.path());
    write(work.path(), "sky/uncommitted.py", "");
    let state = tempfile::tempdir().unwrap();
    let index = || fs::read(work.path().join(".git/index")).unwrap();
    let before = (index(), git(work.path(), &["status", "--porcelain"]));
    let name = reference(work.path().display(), &first);
    let found = Repository::open(&name, state.path(), &Progress::new()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    found.export(&found.commit().unwrap(), folder.path()).unwrap();
    assert!(folder.path().join("link.py").is_symlink());
    let names: Vec<String> =
        listed(folder.path()).iter().map(|path| path.display().to_string()).collect();
    assert!(names.contains(&"sky/server/server.py".to_owned()), "{names:?}");
    assert!(!names.iter().any(|name| name.contains("second") || name.contains("uncommitted")));
    assert_eq!((index(), git(work.path(), &["status", "--porcelain"])), before);
}

#[test]
fn hooks_and_settings_of_a_repository_run_nothing() {
    let (work, _) = sky();
    let marker = work.path().join("ignored/ran");
    fs::create_dir_all(work.path().join("ignored")).unwrap();
    let program = work.path().join("ignored/program");
    crate::testing::script(&program, &format!(": > {}", marker.display()));
    for setting in ["core.fsmonitor", "diff.external", "core.askPass"] {
        git(work.path(), &["config", setting, program.to_str().unwrap()]);
    }
    for hook in ["post-checkout", "post-index-change", "reference-transaction"] {
        fs::copy(&program, work.path().join(".git/hooks").join(hook)).unwrap();
    }
    let state = tempfile::tempdir().unwrap();
    write(work.path(), "sky/new.py", "");
    source(work.path());
    let name = reference(work.path().display(), "master");
    let found = Repository::open(&name, state.path(), &Progress::new()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    found.export(&found.commit().unwrap(), folder.path()).unwrap();
    assert!(!marker.exists());
}

#[test]
fn the_commit_is_written_into_the_copy() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    write_commit(folder.path(), "0123-dirty-fedc").unwrap();
    let text = fs::read_to_string(folder.path().join("sky/__init__.py")).unwrap();
    assert_eq!(text, "_SKYPILOT_COMMIT_SHA = '0123-dirty-fedc'\n__version__ = '0.14.1'\n");
}
