//! Failures that every installer reports in words of its own, and what helps.

const NETWORK: &str = "the package index cannot be reached: check the network, and behind a proxy \
                       set HTTPS_PROXY; with a mirror set UV_DEFAULT_INDEX and PIP_INDEX_URL";
const CERTIFICATE: &str = "the connection's certificate is not trusted: behind a proxy that \
                           opens TLS, set SSL_CERT_FILE and PIP_CERT to its certificate";
const DISK: &str = "the disk is full: make room, or choose another place by SKYLOAD_STATE_DIR";
const VENV: &str = "this Python cannot make virtual environments: install its venv module \
                    (Debian, Ubuntu: `sudo apt install python3-venv`), or put `uv` on PATH";
const COMPILER: &str = "a package was compiled for lack of a ready one: another Python, 3.9 to \
                        3.13, first on PATH as `python3`, may have ready ones";

/// What gives a failure away, in lower case, and its cure. The first that fits
/// counts: a certificate that is refused also looks like a failed connection.
const CURES: &[(&str, &str)] = &[
    ("no space left on device", DISK),
    ("certificate", CERTIFICATE),
    ("ensurepip is not available", VENV),
    ("no module named venv", VENV),
    ("no module named 'venv'", VENV),
    ("no module named ensurepip", VENV),
    ("error sending request", NETWORK),
    ("failed to fetch", NETWORK),
    ("network connectivity is disabled", NETWORK),
    ("connection broken by", NETWORK),
    ("failed to establish a new connection", NETWORK),
    ("could not resolve host", NETWORK),
    ("dns error", NETWORK),
    ("temporary failure in name resolution", NETWORK),
    ("spurious network error", NETWORK),
    ("(from versions: none)", NETWORK),
    ("failed to build", COMPILER),
    ("failed building wheel", COMPILER),
];

/// The cure for a tool that failed with this output, if one is known.
pub fn for_output(output: &str) -> Option<&'static str> {
    // Debian's Python breaks its sentence in the middle of ours.
    let output = output.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    CURES.iter().find(|(sign, _)| output.contains(sign)).map(|(_, cure)| *cure)
}

/// Whether the network is what failed.
pub fn is_about_network(output: &str) -> bool {
    for_output(output).is_some_and(|cure| cure == NETWORK || cure == CERTIFICATE)
}

/// Ends an error with a hint, unless it already ends with a better one.
pub fn with_hint(error: &anyhow::Error, hint: &str) -> anyhow::Error {
    let text = format!("{error:#}");
    if text.contains("\n  hint: ") {
        anyhow::anyhow!(text)
    } else {
        anyhow::anyhow!("{text}\n  hint: {hint}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debians_words_for_a_missing_venv_module_are_known() {
        let debian = "The virtual environment was not created successfully because ensurepip is \
                      not\navailable.  On Debian/Ubuntu systems, you need to install the";
        assert_eq!(for_output(debian), Some(VENV));
    }

    #[test]
    fn an_error_has_one_hint_and_it_stands_last() {
        let error = anyhow::anyhow!("no such host").context("installing");
        let hinted = with_hint(&error, "check the network");
        assert_eq!(hinted.to_string(), "installing: no such host\n  hint: check the network");
        let again = with_hint(&hinted, "reinstall everything");
        assert_eq!(again.to_string(), hinted.to_string());
    }

    #[test]
    fn each_installers_words_for_no_network_are_known() {
        // uv 0.13 and pip 23, behind a proxy that refuses connections.
        let uv = "error: Request failed after 3 retries in 6.6s\n  \
                  cause: Failed to fetch: https://index.invalid/simple/skypilot/\n  \
                  cause: tcp connect error";
        let pip = "WARNING: Retrying (Retry(total=0)) after connection broken by 'ProxyError'\n\
                   ERROR: Could not find a version that satisfies the requirement \
                   skypilot==0.14.0 (from versions: none)";
        assert!(is_about_network(uv));
        assert!(is_about_network(pip));
    }

    #[test]
    fn an_unknown_version_is_not_a_network_failure() {
        let pip = "ERROR: Could not find a version that satisfies the requirement \
                   skypilot==0.99.1 (from versions: 0.1.1, 0.1.2)";
        assert!(!is_about_network(pip));
    }
}
