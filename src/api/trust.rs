//! Certificate authorities (CAs) that the HTTP client trusts: the system's, or those of a bundle
//! that the environment names.

use std::fs;
use std::path::{Path, PathBuf};

use reqwest::Certificate;

use crate::env;

/// Certificate authorities of a client.
#[derive(Debug)]
pub(super) enum Trust {
    /// Authorities of the system.
    System,
    /// Authorities of a bundle and no others, as Python's `requests` does.
    Only(Vec<Certificate>),
}

impl Trust {
    /// Certificate authorities that SkyPilot's client trusts in this environment, or the reason
    /// why there are none.
    pub(super) fn from_environment() -> Result<Self, String> {
        Self::of(env::path)
    }

    fn of(variable: impl Fn(&str) -> Option<PathBuf>) -> Result<Self, String> {
        // In the order of `requests`.
        for name in [env::REQUESTS_CA_BUNDLE, env::CURL_CA_BUNDLE] {
            if let Some(path) = variable(name) {
                return Ok(Self::Only(bundle(name, &path)?));
            }
        }
        if let Some(path) = variable(env::SSL_CERT_FILE) {
            // The system's verifier reads it itself, beside `SSL_CERT_DIR`, and reports no error.
            bundle(env::SSL_CERT_FILE, &path)?;
        }
        Ok(Self::System)
    }
}

/// Certificates of a file, or of all files in a folder.
fn bundle(variable: &str, path: &Path) -> Result<Vec<Certificate>, String> {
    let place = |path: &Path| format!("`{}` ({variable})", path.display());
    let read = |path: &Path| {
        let error = |source: std::io::Error| format!("cannot read {}: {source}", place(path));
        let pem = fs::read(path).map_err(error)?;
        Certificate::from_pem_bundle(&pem)
            .map_err(|_| format!("expected certificates in PEM format in {}", place(path)))
    };
    let certificates = match path.is_dir() {
        false => read(path)?,
        true => {
            let error = |source: std::io::Error| format!("cannot list {}: {source}", place(path));
            let entries = fs::read_dir(path).map_err(error)?;
            let files = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file());
            // A folder of certificates may have other files.
            files.filter_map(|path| read(&path).ok()).flatten().collect()
        }
    };
    match certificates.is_empty() {
        true => Err(format!("no certificate in {}", place(path))),
        false => Ok(certificates),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::of_requests(env::REQUESTS_CA_BUNDLE)]
    #[case::of_curl(env::CURL_CA_BUNDLE)]
    #[case::of_openssl(env::SSL_CERT_FILE)]
    fn a_bundle_without_certificates_is_an_error_with_variable_and_path(#[case] name: &str) {
        let folder = tempfile::tempdir().unwrap();
        let (missing, empty) = (folder.path().join("missing.pem"), folder.path().join("empty.pem"));
        fs::write(&empty, "").unwrap();
        for (path, reason) in [
            (&missing, "cannot read"),
            (&empty, "no certificate in"),
            (&folder.path().to_owned(), "no certificate in"),
        ] {
            let error = Trust::of(|it| (it == name).then(|| path.clone())).unwrap_err();
            assert!(error.starts_with(reason), "{error}");
            assert!(error.contains(&format!("`{}` ({name})", path.display())), "{error}");
        }
    }

    #[test]
    fn without_a_variable_the_system_is_trusted() {
        assert!(matches!(Trust::of(|_| None), Ok(Trust::System)));
    }
}
