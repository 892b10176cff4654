//! From flags to the request that they make: what the library reads, and writes down.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use host::environment::asked;
use skyload::record::request::LoadRequest;

use crate::flags;

/// What was typed, as the library takes it, fit to be repeated from anywhere; and what of it
/// cannot be meant.
pub(super) fn request(flags: &flags::Load) -> Result<(LoadRequest, Vec<String>)> {
    // Without `..`: a new flag does not compile until it is handled here.
    let flags::Load {
        requests_per_scenario,
        requests,
        apis,
        clouds,
        run_async,
        copy_credentials,
        ramp,
        fit,
        waves,
        sky,
        server,
        server_env,
        server_profile,
        deploy,
        profile,
        config,
        budgets,
        peaks,
        phase_peaks,
        original_semantics,
        keep_server,
        yes,
        // Where results go is no part of what is asked for.
        out: _,
        format: _,
    } = flags;
    // The run may be reported on from another directory.
    let absolute = |path: &Option<PathBuf>| path.as_deref().map(std::path::absolute).transpose();
    let (server_env, mistakes) = asked::parse(server_env);
    let request = LoadRequest {
        users: requests_per_scenario.clone(),
        cli: requests.clone(),
        api: apis.clone(),
        infra: clouds.clone(),
        run_async: *run_async,
        copy_credentials: *copy_credentials,
        ramp: ramp.clone(),
        fit: fit.clone(),
        iterations: waves.clone(),
        sky: sky.as_deref().map(absolute_program).transpose()?,
        server: server.clone(),
        server_env,
        server_profile: absolute(server_profile).context("finding the server's profile")?,
        deploy: *deploy,
        config: absolute(config).context("finding the configuration")?,
        plan: profile.clone(),
        budgets: budgets.clone(),
        peaks: peaks.map(Into::into),
        phase_peaks: *phase_peaks,
        upstream_figures: *original_semantics,
        keep_server: *keep_server,
        yes: *yes,
    };
    Ok((request, mistakes))
}

/// A program's path from anywhere; versions, and names that are looked up, are what they are.
fn absolute_program(sky: &str) -> Result<String> {
    if !sky.contains('/') {
        return Ok(sky.to_owned());
    }
    let path = std::path::absolute(sky).context("finding the program of --sky")?;
    // What is not Unicode cannot be repeated as it was.
    Ok(path.to_str().unwrap_or(sky).to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;
    use skyload::record::profile::LevelChoice;
    use skyload::record::request::{KeptValue, RequestFile, ServerVariable};

    use super::*;
    use crate::flags::{Command, Xtask};

    /// The request that a command line makes.
    fn typed(args: Vec<String>) -> LoadRequest {
        let line = ["cargo xtask", "load"].map(str::to_owned).into_iter().chain(args);
        match Xtask::try_parse_from(line).unwrap().command {
            Command::Load(flags) => request(&flags).unwrap().0,
            _ => panic!("it is a load"),
        }
    }

    /// Whatever a shell can hand over: signs, spaces, quotes, flags and nothing at all.
    fn word() -> impl Strategy<Value = String> {
        prop_oneof!["[a-z0-9.:/=]{1,8}", "[^\0]{0,6}", "-{1,2}[a-z]{0,4}"]
    }

    fn path() -> impl Strategy<Value = PathBuf> {
        "/[^\0/]{1,6}"
            .prop_filter("it is kept as it is", |path| !path.starts_with("/."))
            .prop_map(PathBuf::from)
    }

    /// A version, a name, or a path from anywhere.
    fn sky() -> impl Strategy<Value = String> {
        let name = word().prop_map(|word| word.replace('/', "."));
        prop_oneof![name, path().prop_map(|path| path.to_string_lossy().into_owned())]
    }

    /// A variable whose value is typed; of the shell's, the tests must not depend.
    fn variables() -> impl Strategy<Value = Vec<ServerVariable>> {
        proptest::collection::btree_map("X[A-J]{1,4}", "[^\0]{0,6}", 0..3).prop_map(|variables| {
            let typed = |(name, value)| ServerVariable { name, value: KeptValue::Typed(value) };
            variables.into_iter().map(typed).collect()
        })
    }

    prop_compose! {
        /// Any request; `yes` is agreed to anew.
        fn any_request()(
            (users, ramp, fit, iterations, sky, server, plan) in (
                option::of(word()), option::of(word()), option::of(word()), option::of(word()),
                option::of(sky()), option::of(word()), option::of(word()),
            ),
            (cli, api, infra, budgets) in (
                vec(word(), 0..4), vec(word(), 0..4), vec(word(), 0..4), vec(word(), 0..4),
            ),
            (run_async, copy_credentials, deploy, phase_peaks, upstream_figures, keep_server)
                in any::<(bool, bool, bool, bool, bool, bool)>(),
            peaks in option::of(prop_oneof![
                Just(LevelChoice::Best),
                Just(LevelChoice::ExitRecords),
                Just(LevelChoice::HighWaterMark),
                Just(LevelChoice::Sampled),
            ]),
            (config, server_profile, server_env) in
                (option::of(path()), option::of(path()), variables()),
        ) -> LoadRequest {
            LoadRequest {
                users, cli, api, infra, run_async, copy_credentials, ramp, fit,
                iterations,
                sky, server, deploy, plan, config, budgets, phase_peaks, peaks, server_profile,
                server_env,
                upstream_figures, keep_server,
                yes: false,
            }
        }
    }

    proptest! {
        #[test]
        fn every_flag_survives_the_way_to_a_command_and_back(request in any_request()) {
            prop_assert_eq!(&typed(request.to_args()), &request);
            let words = shlex::split(&request.command()).unwrap();
            prop_assert_eq!(typed(words[3..].to_vec()), request);
        }

        #[test]
        fn every_flag_survives_the_way_to_a_file_and_back(request in any_request()) {
            let file = RequestFile::of(request);
            let text = serde_json::to_string(&file).unwrap();
            prop_assert_eq!(serde_json::from_str::<RequestFile>(&text).unwrap(), file);
        }
    }

    #[test]
    fn the_path_of_a_program_is_fit_to_be_repeated_from_anywhere() {
        let kept = |sky: &str| typed(vec!["--sky".to_owned(), sky.to_owned()]).sky.unwrap();
        for same in ["0.14.1", "nightly", "sky", "/opt/sky"] {
            assert_eq!(kept(same), same);
        }
        let here = std::env::current_dir().unwrap();
        assert_eq!(kept("./v/bin/sky"), here.join("v/bin/sky").to_str().unwrap());
    }

    #[test]
    fn no_password_is_part_of_a_request_that_is_kept() {
        let args = ["--server", "http://me:s3cret@127.0.0.1:1/"].map(str::to_owned);
        let kept = RequestFile::of(typed(args.to_vec())).request;
        assert_eq!(kept.server.as_deref(), Some("http://127.0.0.1:1/"));
    }
}
