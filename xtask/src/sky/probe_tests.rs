//! Tests of the probe with made-up packages, one for each layout that SkyPilot has had.

use std::fs;
use std::path::Path;

use rstest::rstest;
use skyload::units::ByteSize;
use skyload::units::gib;
use xshell::Shell;

use super::SkyEnvironment;
use super::constants::{ProbeOutput, SkyFacts};
use crate::testing;

/// Runs the probe under the system's Python, with a package `sky` of these files on its path.
fn probe(files: &[(&str, &str)]) -> Result<SkyFacts, String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join("sky").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let shell = Shell::new().unwrap();
    let python = folder.path().join("bin/python");
    let line = format!("PYTHONPATH={} exec python3 \"$@\"", folder.path().display());
    testing::script(&python, &line);
    ProbeOutput::of_python(&shell, &python, SkyEnvironment::Filtered)
        .map(ProbeOutput::into_facts)
        .map_err(|error| error.to_string())
}

const INIT: &str = "import nothing_that_exists\n\
                    _SKYPILOT_COMMIT_SHA = '7e595970'\n__version__ = '0.14.1'\n";

#[test]
fn version_0_9_1_has_its_constants_in_the_executor() {
    let facts = probe(&[
        ("__init__.py", INIT),
        ("server/requests/executor.py", "_LONG_WORKER_MEM_GB = 0.4\n_SHORT_WORKER_MEM_GB = 0.25\n"),
        ("cli.py", "def api_start(deploy: bool, host: Optional[str],\n    foreground: bool):\n"),
    ])
    .unwrap();
    assert_eq!(facts.constants.long, Some(gib(0.4)));
    assert_eq!(facts.constants.short, Some(ByteSize::mib(256)));
    assert_eq!(facts.constants.server, None);
    assert!(facts.source.ends_with("executor.py: _LONG_WORKER_MEM_GB, _SHORT_WORKER_MEM_GB"));
    assert!(!facts.selects_port);
}

#[test]
fn version_0_9_3_has_its_constants_in_the_config() {
    let facts = probe(&[
        ("__init__.py", INIT),
        ("server/config.py", "_LONG_WORKER_MEM_GB = 0.4\n_SHORT_WORKER_MEM_GB = 0.25\n"),
        ("server/requests/executor.py", "from sky.server import config\n"),
    ])
    .unwrap();
    assert_eq!(facts.constants.short, Some(ByteSize::mib(256)));
    assert!(facts.source.contains("server/config.py: _LONG_WORKER_MEM_GB"), "{}", facts.source);
    assert!(!facts.consolidates);
}

#[rstest]
#[case::of_0_14_1(
    "server/config.py",
    "_MIN_LONG_WORKERS = 1\n_CPU_MULTIPLIER_FOR_LONG_WORKERS = 2\nSHORT_WORKERS = 3\n",
    false
)]
#[case::by_their_names(
    "server/config.py",
    "A = 'SKYPILOT_SERVER_LONG_WORKERS'\nB = 'SKYPILOT_SERVER_SHORT_WORKERS'\n",
    true
)]
#[case::of_the_nightly_20261027(
    "skylet/constants.py",
    "ENV_VAR_SERVER_LONG_WORKERS = f'{SKYPILOT_SERVER_ENV_VAR_PREFIX}LONG_WORKERS'\n\
     ENV_VAR_SERVER_SHORT_WORKERS = f'{SKYPILOT_SERVER_ENV_VAR_PREFIX}SHORT_WORKERS'\n",
    true
)]
#[case::one_of_two("server/config.py", "A = 'SKYPILOT_SERVER_LONG_WORKERS'\n", false)]
fn variables_for_pools_are_found_in_the_source(
    #[case] file: &str,
    #[case] source: &str,
    #[case] pins: bool,
) {
    let sizes = "os.getenv('SKYPILOT_POD_CPU_CORE_LIMIT')\n\
                 os.getenv('SKYPILOT_POD_MEMORY_GB_LIMIT')\n";
    // A package without `server` has no API server.
    let sources = [("__init__.py", INIT), ("server/config.py", ""), (file, source)];
    let without = probe(&sources).unwrap();
    assert_eq!((without.pins_workers, without.reads_size), (pins, false));
    let with = probe(&[&sources[..], &[("utils/common_utils.py", sizes)]].concat()).unwrap();
    assert!(with.reads_size);
}

#[test]
fn version_0_14_has_a_constant_for_web_workers_and_selects_its_port() {
    let facts = probe(&[
        ("__init__.py", INIT),
        (
            "server/config.py",
            "LONG_WORKER_MEM_GB: float = 0.4\nSHORT_WORKER_MEM_GB = 0.3\n\
             SERVER_WORKER_MEM_GB = 1\nOTHER = LONG_WORKER_MEM_GB * 2\n",
        ),
        ("client/cli/command.py", "def api_start(deploy: bool,\n        port: Optional[int]):\n"),
        ("skylet/constants.py", "NAME = (f'{PREFIX}API_SERVER_LOCAL_PORT')\n"),
        ("utils/schemas.py", "consolidation_mode_schema = {'type': 'boolean'}\n"),
    ])
    .unwrap();
    assert_eq!(facts.version, "0.14.1");
    assert_eq!(facts.commit.as_deref(), Some("7e595970"));
    assert_eq!(facts.constants.long, Some(gib(0.4)));
    assert_eq!(facts.constants.server, Some(ByteSize::gib(1)));
    assert!(facts.selects_port && facts.consolidates);
}

#[test]
fn a_checkout_without_git_has_no_commit() {
    let init = "_SKYPILOT_COMMIT_SHA = '{{SKYPILOT_COMMIT_SHA}}'\n__version__ = '1.0.0-dev0'\n";
    let facts = probe(&[("__init__.py", init), ("server/config.py", "")]).unwrap();
    assert_eq!(facts.commit, None);
    assert!(facts.source.ends_with("no worker memory constants"), "{}", facts.source);
}

#[test]
fn another_package_named_sky_is_not_skypilot() {
    let error = probe(&[("__init__.py", "blue = True\n")]).unwrap_err();
    assert!(error.ends_with("is not SkyPilot: no __version__ found"), "{error}");
}

#[test]
fn a_skypilot_without_an_api_server_is_an_error() {
    let error = probe(&[("__init__.py", "__version__ = '0.8.0'\n")]).unwrap_err();
    assert!(error.contains("0.8.0 has no API server"), "{error}");
}

#[test]
fn a_python_without_skypilot_is_an_error() {
    let shell = Shell::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    // A directory named `sky` in the working directory is not an installation.
    fs::create_dir(folder.path().join("sky")).unwrap();
    fs::write(folder.path().join("sky/__init__.py"), INIT).unwrap();
    shell.change_dir(folder.path());
    let error =
        ProbeOutput::of_python(&shell, Path::new("python3"), SkyEnvironment::Filtered).unwrap_err();
    let error = error.to_string();
    assert!(error.starts_with("SkyPilot is not installed for "), "{error}");
}
