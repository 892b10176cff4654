//! Logins and tokens of a remote server: sent to the server and written nowhere.

use std::fs;

use fake_sky::FakeServer;
use predicates::prelude::predicate;
use rstest::rstest;
use skyload::analysis::{ScenarioState, Verdict};
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
    run.assert().code(2).stderr(predicate::str::contains(hint));
    assert!(!run.stderr().contains("wr0ng"), "{}", run.stderr());
    site.assert_nothing_is_left();
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

/// Settings of SkyPilot's client with a token for the server at `endpoint`.
fn client_config(endpoint: &str, token: &str) -> String {
    format!("api_server:\n  endpoint: {endpoint}\n  service_account_token: {token}\n")
}

#[test]
fn the_token_in_the_clients_settings_is_sent_with_every_request() -> anyhow::Result<()> {
    let site = Site::new()?;
    let server = FakeServer::start(&[("FAKE_SKY_TOKEN", "sky_t0ken")])?;
    let before = unauthorized(&server);
    let config = site.path("config.yaml");
    fs::write(&config, client_config(&server.url(), "sky_t0ken"))?;
    let load = site.load(["--server", &server.url(), "--api", "status", "-r", "api_status"]);
    let run = load.env(env::GLOBAL_CONFIG, &config).run()?;
    run.expect(&site, Verdict::Pass)?;
    assert_eq!(unauthorized(&server), before, "{}", server.log());
    Texts::of(&run)?.assert_absent("sky_t0ken");
    server.finish()
}

#[rstest]
#[case::a_token_in_a_variable_has_priority(
    None,
    "sky_t0ken",
    Some("sky_wr0ng"),
    2,
    "rejected this token"
)]
#[case::another_servers_is_not_sent(
    Some("http://h.org"),
    "sky_t0ken",
    None,
    2,
    "run `sky api login -e "
)]
#[case::not_a_token(None, "t0ken", None, 1, "/config.yaml`: expected a service-account token")]
fn a_token_in_the_clients_settings_that_is_not_sent(
    #[case] endpoint: Option<&str>,
    #[case] token: &str,
    #[case] variable: Option<&str>,
    #[case] code: i32,
    #[case] message: &str,
) -> anyhow::Result<()> {
    let site = Site::new()?;
    let server = FakeServer::start(&[("FAKE_SKY_TOKEN", "sky_t0ken")])?;
    let config = site.path("config.yaml");
    fs::write(&config, client_config(endpoint.unwrap_or(&server.url()), token))?;
    let load = site.load(["--server", &server.url()]).env(env::GLOBAL_CONFIG, &config);
    let load = variable.into_iter().fold(load, |load, it| load.env(env::SERVICE_ACCOUNT_TOKEN, it));
    let run = load.run()?;
    run.assert().code(code).stderr(predicate::str::contains(message));
    assert!(!run.stderr().contains("0ken"), "{}", run.stderr());
    server.finish()
}

#[test]
fn every_kind_of_scenario_works_behind_a_login() -> anyhow::Result<()> {
    let site = Site::new()?;
    let settings = [
        ("FAKE_SKY_BASIC_AUTH", "me:p@ss/w:%é"),
        // Recorded for every request, as by an ingress that passes the user on.
        ("FAKE_SKY_LOGIN_USER", "me"),
        ("FAKE_SKY_INFRA", "aws"),
        ("FAKE_SKY_LAUNCH_MS", "50"),
        // A session's managed job lasts four seconds, in which its output is asked for.
        ("FAKE_SKY_SLEEP_MS", "400"),
    ];
    let server = FakeServer::start(&settings)?;
    let before = unauthorized(&server);
    let script = site.path("workload.sh");
    fs::write(&script, "fake-sky launch -y -c $BENCHMARK_UNIQUE_ID --infra aws 'echo hi'\n")?;
    let (url, script) = (server.url(), script.display().to_string());
    let scenarios = ["-r", "launch", "status", "session", "--api", "launch_and_logs", "session"];
    let others = ["launch_cancel", "--cancel-after", "100ms", "--probe-every", "2"];
    let more = ["--mix", "exec=1 status=1", "--hold", "logs,jobs_logs,stream", "--script", &script];
    let args = ["--server", &url, "-c", "aws", "-n", "2"];
    let load = site.load([&args[..], &scenarios, &others, &more].concat());
    let run = load.env(env::SERVER_CREDENTIALS, "me:p@ss/w:%é").run()?;
    let report = run.expect(&site, Verdict::Pass)?;
    for scenario in &report.scenarios {
        assert_eq!(scenario.state, ScenarioState::Succeeded, "{}", scenario.id);
    }
    assert_eq!(unauthorized(&server), before, "{}", server.log());
    let log = report.resources.expect("resources were launched");
    assert!(log.verified && log.left.is_empty(), "{log:?}");
    server.finish()
}
