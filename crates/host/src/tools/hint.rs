//! Hints for failures of installers, recognized by the installers' messages.

const NETWORK: &str = "cannot reach the package index: check the network; set HTTPS_PROXY for a \
                       proxy, or UV_DEFAULT_INDEX and PIP_INDEX_URL for a mirror";
const CERTIFICATE: &str = "the connection's certificate is not trusted: behind a proxy that \
                           intercepts TLS, set SSL_CERT_FILE and PIP_CERT to its certificate";
const DISK: &str = "the disk is full: free some space, or set SKYLOAD_STATE_DIR to another disk";
const VENV: &str = "this Python cannot create virtual environments: install its venv module \
                    (Debian, Ubuntu: `sudo apt install python3-venv`), or put `uv` on PATH";
const COMPILER: &str = "a package without a wheel for this Python failed to build: put another \
                        Python, 3.9 to 3.13, first on PATH as `python3`";

/// Parts of installers' messages, in lower case, each with a hint. The first match counts: an
/// untrusted certificate is also reported as a failed connection.
const HINTS: &[(&str, &str)] = &[
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
    // pip lists no versions if it cannot reach the index.
    ("(from versions: none)", NETWORK),
    ("failed to build", COMPILER),
    ("failed building wheel", COMPILER),
];

/// Hint for a tool that failed with this output; `None` if the failure is unknown.
pub fn for_output(output: &str) -> Option<&'static str> {
    // Messages may be wrapped anywhere: Debian's Python breaks the one about ensurepip.
    let output = output.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    HINTS.iter().find(|(part, _)| output.contains(part)).map(|(_, hint)| *hint)
}

/// Whether a tool's output reports a network failure.
pub fn is_network_failure(output: &str) -> bool {
    for_output(output).is_some_and(|hint| hint == NETWORK || hint == CERTIFICATE)
}

/// Whether a tool's output reports a failure that is this machine's, and not that of what the tool
/// worked on.
pub fn is_failure_of_machine(output: &str) -> bool {
    for_output(output).is_some_and(|hint| [NETWORK, CERTIFICATE, DISK, VENV].contains(&hint))
}

/// Error with `hint` appended, unless the error already has a hint, which is more specific.
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
    fn debians_message_for_a_missing_venv_module_is_recognized() {
        let debian = "The virtual environment was not created successfully because ensurepip is \
                      not\navailable.  On Debian/Ubuntu systems, you need to install the";
        assert_eq!(for_output(debian), Some(VENV));
    }

    #[test]
    fn an_error_has_one_hint_at_its_end() {
        let error = anyhow::anyhow!("no such host").context("installing");
        let hinted = with_hint(&error, "check the network");
        assert_eq!(hinted.to_string(), "installing: no such host\n  hint: check the network");
        let again = with_hint(&hinted, "reinstall everything");
        assert_eq!(again.to_string(), hinted.to_string());
    }

    #[test]
    fn network_failures_of_each_installer_are_recognized() {
        // Output of uv 0.13 and pip 23 behind a proxy that refuses connections.
        let uv = "error: Request failed after 3 retries in 6.6s\n  \
                  cause: Failed to fetch: https://index.invalid/simple/skypilot/\n  \
                  cause: tcp connect error";
        let pip = "WARNING: Retrying (Retry(total=0)) after connection broken by 'ProxyError'\n\
                   ERROR: Could not find a version that satisfies the requirement \
                   skypilot==0.14.0 (from versions: none)";
        assert!(is_network_failure(uv));
        assert!(is_network_failure(pip));
    }

    #[test]
    fn an_unknown_version_is_not_a_network_failure() {
        let pip = "ERROR: Could not find a version that satisfies the requirement \
                   skypilot==0.99.1 (from versions: 0.1.1, 0.1.2)";
        assert!(!is_network_failure(pip));
    }
}
