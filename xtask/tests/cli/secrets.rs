//! Secrets of every source: sent to the server, and to be found nowhere else.

use std::ffi::OsString;
use std::fs;

use fake_sky::FakeServer;
use predicates::prelude::predicate;
use rstest::rstest;
use skyload::analysis::Verdict;
use skyload::env;

use crate::support::{Site, Texts, command_lines_until_the_end};

/// Password with all characters that have a meaning in a URL, and one that is not ASCII.
const PASSWORD: &str = "p@ss/w:%é";
const TOKEN: &str = "sky_t0ken-0f-a/service+account";
const COOKIE: &str = "c00kie/0f=a+session";
/// Time in the year 2100.
const VALID: &str = "4102444800";

/// Source of credentials.
#[derive(Clone, Copy)]
enum Source {
    Url,
    LoginVariable,
    TokenVariable,
    TokenFile,
    CookieFile,
}

impl Source {
    /// Setting of a server that requires the credentials.
    fn setting(self) -> (&'static str, String) {
        match self {
            Self::Url | Self::LoginVariable => ("FAKE_SKY_BASIC_AUTH", format!("me:{PASSWORD}")),
            Self::TokenVariable | Self::TokenFile => ("FAKE_SKY_TOKEN", TOKEN.to_owned()),
            Self::CookieFile => ("FAKE_SKY_COOKIE", format!("session={COOKIE}")),
        }
    }
}

/// File of cookies for servers on 127.0.0.1, as `sky api login` writes it.
fn cookies(expires: &str) -> String {
    format!(
        "# Netscape HTTP Cookie File\n\n\
         .127.0.0.1\tTRUE\t\tFALSE\t{expires}\tsession\t{COOKIE}\n"
    )
}

#[rstest]
#[case::login_in_the_url(Source::Url)]
#[case::login_in_a_variable(Source::LoginVariable)]
#[case::token_in_a_file(Source::TokenFile)]
#[case::token_in_a_variable(Source::TokenVariable)]
#[case::cookies(Source::CookieFile)]
fn a_secret_is_sent_and_is_in_no_file_no_output_and_no_command_line(
    #[case] source: Source,
) -> anyhow::Result<()> {
    let site = Site::new()?;
    let (setting, value) = source.setting();
    let server = FakeServer::start(&[
        (setting, value.as_str()),
        // Every `sky` process lives long enough to be seen in several scans.
        ("FAKE_SKY_STREAM_FLOOR_MS", "3000"),
    ])?;
    let mut url = server.url();
    let cookie_file = site.path("cookies.txt");
    fs::write(&cookie_file, cookies(VALID))?;
    let token_file = site.path("token");
    fs::write(&token_file, format!("{TOKEN}\n"))?;
    if matches!(source, Source::Url) {
        url = url.replacen("http://", "http://me:p%40ss%2Fw%3A%25%C3%A9@", 1);
    }
    let mut args = ["--server", &url, "--api", "all", "-r", "all"].map(OsString::from).to_vec();
    if matches!(source, Source::TokenFile) {
        args.extend([OsString::from("--token-file"), token_file.into()]);
    }
    let load = site.load(args);
    let load = match source {
        Source::Url => load,
        Source::LoginVariable => load.env(env::SERVER_CREDENTIALS, format!("me:{PASSWORD}")),
        Source::TokenFile => load,
        Source::TokenVariable => load.env(env::SERVICE_ACCOUNT_TOKEN, TOKEN),
        Source::CookieFile => load.env(env::COOKIE_FILE, &cookie_file),
    };
    let running = load.start()?;
    let command_lines = command_lines_until_the_end(&site, &running);
    let run = running.finish()?;
    run.expect(&site, Verdict::Pass)?;
    let texts = Texts::of(&run)?.with_command_lines(command_lines);
    for secret in [PASSWORD, TOKEN, COOKIE] {
        texts.assert_absent(secret);
    }
    texts.assert_absent(&format!("me:{PASSWORD}"));
    let in_history = "end up in the shell's history";
    assert_eq!(
        run.stderr().matches(in_history).count(),
        usize::from(matches!(source, Source::Url))
    );
    server.finish()
}

#[rstest]
#[case::expired(cookies("1000000000"), 2, "again: the cookies in `")]
#[case::rejected(
    cookies(VALID).replace(COOKIE, "wr0ng-c00kie"), 2, "the server rejected the cookies"
)]
#[case::for_another_server(
    cookies(VALID).replace(".127.0.0.1", ".h.org"), 2, "set SKYPILOT_SERVICE"
)]
#[case::malformed(
    "no cookies".to_owned(), 1, "cannot read the cookies of `sky api login` in `"
)]
fn cookies_that_are_not_accepted_have_a_hint_of_their_own(
    #[case] file: String,
    #[case] code: i32,
    #[case] message: &str,
) -> anyhow::Result<()> {
    let site = Site::new()?;
    let server = FakeServer::start(&[("FAKE_SKY_COOKIE", &format!("session={COOKIE}"))])?;
    let path = site.path("cookies.txt");
    fs::write(&path, file)?;
    let load = site.load(["--server", &server.url()]);
    let run = load.env(env::COOKIE_FILE, &path).run()?;
    run.assert().code(code).stderr(predicate::str::contains(message));
    assert!(!run.stderr().contains("c00kie"), "{}", run.stderr());
    server.finish()
}

#[rstest]
#[case::no_file("http://127.0.0.1:9", None, "--token-file: cannot read `")]
#[case::another_token(
    "http://127.0.0.1:9",
    Some("ghp_s3cret"),
    "--token-file: expected a service-account"
)]
#[case::login_in_the_url(
    "http://me:s3cret@127.0.0.1:9",
    Some("sky_s3cret"),
    "--server has a login; remove one"
)]
#[case::isolated_server(
    "isolated",
    Some("sky_s3cret"),
    "an isolated server has no service accounts"
)]
fn a_token_file_without_use_is_a_usage_error(
    #[case] server: &str,
    #[case] content: Option<&str>,
    #[case] message: &str,
) -> anyhow::Result<()> {
    let site = Site::new()?;
    let path = site.path("token");
    if let Some(content) = content {
        fs::write(&path, content)?;
    }
    let run = site.load(["--server", server, "--token-file", &path.display().to_string()]).run()?;
    run.assert().code(2).stderr(predicate::str::contains(message));
    assert!(!run.stderr().contains("s3cret"), "{}", run.stderr());
    Ok(())
}
