//! Environment variables of the shell that the server under test and its clients inherit.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use fake_sky::FakeServer;
use fake_sky::procfs::Process;
use predicates::prelude::{PredicateBooleanExt as _, predicate};
use rstest::rstest;
use skyload::analysis::Verdict;
use skyload::env;
use skyload::scenario::ScenarioId;

use super::system_servers;
use crate::support::{Running, Site, Xtask, soon};

/// URL of a proxy that does not exist.
const DEAD_PROXY: &str = "http://127.0.0.1:9";

const PROXIES: [&str; 6] =
    ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

fn behind_a_proxy(mut xtask: Xtask<'_>) -> Xtask<'_> {
    for name in PROXIES {
        xtask = xtask.env(name, DEAD_PROXY);
    }
    xtask
}

/// Load of one CLI and one API scenario, with requests that take long enough for the test to
/// inspect the processes.
fn slow_load<'a>(site: &'a Site, args: &[&str]) -> Xtask<'a> {
    let line = ["--api", "status", "-r", "status", "-n", "1"].iter().chain(args);
    site.load(line).fake("SERVICE_MS", 3_000)
}

/// Process of the server, once executors run, and a process of a client.
fn server_and_client(site: &Site, run: &Running<'_>) -> anyhow::Result<[Process; 2]> {
    run.scenario(ScenarioId::ApiStatus)?;
    let marked = |name: &str, run: &str| {
        let marker = format!("{name}={run}");
        soon(&format!("there is a process with {name}"), || {
            site.processes().into_iter().find(|process| process.was_started_with(&marker))
        })
    };
    let id = run.run_dir()?.id().to_string();
    Ok([marked(env::SERVER_OF_RUN, &id)?, marked(env::CLIENT_OF_RUN, &id)?])
}

#[rstest]
#[case::proxies(&PROXIES)]
#[case::settings_of_python(&["PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP"])]
#[case::credentials_of_clouds(&[
    "KUBECONFIG", "KUBERNETES_SERVICE_HOST", "AWS_PROFILE", "AWS_ACCESS_KEY_ID",
    "GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG", "AZURE_CLIENT_ID", "ARM_CLIENT_ID",
])]
#[case::settings_that_affect_memory(&["MALLOC_ARENA_MAX", "PYTHONMALLOC", "PYTHONDONTWRITEBYTECODE"])]
fn an_isolated_server_and_its_clients_do_not_inherit(#[case] names: &[&str]) -> anyhow::Result<()> {
    let site = Site::new()?;
    let mut load = slow_load(&site, &[]);
    for name in names {
        load = load.env(name, "7");
    }
    let run = load.start()?;
    let processes = server_and_client(&site, &run)?;
    for (process, name) in processes.iter().flat_map(|it| names.iter().map(move |name| (it, name)))
    {
        let assignment = format!("{name}=7");
        assert!(!process.was_started_with(&assignment), "{assignment}: {process:?}");
    }
    run.finish()?.expect(&site, Verdict::Pass)?;
    Ok(())
}

/// Creates the `sky` of a made-up SkyPilot 7.7.7. Its Python looks for packages in the inherited
/// PYTHONPATH first.
fn made_up_sky(folder: &Path) -> anyhow::Result<PathBuf> {
    let packages = folder.join("packages");
    let (python, sky) = (folder.join("bin/python"), folder.join("bin/sky"));
    package(&packages, "7.7.7")?;
    fs::create_dir_all(folder.join("bin"))?;
    let path = packages.display();
    fs::write(
        &python,
        format!(
            "#!/bin/sh\nPYTHONPATH=\"${{PYTHONPATH:+$PYTHONPATH:}}{path}\" exec python3 \"$@\"\n"
        ),
    )?;
    fs::write(&sky, format!("#!{}\nimport sys\n", python.display()))?;
    for program in [&python, &sky] {
        fs::set_permissions(program, fs::Permissions::from_mode(0o755))?;
    }
    Ok(sky)
}

/// Creates a package `sky` of this version below a directory.
fn package(folder: &Path, version: &str) -> anyhow::Result<()> {
    let package = folder.join("sky");
    fs::create_dir_all(package.join("server"))?;
    fs::write(package.join("__init__.py"), format!("__version__ = '{version}'\n"))?;
    fs::write(package.join("server/__init__.py"), "")?;
    let server = format!("import sys\nsys.exit('made up server of {version}')\n");
    fs::write(package.join("server/server.py"), server)?;
    Ok(())
}

#[test]
fn a_sky_in_the_shells_pythonpath_or_directory_is_not_the_one_under_test() -> anyhow::Result<()> {
    let site = Site::new()?;
    let sky = made_up_sky(&site.path("venv"))?;
    let other = site.path("other");
    package(&other, "6.6.6")?;
    let args = ["load", "--yes", "--api", "status", "-c", "none", "--sky"].map(Into::into);
    let config = site.path("skyload.toml");
    let args = args.into_iter().chain([sky, "--config".into(), config]);
    let run = site.xtask(args).env("PYTHONPATH", &other).in_directory(&other).run()?;
    // The made-up server exits at once; its message shows which package was started.
    run.assert()
        .code(1)
        .stderr(predicate::str::contains("made up server of 7.7.7"))
        .stderr(predicate::str::contains("6.6.6").not());
    Ok(())
}

#[test]
fn a_local_server_inherits_the_shells_environment_and_uses_no_proxy_for_loopback()
-> anyhow::Result<()> {
    let site = Site::new()?;
    let home = site.path("home");
    fs::create_dir(&home)?;
    let port = fake_sky::free_port()?;
    let args = ["--api", "status", "-r", "status", "-n", "1"];
    let load = system_servers::command(&site, &home, port, &args)?;
    let load = behind_a_proxy(load).fake("SERVICE_MS", 3_000).env("MALLOC_ARENA_MAX", "7");
    let run = load.env("no_proxy", "example.org").start()?;
    for process in server_and_client(&site, &run)? {
        for assignment in [
            "MALLOC_ARENA_MAX=7",
            "http_proxy=http://127.0.0.1:9",
            "no_proxy=example.org,127.0.0.1,localhost,::1",
            "NO_PROXY=example.org,127.0.0.1,localhost,::1",
        ] {
            assert!(process.was_started_with(assignment), "{assignment}: {process:?}");
        }
    }
    run.finish()?.expect(&site, Verdict::Pass)?;
    Ok(())
}

#[test]
fn clients_use_no_proxy_for_a_loopback_url() -> anyhow::Result<()> {
    let site = Site::new()?;
    let server = FakeServer::start(&[("FAKE_SKY_SERVICE_MS", "3000")])?;
    let run = behind_a_proxy(slow_load(&site, &["--server", &server.url()])).start()?;
    let id = run.run_dir()?.id().to_string();
    let marker = format!("{}={id}", env::CLIENT_OF_RUN);
    let client = soon("a client runs", || {
        site.processes().into_iter().find(|process| process.was_started_with(&marker))
    })?;
    assert!(client.was_started_with("no_proxy=127.0.0.1,localhost,::1"), "{client:?}");
    run.finish()?.expect(&site, Verdict::Pass)?;
    server.finish()
}

#[test]
fn clients_use_the_proxy_for_a_remote_server() -> anyhow::Result<()> {
    let site = Site::new()?;
    // The stand-in accepts requests for any host, like a proxy.
    let proxy = FakeServer::start(&[])?;
    let args = ["--server", "http://sky.invalid:46580", "--api", "status"];
    let run = site.load(args).env("http_proxy", proxy.url()).run()?;
    run.expect(&site, Verdict::Pass)?;
    proxy.finish()
}

#[test]
fn a_requested_variable_is_for_the_server_only_and_its_value_is_in_no_file() -> anyhow::Result<()> {
    let site = Site::new()?;
    let args = ["--server-env", "MALLOC_ARENA_MAX=7", "--server-env", "MY_TOKEN"];
    let run = slow_load(&site, &args).env("MY_TOKEN", "hunter2hunter2").start()?;
    let [server, client] = server_and_client(&site, &run)?;
    for assignment in ["MALLOC_ARENA_MAX=7", "MY_TOKEN=hunter2hunter2"] {
        assert!(server.was_started_with(assignment), "{assignment}");
        assert!(!client.was_started_with(assignment), "{assignment}");
    }
    let run = run.finish()?;
    let report = run.expect(&site, Verdict::Pass)?;
    let environment = report.environment.as_ref().context("the report has a record")?;
    let memory = environment.server_environment.memory().context("the report has a record")?;
    assert_eq!(memory.variables["MALLOC_ARENA_MAX"], "7");
    assert!(memory.variables["MY_TOKEN"].starts_with("sha256:"), "{memory:?}");
    for file in fs::read_dir(run.run_dir()?.path())? {
        let text = fs::read(file?.path()).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&text).contains("hunter2"), "only a hash is written");
    }
    Ok(())
}
