//! Cookies of `sky api login`, read and chosen as SkyPilot's client does.
//!
//! The client keeps them in a file of Mozilla's format, and leaves the choice for a request to
//! Python's `http.cookiejar`. Its rules are older than RFC 6265, which crates for cookies follow.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{fmt, fs, io};

use url::Url;

use super::client_file::{self, ClientFileError};
use super::hiding;
use crate::env;

/// Length from which on a cookie's value is a secret. Hiding a shorter one, such as `1`, would
/// garble the text.
const SHORTEST_SECRET: usize = 8;

/// Cookies of a file, with its path.
#[derive(Clone, PartialEq, Eq)]
pub struct Cookies {
    path: PathBuf,
    cookies: Vec<Cookie>,
}

impl fmt::Debug for Cookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cookies(..)")
    }
}

/// Choice of cookies for one URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieState {
    /// Cookies that are sent.
    Sent,
    /// Cookies for this URL that have all expired.
    Expired,
    /// Cookies for other URLs only.
    NoneForUrl,
}

impl Cookies {
    /// Cookies of the file that SkyPilot's client reads; `None` if there is no file, or no cookie
    /// in it.
    pub(super) fn from_environment() -> Result<Option<Self>, ClientFileError> {
        let Some(path) = client_file::path(env::COOKIE_FILE, ".sky/cookies.txt") else {
            return Ok(None);
        };
        let error = |path: &Path, reason: String| ClientFileError {
            what: "the cookies of `sky api login`",
            path: path.to_owned(),
            reason,
        };
        // Processes with other working directories read the same file.
        let path = std::path::absolute(&path).map_err(|source| error(&path, source.to_string()))?;
        let bytes = match fs::read(&path) {
            Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
            result => result.map_err(|source| error(&path, source.to_string()))?,
        };
        let cookies = parse(&String::from_utf8_lossy(&bytes)).map_err(|it| error(&path, it))?;
        Ok((!cookies.is_empty()).then_some(Self { path, cookies }))
    }

    /// Absolute path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Value of the header `Cookie` of a request; `None` if no cookie is for its URL, or all of
    /// them have expired.
    pub(crate) fn header(&self, url: &Url) -> Option<String> {
        let now = now();
        let valid: Vec<String> =
            self.of(url).filter(|cookie| !cookie.is_expired(now)).map(Cookie::pair).collect();
        (!valid.is_empty()).then(|| valid.join("; "))
    }

    /// State of the cookies for a URL.
    pub fn state(&self, url: &Url) -> CookieState {
        match (self.header(url), self.of(url).next()) {
            (Some(_), _) => CookieState::Sent,
            (None, Some(_)) => CookieState::Expired,
            (None, None) => CookieState::NoneForUrl,
        }
    }

    /// Cookies for a URL, valid or expired.
    fn of(&self, url: &Url) -> impl Iterator<Item = &Cookie> {
        self.cookies.iter().filter(|cookie| cookie.is_for(url))
    }

    pub(super) fn hide_in(&self, text: &str) -> String {
        let values = self.cookies.iter().filter_map(|cookie| cookie.value.as_deref());
        let secrets = values.filter(|value| value.len() >= SHORTEST_SECRET);
        secrets.fold(text.to_owned(), |text, secret| hiding::hide(secret, &text))
    }
}

/// Current time since the epoch.
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Cookie of a file.
#[derive(Clone, PartialEq, Eq)]
struct Cookie {
    domain: String,
    path: String,
    is_secure: bool,
    /// End of its validity, since the epoch.
    expires: Duration,
    name: String,
    value: Option<String>,
}

impl Cookie {
    /// Cookie of a line; `None` for a comment, and for a cookie of one session only, which Python
    /// leaves out.
    fn of_line(line: &str) -> Result<Option<Self>, &'static str> {
        let line = line.strip_prefix("#HttpOnly_").unwrap_or(line);
        if line.trim().is_empty() || line.trim().starts_with(['#', '$']) {
            return Ok(None);
        }
        let fields: Vec<&str> = line.split('\t').collect();
        let [domain, is_domain, path, is_secure, expires, name, value] = fields[..] else {
            return Err("expected seven fields, separated by tabs");
        };
        if (is_domain == "TRUE") != domain.starts_with('.') {
            return Err("expected TRUE after a domain with a leading dot, and else FALSE");
        }
        if expires.is_empty() {
            return Ok(None);
        }
        let expires: f64 = expires.parse().map_err(|_| "expected a time in the fifth field")?;
        let out_of_range = if expires > 0.0 { Duration::MAX } else { Duration::ZERO };
        let (name, value) = match name {
            // A cookie without a name is one without a value for Python.
            "" => (value, None),
            name => (name, Some(value.to_owned())),
        };
        if [name, value.as_deref().unwrap_or("")].iter().any(|it| it.chars().any(char::is_control))
        {
            return Err("expected no control characters in name and value");
        }
        Ok(Some(Self {
            domain: domain.to_owned(),
            path: path.to_owned(),
            is_secure: is_secure == "TRUE",
            expires: Duration::try_from_secs_f64(expires).unwrap_or(out_of_range),
            name: name.to_owned(),
            value,
        }))
    }

    /// Whether the cookie is for a URL, by domain, path and scheme.
    fn is_for(&self, url: &Url) -> bool {
        self.matches_domain(url) && self.matches_path(url.path()) && self.matches_scheme(url)
    }

    fn matches_domain(&self, url: &Url) -> bool {
        // In lower case already.
        let Some(host) = url.host_str() else { return false };
        // The effective name of a host without dots, by RFC 2965.
        let host = if host.contains('.') { format!(".{host}") } else { format!(".{host}.local") };
        match self.domain.starts_with('.') || self.domain.is_empty() {
            true => host.ends_with(&self.domain),
            false => host.ends_with(&format!(".{}", self.domain)),
        }
    }

    fn matches_path(&self, path: &str) -> bool {
        let Some(rest) = path.strip_prefix(&self.path) else { return false };
        rest.is_empty() || rest.starts_with('/') || self.path.ends_with('/')
    }

    fn matches_scheme(&self, url: &Url) -> bool {
        !self.is_secure || url.scheme() == "https"
    }

    fn is_expired(&self, now: Duration) -> bool {
        self.expires <= now
    }

    /// Name and value as sent.
    fn pair(&self) -> String {
        match &self.value {
            Some(value) => format!("{}={value}", self.name),
            None => self.name.clone(),
        }
    }
}

/// Cookies of a text in Mozilla's format, those with the longest path first.
fn parse(text: &str) -> Result<Vec<Cookie>, String> {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    if !["# HTTP Cookie File", "# Netscape HTTP Cookie File"].iter().any(|it| first.starts_with(it))
    {
        return Err("expected `# Netscape HTTP Cookie File` in line 1".to_owned());
    }
    let mut cookies: Vec<Cookie> = Vec::new();
    for (index, line) in lines.enumerate() {
        let cookie =
            Cookie::of_line(line).map_err(|fault| format!("{fault}, in line {}", index + 2))?;
        let Some(cookie) = cookie else { continue };
        let is_same = |other: &Cookie| {
            (&other.domain, &other.path, &other.name)
                == (&cookie.domain, &cookie.path, &cookie.name)
        };
        match cookies.iter_mut().find(|other| is_same(other)) {
            Some(earlier) => *earlier = cookie,
            None => cookies.push(cookie),
        }
    }
    cookies.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
    Ok(cookies)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const HEAD: &str = "# Netscape HTTP Cookie File\n";
    /// Time in the year 2100.
    const VALID: u64 = 4_102_444_800;

    fn cookies(lines: &str) -> Cookies {
        let cookies = parse(&format!("{HEAD}{lines}")).unwrap();
        Cookies { path: PathBuf::from("/cookies.txt"), cookies }
    }

    fn cookie(domain: &str, path: &str, secure: &str, expires: u64) -> Cookies {
        let is_domain = if domain.starts_with('.') { "TRUE" } else { "FALSE" };
        cookies(&format!("{domain}\t{is_domain}\t{path}\t{secure}\t{expires}\tname\tvalue\n"))
    }

    // The expectations are those of Python's `http.cookiejar`.
    #[rstest]
    #[case::as_sky_api_login_saves_it(".h.org", "", "https://h.org/api/health", true)]
    #[case::subdomain(".h.org", "/", "https://a.h.org/", true)]
    #[case::subdomain_of_a_plain_domain("h.org", "/", "https://a.h.org/", true)]
    #[case::another_domain_with_this_end(".h.org", "/", "https://ah.org/", false)]
    #[case::parent_domain(".a.h.org", "/", "https://h.org/", false)]
    #[case::address(".127.0.0.1", "", "https://127.0.0.1:8080/", true)]
    #[case::name_without_a_dot(".localhost", "", "https://localhost/", false)]
    #[case::effective_name("localhost.local", "", "https://localhost/", true)]
    #[case::path("h.org", "/east", "https://h.org/east/api/health", true)]
    #[case::the_path_itself("h.org", "/east", "https://h.org/east", true)]
    #[case::path_with_a_slash("h.org", "/east/", "https://h.org/east/x", true)]
    #[case::path_with_this_beginning("h.org", "/east", "https://h.org/eastern", false)]
    #[case::another_path("h.org", "/east", "https://h.org/", false)]
    fn a_cookie_is_sent_to_its_domain_and_path(
        #[case] domain: &str,
        #[case] path: &str,
        #[case] url: &str,
        #[case] is_sent: bool,
    ) {
        let header = cookie(domain, path, "TRUE", VALID).header(&url.parse().unwrap());
        assert_eq!(header, is_sent.then(|| "name=value".to_owned()));
    }

    #[rstest]
    #[case::secure("TRUE", VALID, "https://h.org/", CookieState::Sent)]
    #[case::secure_without_tls("TRUE", VALID, "http://h.org/", CookieState::NoneForUrl)]
    #[case::not_secure("FALSE", VALID, "http://h.org/", CookieState::Sent)]
    #[case::expired("FALSE", 1_000_000_000, "http://h.org/", CookieState::Expired)]
    #[case::expired_for_another("FALSE", 1_000_000_000, "http://g.org/", CookieState::NoneForUrl)]
    fn an_expired_cookie_or_a_secure_one_without_tls_is_not_sent(
        #[case] secure: &str,
        #[case] expires: u64,
        #[case] url: &str,
        #[case] state: CookieState,
    ) {
        assert_eq!(cookie("h.org", "/", secure, expires).state(&url.parse().unwrap()), state);
    }

    #[test]
    fn the_longest_path_is_first_and_the_last_of_two_equal_cookies_counts() {
        let cookies = cookies(&format!(
            "h.org\tFALSE\t/\tFALSE\t{VALID}\ta\told\n# comment\n\n\
             #HttpOnly_h.org\tFALSE\t/x\tFALSE\t{VALID}.5\tb\t2\n\
             h.org\tFALSE\t/\tFALSE\t\tsession\t3\n\
             h.org\tFALSE\t/\tFALSE\t{VALID}\t\tnameless\n\
             h.org\tFALSE\t/\tFALSE\t{VALID}\ta\tnew\n"
        ));
        let header = cookies.header(&"http://h.org/x/y".parse().unwrap());
        assert_eq!(header.as_deref(), Some("b=2; a=new; nameless"));
    }

    #[rstest]
    #[case::another_format("{}", "expected `# Netscape HTTP Cookie File` in line 1")]
    #[case::fields(
        "# HTTP Cookie File\n\nh s3cret",
        "expected seven fields, separated by tabs, in line 3"
    )]
    #[case::domain(
        "# HTTP Cookie File\nh\tTRUE\t/\tTRUE\t1\ts3cret\ts3cret",
        "TRUE after a domain"
    )]
    #[case::time("# HTTP Cookie File\nh\tFALSE\t/\tTRUE\tx\ts3cret\ts3cret", "a time in the fifth")]
    fn a_malformed_file_is_an_error_without_its_content(#[case] text: &str, #[case] error: &str) {
        let message = parse(text).map(drop).unwrap_err();
        assert!(message.contains(error) && !message.contains("s3cret"), "{message}");
    }

    #[test]
    fn no_file_is_too_odd_to_be_read() {
        let text = format!("{HEAD}.h.org\tTRUE\t/\tTRUE\t{VALID}\tname\tvalue\n#HttpOnly_h\n");
        crate::changes::try_changes(text.as_bytes(), |text| {
            _ = parse(&String::from_utf8_lossy(text));
        });
    }

    #[test]
    fn values_that_are_long_enough_to_be_secret_are_hidden() {
        let cookies = cookies(&format!(
            "h\tFALSE\t/\tFALSE\t{VALID}\ta\t1\nh\tFALSE\t/\tFALSE\t{VALID}\tb\tc00kie+s3cret\n"
        ));
        assert_eq!(cookies.hide_in("1 c00kie+s3cret c00kie%2Bs3cret"), "1 .. ..");
        assert_eq!(format!("{cookies:?}"), "Cookies(..)");
    }
}
