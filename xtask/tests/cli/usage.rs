//! Mistakes in the command line or the configuration: reported together, before anything is started
//! or written.

use std::fs;

use predicates::prelude::predicate;
use rstest::rstest;

use crate::support::{Finished, Site};

#[track_caller]
fn assert_usage_error(site: &Site, run: &Finished, messages: &[&str]) {
    let mut assert = run.assert().code(2).stdout("");
    for message in messages {
        assert = assert.stderr(predicate::str::contains(*message));
    }
    assert!(site.runs().is_empty(), "no run is created");
    site.assert_nothing_is_left();
}

#[rstest]
#[case::unknown_scenario(&["--api", "nosuch"], &["`nosuch`", "cli_status, validate", "all"])]
#[case::no_users(&["-n", "0"], &["-n: expected a whole number from 1 to 10000, got `0`"])]
#[case::no_number(&["-n", "abc"], &["-n: expected a whole number from 1 to 10000, got `abc`"])]
#[case::negative(&["-n", "-3"], &["-n: expected a whole number from 1 to 10000, got `-3`"])]
#[case::no_size(&["--budget", "short=1XB"], &["got `1XB`", "unknown budget `short`", "short-executor"])]
#[case::a_size_for_a_count(
    &["--budget", "threads=500MiB"],
    &["expected a count for `threads`, such as `500`, got the size 500.0 MiB"],
)]
#[case::a_count_for_a_size(
    &["--budget", "growth=500"],
    &["expected a size for `growth`, such as `300MiB`, got the count 500"],
)]
#[case::no_constant(
    &["--budget", "leaked-processes=auto"],
    &["expected a count for `leaked-processes`, such as `500`, got `auto`"],
)]
#[case::thresholds(
    &[
        "--api", "status", "--threshold", "api:status p95 < 5",
        "--threshold", "api:status step stats/get p95 < 5s", "--threshold", "api:status p96 < 5s",
        "--threshold", "api:validate p95 < 5s",
    ],
    &[
        "--threshold `api:status p95 < 5`: p95: expected a duration with its unit, such as `5s`",
        "unknown step `stats/get` of api:status; did you mean `status/get`?",
        "unknown metric `p96`; did you mean `p90`?",
        "--threshold `api:validate p95 < 5s`: the plan does not run api:validate",
    ],
)]
#[case::connections_without_a_time(
    &["--hold", "stream=10"],
    &["hold:stream: held for the time of the other scenarios, and there are none; add a time"],
)]
#[case::no_server(&["--server", "ftp://x"], &["--server: expected isolated, system or an http(s) URL, got `ftp://x`"])]
#[case::missing_script(&["--script", "/nowhere/x.sh"], &["--script: cannot run `/nowhere/x.sh`: No such file"])]
#[case::no_script(&["--script-timeout", "1m"], &["--script-timeout: only with --script"])]
#[case::unknown_plan(&["--plan", "nosuch"], &["--plan: unknown plan `nosuch`", "default"])]
#[case::missing_file(&["--config", "/nowhere/x.toml"], &["--config: cannot read `/nowhere/x.toml`"])]
#[case::budget_of_a_remote_server(
    &["--server", "http://127.0.0.1:9", "--budget", "server=1GiB"],
    &["--budget server=1GiB: memory of a remote server cannot be measured from this machine"],
)]
#[case::metrics_of_a_remote_server_without_their_address(
    &["--server", "http://127.0.0.1:9", "--metrics"],
    &["--metrics: the port of this server's metrics is unknown; pass --metrics-url URL"],
)]
#[case::metrics_of_no_url(
    &["--metrics-url", "me:s3cret@h"],
    &["--metrics-url: only for a server", "--metrics-url: expected an http(s) URL, got `..@h`"],
)]
#[case::phase_peaks_of_samples(
    &["--phase-peaks", "--peaks", "sampled"],
    &["--phase-peaks: sampling cannot reset peaks"],
)]
#[case::phase_peaks_of_a_remote_server(
    &["--server", "http://127.0.0.1:9", "--phase-peaks"],
    &["--phase-peaks: memory of a remote server cannot be measured from this machine"],
)]
#[case::peaks_of_a_remote_server(
    &["--server", "http://127.0.0.1:9", "--peaks", "sampled"],
    &["--peaks: peaks of a remote server are read on its machine", "`cargo xtask profile` there"],
)]
#[case::an_arrival_rate_with_users(
    &["--api", "status", "-n", "3", "--rate", "2/s", "--for", "1m", "--graceful-stop", "x"],
    &["--rate with -n: an arrival rate has no users", "--graceful-stop: expected a time"],
)]
#[case::dropped_iterations_of_a_burst(
    &["--api", "status", "--threshold", "api:status dropped < 10"],
    &["--threshold `api:status dropped < 10`: api:status has no arrival rate"],
)]
#[case::stages_that_are_none(
    &["--api", "status", "--stages", "50 in 2m, 20/s for 1m"],
    &["--stages: expected stages of users or of a rate, not mixed, got `50 in 2m, 20/s for 1m`"],
)]
#[case::an_infra_without_launches(
    &["--api", "status", "-c", "loopback"],
    &["-c loopback: no selected scenario launches anything", "such as `-r launch`"],
)]
#[case::an_empty_infra(&["-r", "launch", "-c", ","], &["-c: expected an infra, got `,`"])]
#[case::credentials_without_a_cloud(
    &["--api", "status", "--copy-credentials"],
    &["--copy-credentials: this plan launches on no cloud"],
)]
#[case::catalog_without_emulated_infra(
    &["--api", "status", "--catalog", "/nowhere"],
    &["--catalog: expected a folder with SkyPilot's catalogs", "--catalog: only for emulated infras"],
)]
#[case::size_of_kubernetes_without_it(
    &["--api", "status", "--kubernetes-size", "10x"],
    &[
        "--kubernetes-size: expected NODESxPODS such as 100x1000",
        "--kubernetes-size: only for `-c emulated-kubernetes`",
    ],
)]
#[case::credentials_for_another_server(
    &["--server", "http://127.0.0.1:9", "--copy-credentials"],
    &["--copy-credentials: only for an isolated server"],
)]
#[case::load_on_another_machine_without_consent(
    &["--server", "http://10.255.255.1:9/east", "-n", "7", "--api", "status"],
    &[
        "--server: load on another machine needs --yes when stdin is not a terminal",
        "This plan loads http://10.255.255.1:9/east, which is not on this machine, with 7 users, \
         a health probe at 2/s of 1 scenario.",
    ],
)]
#[case::distinct_users_of_processes(
    &["-r", "status", "--api", "none", "--distinct-users"],
    &["--distinct-users: no API scenario is selected"],
)]
#[case::run_async_without_launches(
    &["--api", "status", "--run-async"],
    &["--run-async: no selected CLI scenario launches anything; remove it"],
)]
#[case::run_async_without_an_infra(
    &["-r", "all", "-c", "none", "--run-async"],
    &["--run-async: no selected CLI scenario launches anything (-c is none)"],
)]
#[case::unknown_level(&["--peaks", "exact"], &["invalid value 'exact'", "exit-records, high-water-mark, sampled"])]
#[case::no_server_profile(
    &["--server", "http://127.0.0.1:9", "--server-profile", "/nowhere", "-n", "0"],
    &["--server-profile: no profile found at `/nowhere`", "hint: run `cargo xtask profile`", "-n: expected"],
)]
#[case::server_profile_of_this_machine(
    &["--server-profile", "/nowhere"],
    &["--server-profile: only for a remote server"],
)]
#[case::upstream_figures_of_a_remote_server(
    &["--server", "http://127.0.0.1:9", "--upstream-figures"],
    &["--upstream-figures: processes of a remote server are not visible on this machine"],
)]
#[case::a_variable_that_is_not_set(
    &["--server-env", "SKYLESS_NOWHERE"],
    &["--server-env: `SKYLESS_NOWHERE` is not set in this shell"],
)]
#[case::a_secret_that_was_typed(
    &["--server-env", "MY_API_KEY=abc"],
    &["--server-env: the value of `MY_API_KEY` looks like a secret", "`--server-env MY_API_KEY`"],
)]
#[case::a_variable_for_another_server(
    &["--server", "http://127.0.0.1:9", "--server-env", "A=1"],
    &["--server-env: only for an isolated server"],
)]
#[case::unknown_infra(
    &["-r", "launch", "-c", "nosuch"],
    &["-c: unknown infra `nosuch`"],
)]
#[case::no_credentials(
    &["-r", "launch", "-c", "aws"],
    &["-c: the isolated server has no credentials for aws", "--copy-credentials"],
)]
#[case::nothing_to_launch_on(
    &["-r", "launch", "-c", "none"],
    &["cli:launch cannot run without an infra: -c is none"],
)]
#[case::several_mistakes(
    &["-n", "0", "--api", "nosuch", "--iterations", "x"],
    &["-n: expected", "scenario `nosuch`", "--iterations: expected"],
)]
fn a_mistaken_flag_is_an_error_with_the_valid_values(
    #[case] args: &[&str],
    #[case] messages: &[&str],
) -> anyhow::Result<()> {
    let site = Site::new()?;
    let sky = fake_sky::executable().display().to_string();
    let config = site.path("skyload.toml").display().to_string();
    let mut line = vec!["load", "--sky", &sky];
    if !args.contains(&"--config") {
        line.extend(["--config", &config]);
    }
    let run = site.xtask(line.into_iter().chain(args.iter().copied())).run()?;
    assert_usage_error(&site, &run, messages);
    Ok(())
}

#[test]
fn a_state_directory_that_skypilot_cannot_use_is_a_usage_error() -> anyhow::Result<()> {
    let site = Site::new()?;
    let sky = fake_sky::executable().display().to_string();
    let state = site.path("with a blank");
    let config = site.path("skyload.toml").display().to_string();
    let line = ["load", "--sky", &sky, "--config", &config];
    let run = site.xtask(line).env("SKYLOAD_STATE_DIR", &state).run()?;
    let messages = [
        "with a blank`: expected a path without blanks",
        "set another path with SKYLOAD_STATE_DIR",
    ];
    assert_usage_error(&site, &run, &messages);
    Ok(())
}

#[rstest]
#[case::a_misspelled_scheme("htp://me:s3cret@127.0.0.1:9", "got `htp://..@127.0.0.1:9`")]
#[case::a_slash_in_the_password("http://me:1/s3cret@127.0.0.1:9", "an `@` after the host")]
#[case::no_port("http://me:s3cret/@127.0.0.1:9", "got `http://..@127.0.0.1:9`")]
#[case::a_colon_in_the_user("http://me%3Ax:s3cret@127.0.0.1:9", "the user name contains a `:`")]
#[case::no_text("http://me:s3cret%FF@127.0.0.1:9", "not UTF-8")]
#[case::an_end_of_text("http://me:s3cret%00@127.0.0.1:9", "a control character")]
fn a_login_that_cannot_be_sent_is_a_usage_error_that_hides_it(
    #[case] url: &str,
    #[case] message: &str,
) -> anyhow::Result<()> {
    let site = Site::new()?;
    let run = site.load(["--server", url]).run()?;
    assert_usage_error(&site, &run, &["--server: ", message]);
    assert!(!run.stderr().contains("s3cret"), "{}", run.stderr());
    Ok(())
}

#[test]
fn a_relative_path_to_a_program_below_a_directory_with_a_space_is_a_usage_error()
-> anyhow::Result<()> {
    let site = Site::new()?;
    let folder = site.path("a b");
    fs::create_dir(&folder)?;
    let run = site.xtask(["load", "--sky", "./v/bin/sky"]).in_directory(&folder).run()?;
    assert_usage_error(&site, &run, &["--sky `./v/bin/sky`: expected a path without blanks"]);
    Ok(())
}

#[test]
fn a_malformed_server_timeout_is_a_usage_error() -> anyhow::Result<()> {
    let site = Site::new()?;
    let run = site.load([""; 0]).env("SKYLOAD_SERVER_WITHIN", "300").run()?;
    assert_usage_error(
        &site,
        &run,
        &["SKYLOAD_SERVER_WITHIN: expected a duration, such as `300s`, got"],
    );
    Ok(())
}

#[rstest]
#[case::unknown_key(
    "[plans.ci]\niterations = 1\ncoldown = \"3s\"\n",
    ":3: unknown key `plans.ci.coldown`; did you mean `cooldown`?"
)]
#[case::no_size("[budgets]\nserver = \"1XB\"\n", ":2: expected a size")]
#[case::no_count("[budgets]\nthreads = -5\n", ":2: invalid value: integer `-5`, expected a size")]
#[case::no_unit(
    "[thresholds]\n\"api:status\" = [{ when = \"p95 < 5\" }]\n",
    ":2: thresholds.api:status: p95: expected a duration with its unit"
)]
#[case::no_toml("[budgets\n", ":1: ")]
fn a_mistaken_configuration_is_an_error_with_its_line(
    #[case] text: &str,
    #[case] message: &str,
) -> anyhow::Result<()> {
    let site = Site::new()?;
    let config = site.path("mistaken.toml");
    fs::write(&config, text)?;
    let config = config.display().to_string();
    let run = site.xtask(["load", "--config", &config]).run()?;
    assert_usage_error(&site, &run, &[&format!("{config}{message}")]);
    Ok(())
}

#[rstest]
#[case::no_workers("profiler", &["--workers", "30,0"], "'0' for '--workers <LIST>'")]
#[case::no_numbers("profiler", &["--workers", "many"], "'many' for '--workers <LIST>'")]
#[case::no_round("profiler", &["--rounds", "0"], "'0' for '--rounds <N>'")]
#[case::no_sky("profiler", &["--sky", "nosuch"], "--sky: expected a version")]
#[case::a_sky_for_no_server(
    "profiler",
    &["--without-server", "--sky", "0.14.1"],
    "cannot be used with"
)]
#[case::no_round_of_the_client("client", &["--rounds", "0"], "'0' for '--rounds <N>'")]
#[case::no_sky_of_the_client("client", &["--sky", "nosuch"], "--sky: expected a version")]
fn a_mistaken_flag_of_the_benchmark_is_a_usage_error(
    #[case] benchmark: &str,
    #[case] args: &[&str],
    #[case] message: &str,
) -> anyhow::Result<()> {
    let site = Site::new()?;
    let command = ["bench", benchmark];
    let run = site.xtask(command.iter().chain(args)).run()?;
    assert_usage_error(&site, &run, &[message]);
    assert!(!site.path("state/bench").exists(), "nothing is measured");
    Ok(())
}
