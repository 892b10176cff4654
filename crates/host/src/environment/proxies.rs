//! Proxy variables, with the loopback address as an exception.

use std::ffi::OsString;

use super::Variables;

/// Names of proxy variables in lower case. Programs read the lower-case spelling, the
/// upper-case one, or both.
const PROXIES: [&str; 4] = ["http_proxy", "https_proxy", "all_proxy", "ftp_proxy"];
const EXCEPTIONS: &str = "no_proxy";
const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "::1"];

/// Whether `name` is a variable that names a proxy or the exceptions from proxies.
pub(super) fn is_proxy_variable(name: &str) -> bool {
    let name = name.to_lowercase();
    name == EXCEPTIONS || PROXIES.contains(&name.as_str())
}

/// Variables `no_proxy` and `NO_PROXY`: the exceptions among `variables` and the loopback
/// address. Empty if `variables` name no proxy.
pub fn exceptions(variables: &[(OsString, OsString)]) -> Variables {
    let named = |(name, value): &&(OsString, OsString)| {
        // Programs read an empty value as no proxy.
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
    // Both spellings, since some programs read only one of them.
    [EXCEPTIONS.to_owned(), EXCEPTIONS.to_uppercase()]
        .map(|name| (name.into(), list.clone().into()))
        .to_vec()
}

/// [`exceptions`] of the shell's variables as text, for processes that inherit the shell's
/// environment.
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
    fn without_a_proxy_there_are_no_exceptions() {
        assert_eq!(excepted(&[("no_proxy", "a"), ("http_proxy", "")]), []);
    }

    #[test]
    fn both_spellings_are_merged_without_duplicates() {
        let list: OsString = "a,127.0.0.1,b,localhost,::1".into();
        let typed =
            [("HTTPS_PROXY", "http://p"), ("no_proxy", "a, 127.0.0.1"), ("NO_PROXY", "b,a")];
        let expected = [("no_proxy".into(), list.clone()), ("NO_PROXY".into(), list)];
        assert_eq!(excepted(&typed), expected);
    }
}
