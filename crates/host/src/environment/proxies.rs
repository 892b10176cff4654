//! Proxies: they are for what is elsewhere, never for the loopback address.

use std::ffi::OsString;

use super::Variables;

/// The names in one spelling: programs read the other one as well, or it alone.
const PROXIES: [&str; 4] = ["http_proxy", "https_proxy", "all_proxy", "ftp_proxy"];
const EXCEPTIONS: &str = "no_proxy";
const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "::1"];

/// Whether a variable says through which proxy to go, or for what not to.
pub(super) fn is_about_proxies(name: &str) -> bool {
    let name = name.to_lowercase();
    name == EXCEPTIONS || PROXIES.contains(&name.as_str())
}

/// The exceptions of these variables with the loopback address among them, in both
/// spellings; nothing where no proxy is named.
pub fn exceptions(variables: &[(OsString, OsString)]) -> Variables {
    let named = |(name, value): &&(OsString, OsString)| {
        PROXIES.contains(&name.to_string_lossy().to_lowercase().as_str()) && !value.is_empty()
    };
    if variables.iter().find(named).is_none() {
        return Vec::new();
    }
    let mut hosts: Vec<String> = Vec::new();
    let typed = variables.iter().filter(|(name, _)| name.eq_ignore_ascii_case(EXCEPTIONS));
    let typed: Vec<String> = typed.map(|(_, value)| value.to_string_lossy().into_owned()).collect();
    let words = typed.iter().flat_map(|list| list.split(',')).map(str::trim);
    for host in words.chain(LOOPBACK).filter(|host| !host.is_empty()) {
        if !hosts.iter().any(|known| known == host) {
            hosts.push(host.to_owned());
        }
    }
    let list = hosts.join(",");
    [EXCEPTIONS.to_owned(), EXCEPTIONS.to_uppercase()]
        .map(|name| (name.into(), list.clone().into()))
        .to_vec()
}

/// The same as text, of the shell's variables, for processes that inherit those.
pub fn exceptions_of_shell() -> Vec<(String, String)> {
    let text = |it: OsString| it.to_string_lossy().into_owned();
    let exceptions = exceptions(&skyload::env::all());
    exceptions.into_iter().map(|(name, value)| (text(name), text(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excepted(pairs: &[(&str, &str)]) -> Variables {
        let pairs: Variables =
            pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        exceptions(&pairs)
    }

    #[test]
    fn without_a_proxy_there_is_nothing_to_except() {
        assert_eq!(excepted(&[("no_proxy", "a"), ("http_proxy", "")]), []);
    }

    #[test]
    fn both_spellings_are_joined_and_each_host_stands_once() {
        let list: OsString = "a,127.0.0.1,b,localhost,::1".into();
        let typed =
            [("HTTPS_PROXY", "http://p"), ("no_proxy", "a, 127.0.0.1"), ("NO_PROXY", "b,a")];
        let expected = [("no_proxy".into(), list.clone()), ("NO_PROXY".into(), list)];
        assert_eq!(excepted(&typed), expected);
    }
}
