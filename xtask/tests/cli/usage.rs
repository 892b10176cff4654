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
#[case::no_users(&["-n", "0"], &["-n: `0` is not a whole number from 1 to 10000"])]
#[case::no_number(&["-n", "abc"], &["-n: `abc` is not a whole number"])]
#[case::negative(&["-n", "-3"], &["-n: `-3` is not a whole number"])]
#[case::no_size(&["--budget", "short=1XB"], &["got `1XB`", "called `short`", "short-executor"])]
#[case::a_size_for_a_count(
    &["--budget", "threads=500MiB"],
    &["`threads` is limited to a count, such as `500`, and 500.0 MiB is a size"],
)]
#[case::a_count_for_a_size(
    &["--budget", "growth=500"],
    &["`growth` is limited to a size, such as `300MiB`, and 500 is a count"],
)]
#[case::no_constant(
    &["--budget", "leaked-processes=auto"],
    &["SkyPilot has no constant for `leaked-processes`, so it needs a count instead of `auto`"],
)]
#[case::no_server(&["--server", "ftp://x"], &["`ftp://x` is none of isolated, system and an http(s) URL"])]
#[case::unknown_plan(&["--plan", "nosuch"], &["called `nosuch`", "default"])]
#[case::missing_file(&["--config", "/nowhere/x.toml"], &["--config: cannot read `/nowhere/x.toml`"])]
#[case::budget_of_a_remote_server(
    &["--server", "http://127.0.0.1:9", "--budget", "server=1GiB"],
    &["--budget server=1GiB: the memory of a remote server cannot be measured from here"],
)]
#[case::phase_peaks_of_samples(
    &["--phase-peaks", "--peaks", "sampled"],
    &["--phase-peaks: a sampler has no marks that could be lowered"],
)]
#[case::phase_peaks_of_a_remote_server(
    &["--server", "http://127.0.0.1:9", "--phase-peaks"],
    &["--phase-peaks: the memory of a remote server cannot be measured from here"],
)]
#[case::peaks_of_a_remote_server(
    &["--server", "http://127.0.0.1:9", "--peaks", "sampled"],
    &["--peaks: how the peaks of a remote server are read", "`cargo xtask profile` on its machine"],
)]
#[case::an_infra_without_launches(
    &["--api", "status", "-c", "loopback"],
    &["-c loopback: no scenario of this plan needs an infrastructure", "such as `-r launch`"],
)]
#[case::an_empty_infra(&["-r", "launch", "-c", ","], &["-c: `,` names no infrastructure"])]
#[case::credentials_without_a_cloud(
    &["--api", "status", "--copy-credentials"],
    &["--copy-credentials: this plan launches on no cloud"],
)]
#[case::credentials_for_another_server(
    &["--server", "http://127.0.0.1:9", "--copy-credentials"],
    &["--copy-credentials: only an isolated server is given copies"],
)]
#[case::run_async_without_launches(
    &["--api", "status", "--run-async"],
    &["--run-async: no CLI scenario of this plan launches anything; leave it out"],
)]
#[case::run_async_without_an_infra(
    &["-r", "all", "-c", "none", "--run-async"],
    &["--run-async: no CLI scenario of this plan launches anything (-c is none)"],
)]
#[case::unknown_level(&["--peaks", "exact"], &["invalid value 'exact'", "exit-records, high-water-mark, sampled"])]
#[case::no_server_profile(
    &["--server", "http://127.0.0.1:9", "--server-profile", "/nowhere", "-n", "0"],
    &["--server-profile: no profile found at `/nowhere`", "hint: run `cargo xtask profile`", "-n: `0`"],
)]
#[case::server_profile_of_this_machine(
    &["--server-profile", "/nowhere"],
    &["--server-profile: a server on this machine is profiled by the run itself"],
)]
#[case::upstream_figures_of_a_remote_server(
    &["--server", "http://127.0.0.1:9", "--upstream-figures"],
    &["--upstream-figures: the processes of a remote server cannot be seen from here"],
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
    &["--server-env: only an isolated server is given variables"],
)]
#[case::unknown_infra(
    &["-r", "launch", "-c", "nosuch"],
    &["-c: SkyPilot knows no infrastructure called `nosuch`"],
)]
#[case::no_credentials(
    &["-r", "launch", "-c", "aws"],
    &["-c: an isolated server has no credentials for aws", "--copy-credentials"],
)]
#[case::nothing_to_launch_on(
    &["-r", "launch", "-c", "none"],
    &["cli:launch cannot run without an infrastructure to launch on: -c is none"],
)]
#[case::several_mistakes(
    &["-n", "0", "--api", "nosuch", "--iterations", "x"],
    &["-n: `0`", "called `nosuch`", "--iterations: `x`"],
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
    let messages = ["with a blank`: SkyPilot quotes no path", "another place by SKYLOAD_STATE_DIR"];
    assert_usage_error(&site, &run, &messages);
    Ok(())
}

#[rstest]
#[case::a_misspelled_scheme("htp://me:s3cret@127.0.0.1:9", "`htp://..@127.0.0.1:9` is none of")]
#[case::a_slash_in_the_password("http://me:1/s3cret@127.0.0.1:9", "an `@` after the host")]
#[case::no_port("http://me:s3cret/@127.0.0.1:9", "`http://..@127.0.0.1:9` is none of")]
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
    assert_usage_error(&site, &run, &["--sky `./v/bin/sky`: SkyPilot quotes no path"]);
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
    "[plans.ci]\nwaves = 1\ncoldown = \"3s\"\n",
    ":3: unknown key `plans.ci.coldown`; did you mean `cooldown`?"
)]
#[case::no_size("[budgets]\nserver = \"1XB\"\n", ":2: expected a size")]
#[case::no_count("[budgets]\nthreads = -5\n", ":2: invalid value: integer `-5`, expected a size")]
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
#[case::no_workers(&["--workers", "30,0"], "'0' for '--workers <LIST>'")]
#[case::no_numbers(&["--workers", "many"], "'many' for '--workers <LIST>'")]
#[case::no_round(&["--rounds", "0"], "'0' for '--rounds <N>'")]
#[case::no_sky(&["--sky", "nosuch"], "--sky: `nosuch` is none of a version")]
#[case::a_sky_for_no_server(&["--without-server", "--sky", "0.14.1"], "cannot be used with")]
fn a_mistaken_flag_of_the_benchmark_is_a_usage_error(
    #[case] args: &[&str],
    #[case] message: &str,
) -> anyhow::Result<()> {
    let site = Site::new()?;
    let line = ["bench", "profiler"].iter().chain(args);
    let run = site.xtask(line).run()?;
    assert_usage_error(&site, &run, &[message]);
    assert!(!site.path("state/bench").exists(), "nothing is measured");
    Ok(())
}
