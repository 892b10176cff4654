//! `--server http://user:password@host`: the login is sent to the server and written nowhere.

use fake_sky::FakeServer;
use predicates::prelude::predicate;
use rstest::rstest;
use skyload::analysis::Verdict;
use skyload::env;

use crate::support::{Site, Texts};

/// Password with all characters that have a meaning in a URL, and one that is not ASCII.
const PASSWORD: &str = "p@ss/w:%é";
/// Password as encoded in a URL.
const IN_URL: &str = "p%40ss%2Fw%3A%25%C3%A9";

/// URL of a server with a login.
fn address(server: &FakeServer, login: &str) -> String {
    server.url().replacen("http://", &format!("http://{login}@"), 1)
}

/// Number of responses with status 401.
fn unauthorized(server: &FakeServer) -> usize {
    server.log().lines().filter(|line| line.ends_with("HTTP/1.1\" 401")).count()
}

#[rstest]
#[case::with_special_characters("me:p@ss/w:%é", "me:p%40ss%2Fw%3A%25%C3%A9")]
#[case::without_a_password("me:", "me")]
#[case::without_a_name(":p", ":p")]
fn a_login_is_decoded_and_sent_with_every_request(
    #[case] login: &str,
    #[case] in_url: &str,
) -> anyhow::Result<()> {
    let site = Site::new()?;
    let server = FakeServer::start(&[("FAKE_SKY_BASIC_AUTH", login)])?;
    let before = unauthorized(&server);
    let url = address(&server, in_url);
    let run = site.load(["--server", &url, "--api", "status", "-r", "api_status"]).run()?;
    run.expect(&site, Verdict::Pass)?;
    assert_eq!(unauthorized(&server), before, "{}", server.log());
    server.finish()
}

#[test]
fn a_password_that_sky_prints_when_it_fails_is_hidden() -> anyhow::Result<()> {
    let site = Site::new()?;
    let login = format!("me:{PASSWORD}");
    let server = FakeServer::start(&[
        ("FAKE_SKY_BASIC_AUTH", &login),
        // `sky` prints the URL of a failed request.
        ("FAKE_SKY_UNAVAILABLE", "/api/stream:1"),
    ])?;
    let url = address(&server, &format!("me:{IN_URL}"));
    let run = site.load(["--server", &url, "--api", "none", "-r", "jobs_queue"]).run()?;
    let texts = Texts::of(&run)?;
    assert!(texts.contain("exit status: 1"), "the command failed");
    texts.assert_absent(PASSWORD);
    server.finish()
}

#[rstest]
#[case::in_the_url("me:wr0ng@", &[], "hint: check the login in the URL or in SKYLOAD_SERVER_CREDENTIALS: the server rejected it")]
#[case::in_a_variable("", &[(env::SERVICE_ACCOUNT_TOKEN, "wr0ng")], "the server rejected this token")]
#[case::missing("", &[], "run `sky api login -e http://127.0.0.1:")]
fn the_hint_on_a_rejected_login_names_its_source(
    #[case] login: &str,
    #[case] variables: &[(&str, &str)],
    #[case] hint: &str,
) -> anyhow::Result<()> {
    let site = Site::new()?;
    let server = FakeServer::start(&[("FAKE_SKY_BASIC_AUTH", "me:right")])?;
    let url = server.url().replacen("http://", &format!("http://{login}"), 1);
    let mut load = site.load(["--server", &url]);
    for (name, value) in variables {
        load = load.env(name, value);
    }
    let run = load.run()?;
    run.assert().code(1).stderr(predicate::str::contains(hint));
    assert!(!run.stderr().contains("wr0ng"), "{}", run.stderr());
    server.finish()
}

#[test]
fn a_login_in_the_url_has_priority_over_a_token_as_in_skypilots_client() -> anyhow::Result<()> {
    let site = Site::new()?;
    let server = FakeServer::start(&[("FAKE_SKY_BASIC_AUTH", "me:right")])?;
    let url = address(&server, "me:right");
    let run = site
        .load(["--server", &url, "--api", "status"])
        .env(env::SERVICE_ACCOUNT_TOKEN, "sky_token")
        .run()?;
    run.expect(&site, Verdict::Pass)?;
    run.assert().stderr(predicate::str::contains(format!(
        "Sending the login of the URL or of {} and not {}",
        env::SERVER_CREDENTIALS,
        env::SERVICE_ACCOUNT_TOKEN
    )));
    server.finish()
}

#[test]
fn a_token_for_another_server_is_not_sent_to_an_isolated_one() -> anyhow::Result<()> {
    let site = Site::new()?;
    let load = site.load(["--api", "status", "-r", "api_status"]);
    let run = load.env(env::SERVICE_ACCOUNT_TOKEN, "sky_token").run()?;
    run.expect(&site, Verdict::Pass)?;
    Ok(())
}
