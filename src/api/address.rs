//! Location of a server, by its URL.

use url::{Host, Url};

/// Whether a server is on this machine, by the host in its URL.
pub fn is_loopback(server: &Url) -> bool {
    match server.host() {
        // All names below `localhost` are reserved for loopback (RFC 6761).
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_recognised_by_name_and_by_address() {
        for (url, expected) in [
            ("http://127.0.0.1:46580", true),
            ("http://127.1.2.3", true),
            ("http://[::1]:1", true),
            ("http://localhost:46580/path", true),
            ("http://10.0.0.1", false),
            ("https://localhost.example.org", false),
        ] {
            let url = Url::parse(url).expect("a test knows its own data");
            assert_eq!(is_loopback(&url), expected, "{url}");
        }
    }
}
