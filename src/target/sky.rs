//! SkyPilot under test, by the value of `--sky`.

use std::fmt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

/// SkyPilot release under test by default.
pub const PINNED_SKYPILOT: &str = "0.14.1";

/// Prefix of a value of `--sky` that names a commit of a repository.
const GIT: &str = "git:";

/// Files by which Python's build tools recognise a source tree.
const BUILD_FILES: [&str; 2] = ["setup.py", "pyproject.toml"];

/// File of every source tree of SkyPilot.
const PACKAGE: &str = "sky/__init__.py";

/// SkyPilot under test: the value of `--sky`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SkySelection {
    /// Release from PyPI.
    Version(String),
    /// Newest nightly build from PyPI.
    Nightly,
    /// Path of an installed `sky` program, or of a virtual environment that has one.
    Executable(PathBuf),
    /// Folder with SkyPilot's source, whose present files are built.
    Checkout(PathBuf),
    /// Commit of a git repository.
    Git(GitReference),
}

/// Commit of a git repository, by a name that the repository has for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GitReference {
    /// Path or URL of the repository.
    pub repository: String,
    /// Branch, tag, commit, or pull request (`pull/123/head`).
    pub reference: String,
}

impl SkySelection {
    /// Selection for a value of `--sky`. Looks at the disk to tell a source checkout from an
    /// installed SkyPilot.
    ///
    /// # Errors
    ///
    /// A message for any other value, without the name of the flag.
    pub fn parse(text: &str) -> Result<Self, String> {
        let looks_like_version = text.starts_with(|c: char| c.is_ascii_digit())
            && !text.contains('/')
            && text.contains('.');
        if let Some(commit) = text.strip_prefix(GIT) {
            return GitReference::parse(commit).map(Self::Git);
        }
        match text {
            "nightly" => Ok(Self::Nightly),
            _ if looks_like_version => Ok(Self::Version(text.to_owned())),
            "." | ".." => of_path(Path::new(text)),
            _ if text.contains('/') => of_path(Path::new(text)),
            _ => Err(format!(
                "expected a version ({PINNED_SKYPILOT}), nightly, a path to sky or to a source \
                 checkout (with a `/`), or git:REPO@REF, got `{text}`"
            )),
        }
    }

    /// Default release.
    pub fn pinned() -> Self {
        Self::Version(PINNED_SKYPILOT.to_owned())
    }

    /// Whether skyload installs this SkyPilot, and so chooses its dependencies.
    pub const fn is_installed(&self) -> bool {
        !matches!(self, Self::Executable(_))
    }
}

/// Value of `--sky`.
impl fmt::Display for SkySelection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => f.write_str(version),
            Self::Nightly => f.write_str("nightly"),
            Self::Executable(path) | Self::Checkout(path) => path.display().fmt(f),
            Self::Git(GitReference { repository, reference }) => {
                write!(f, "{GIT}{repository}@{reference}")
            }
        }
    }
}

impl GitReference {
    /// Repository and name of a commit in `REPO@REF`, which are separated by the last `@`.
    fn parse(text: &str) -> Result<Self, String> {
        let expected = || {
            // What stands before an `@` may be a login.
            let got = text
                .rsplit_once('@')
                .map_or_else(|| text.to_owned(), |(_, reference)| format!("..@{reference}"));
            format!(
                "expected git:REPO@REF, such as git:../skypilot@master or \
                 git:https://github.com/skypilot-org/skypilot@pull/123/head, got `{GIT}{got}`"
            )
        };
        let (repository, reference) = text.rsplit_once('@').ok_or_else(expected)?;
        // By the rules of `git check-ref-format`. A colon also shows that the `@` was the one of
        // `git@HOST:PATH` or of a login.
        let is_plain = |c: char| !(c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c));
        let fits = !reference.is_empty()
            && !reference.starts_with('-')
            && !reference.contains("..")
            && reference.chars().all(is_plain);
        if repository.is_empty() || repository.starts_with('-') || !fits {
            return Err(expected());
        }
        let url = Url::parse(repository);
        let is_http = ["http://", "https://"].iter().any(|scheme| repository.starts_with(scheme));
        // Without a path, the `@` was the one of a login, which must not be printed.
        if is_http && url.as_ref().map_or(true, |url| url.path() == "/") {
            return Err(expected());
        }
        if is_http && url.is_ok_and(|url| !url.username().is_empty() || url.password().is_some()) {
            return Err(format!(
                "expected a URL without a login, got one with it in `{GIT}..@{reference}`\n  hint: \
                 use git's credential helper, or SSH"
            ));
        }
        Ok(Self { repository: repository.to_owned(), reference: reference.to_owned() })
    }
}

/// Selection for a path. A folder must have something that can be started or built; a missing
/// path is left to the search for `sky`, whose errors say more.
fn of_path(path: &Path) -> Result<SkySelection, String> {
    if is_source(path) {
        return Ok(SkySelection::Checkout(path.to_owned()));
    }
    if path.is_dir() && !path.join("bin/sky").exists() {
        let hint = path
            .canonicalize()
            .ok()
            .and_then(|path| path.ancestors().find(|above| is_source(above)).map(Path::to_owned))
            .map_or_else(String::new, |above| format!("\n  hint: `--sky {}`", above.display()));
        let [setup, project] = BUILD_FILES;
        return Err(format!(
            "expected a source checkout ({PACKAGE}, and {setup} or {project}) or a virtual \
             environment (bin/sky), got `{}`{hint}",
            path.display()
        ));
    }
    Ok(SkySelection::Executable(path.to_owned()))
}

/// Whether a folder has the source of a SkyPilot that can be built.
pub fn is_source(folder: &Path) -> bool {
    BUILD_FILES.iter().any(|file| folder.join(file).is_file()) && folder.join(PACKAGE).is_file()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rstest::rstest;

    use super::*;

    fn git(repository: &str, reference: &str) -> SkySelection {
        let (repository, reference) = (repository.to_owned(), reference.to_owned());
        SkySelection::Git(GitReference { repository, reference })
    }

    #[rstest]
    #[case("git:../skypilot@master", git("../skypilot", "master"))]
    #[case("git:/a@b/sky.git@v0.14.1", git("/a@b/sky.git", "v0.14.1"))]
    #[case("git:git@github.com:o/r.git@fix/x", git("git@github.com:o/r.git", "fix/x"))]
    #[case("git:ssh://git@h/r@pull/123/head", git("ssh://git@h/r", "pull/123/head"))]
    #[case("0.14.1", SkySelection::pinned())]
    #[case("nightly", SkySelection::Nightly)]
    #[case("/nowhere/bin/sky", SkySelection::Executable("/nowhere/bin/sky".into()))]
    fn a_value_is_parsed_and_printed_as_typed(#[case] text: &str, #[case] sky: SkySelection) {
        assert_eq!(SkySelection::parse(text), Ok(sky.clone()));
        assert_eq!(sky.to_string(), text);
    }

    #[rstest]
    #[case::no_reference("git:../skypilot")]
    #[case::an_empty_one("git:../skypilot@")]
    #[case::an_option("git:../skypilot@--upload-pack=x")]
    #[case::an_option_as_repository("git:--upload-pack=x@master")]
    #[case::no_repository("git:@master")]
    #[case::the_at_sign_of_ssh("git:git@github.com:o/r.git")]
    #[case::the_at_sign_of_a_login("git:https://user:secret@host/r")]
    #[case::the_at_sign_of_a_token("git:https://secret@host/r")]
    #[case::a_range("git:r@a..b")]
    fn a_malformed_commit_is_an_error(#[case] text: &str) {
        let error = SkySelection::parse(text).unwrap_err();
        assert!(error.starts_with("expected git:REPO@REF"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn a_login_in_a_url_is_refused_and_not_printed() {
        let error = SkySelection::parse("git:https://user:secret@host/r@master").unwrap_err();
        assert!(error.starts_with("expected a URL without a login, got one"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }

    #[rstest]
    #[case::of_setuptools("setup.py")]
    #[case::of_any_build_tool("pyproject.toml")]
    fn a_folder_with_source_is_a_checkout(#[case] build_file: &str) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("sky/server")).unwrap();
        fs::write(folder.path().join(PACKAGE), "").unwrap();
        fs::write(folder.path().join(build_file), "").unwrap();
        let text = folder.path().to_str().unwrap();
        let checkout = SkySelection::Checkout(folder.path().to_owned());
        assert_eq!(SkySelection::parse(text), Ok(checkout));
        // A folder inside of it is not, and the error names the one that is.
        let error = SkySelection::parse(&format!("{text}/sky/server")).unwrap_err();
        let (line, hint) = error.split_once("\n  hint: ").unwrap();
        assert!(line.contains("setup.py or pyproject.toml") && line.ends_with("server`"), "{line}");
        let above = folder.path().canonicalize().unwrap();
        assert_eq!(hint, format!("`--sky {}`", above.display()));
    }

    #[test]
    fn a_folder_without_source_is_an_error_unless_it_is_an_environment() {
        let folder = tempfile::tempdir().unwrap();
        let text = folder.path().to_str().unwrap();
        let error = SkySelection::parse(text).unwrap_err();
        assert!(error.starts_with("expected a source checkout (sky/__init__.py, "), "{error}");
        fs::create_dir(folder.path().join("bin")).unwrap();
        fs::write(folder.path().join("bin/sky"), "").unwrap();
        let environment = SkySelection::Executable(folder.path().to_owned());
        assert_eq!(SkySelection::parse(text), Ok(environment));
    }
}
