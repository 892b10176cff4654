//! Tests of worker counts with made-up packages, whose formulas have the signatures of two
//! releases.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rstest::rstest;
use skyload::machine_size::MachineSize;
use skyload::recommend::{Constant, Effects, MachineEffect, Mode};
use skyload::units::{ByteSize, gib};
use tempfile::TempDir;

use super::sizing::{Query, refusal, run};
use crate::testing;

/// Python that imports a package `sky` of these files.
fn python(files: &[(&str, &str)]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join("sky").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let python = folder.path().join("bin/python");
    let line = format!("PYTHONPATH={} exec python3 \"$@\"", folder.path().display());
    testing::script(&python, &line);
    (folder, python)
}

/// Effects of two changed constants on two machines in both modes.
fn effects(python: &Path, consolidated: bool) -> Result<Vec<MachineEffect>, String> {
    let constants = BTreeMap::from([(Constant::Long, gib(0.2)), (Constant::Short, gib(0.25))]);
    let machine = |gib| MachineSize { cpus: 4, memory: ByteSize::gib(gib) };
    let query = Query {
        machines: &[machine(16), machine(64)],
        modes: &[Mode::Local, Mode::Deploy],
        consolidated,
        constants: &constants,
    };
    match run(python, &query).map_err(|error| format!("{error:#}"))? {
        Effects::Known { machines, .. } => Ok(machines),
        other => Err(format!("{other:?}")),
    }
}

const COMMON: &str = "def get_cpu_count():\n    return 1\n\ndef get_mem_size_gb():\n    return 1\n";

/// Module with a formula over constants of these names.
fn formula(long: &str, short: &str, signature: &str) -> String {
    format!(
        "from types import SimpleNamespace\nfrom sky.utils import common_utils\n\
         {long} = 0.4\n{short} = 0.5\nprint('noise')\n\
         def compute_server_config({signature}):\n\
         \x20   memory = common_utils.get_mem_size_gb()\n\
         \x20   def kind(each):\n\
         \x20       return SimpleNamespace(garanteed_parallelism=int(memory / each),\n\
         \x20           burstable_parallelism=0 if deploy else 1024)\n\
         \x20   return SimpleNamespace(long_worker_config=kind({long}),\n\
         \x20       short_worker_config=kind({short}),\n\
         \x20       num_server_workers=common_utils.get_cpu_count() if deploy else 1)\n"
    )
}

#[test]
fn a_current_release_computes_counts_before_and_after() {
    let formula =
        formula("LONG_WORKER_MEM_GB", "SHORT_WORKER_MEM_GB", "deploy, quiet, reserved_memory_mb");
    let (_folder, python) = python(&[
        ("__init__.py", ""),
        ("server/config.py", &formula),
        ("utils/common_utils.py", COMMON),
        (
            "utils/controller_utils.py",
            "import functools\nimport os\nfrom sky.utils import common_utils\n\
             JOB_WORKER_MEMORY_MB = 400\n\
             def compute_memory_reserved_for_controllers(reserve_extra_for_pool):\n    return 0.0\n\
             @functools.lru_cache(maxsize=1)\n\
             def get_number_of_jobs_controllers():\n    \
             assert os.path.exists(os.path.expanduser(\n        \
             '~/.sky/.jobs_controller_consolidation_reloaded_signal'))\n    \
             return int(common_utils.get_mem_size_gb())\n",
        ),
    ]);
    let found = effects(&python, true).unwrap();
    let [local, deploy, _, larger] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((local.mode, local.before.server, local.before.burst), (Mode::Local, 1, 1024));
    assert_eq!((deploy.mode, deploy.before.server, deploy.before.burst), (Mode::Deploy, 4, 0));
    assert_eq!((deploy.before.long, deploy.after.long), (40, 80));
    assert_eq!((deploy.before.short, deploy.after.short), (32, 64));
    assert_eq!(deploy.after.controllers, Some(16));
    assert_eq!(larger.after.controllers, Some(64), "not the cached result");
    let separate = effects(&python, false).unwrap();
    assert_eq!(separate[1].after.controllers, None, "controllers run on a separate machine");
}

#[test]
fn names_and_arguments_of_an_older_release_are_supported() {
    let formula = formula("_LONG_WORKER_MEM_GB", "_SHORT_WORKER_MEM_GB", "deploy");
    let (_folder, python) = python(&[
        ("__init__.py", ""),
        ("server/config.py", &formula),
        ("utils/common_utils.py", COMMON),
    ]);
    let found = effects(&python, true).unwrap();
    assert_eq!((found[1].before.long, found[1].after.long), (40, 80));
    assert_eq!(found[1].after.controllers, None);
}

#[test]
fn a_release_without_the_function_is_an_error() {
    let (_folder, python) = python(&[("__init__.py", ""), ("server/config.py", "")]);
    let error = effects(&python, true).unwrap_err();
    assert!(error.ends_with("no sky.server.config.compute_server_config()"), "{error}");
}

/// Python whose SkyPilot takes `short=8` and more, as that of the nightly build 1.0.0.dev20261027.
const SMALLEST_POOL: &str = "import os
print('noise')
def validate_explicit_worker_counts():
    short = os.environ.get('SKYPILOT_SERVER_SHORT_WORKERS')
    if short and int(short) < 8:
        raise ValueError(f'SKYPILOT_SERVER_SHORT_WORKERS={short} must be at least 8: one per daemon')
";

#[rstest]
#[case::taken(SMALLEST_POOL, "8", None)]
#[case::too_small(
    SMALLEST_POOL,
    "3",
    Some("SKYPILOT_SERVER_SHORT_WORKERS=3 must be at least 8: one per daemon")
)]
#[case::without_a_check("", "3", None)]
#[case::with_an_error_of_its_own("raise OSError('disk')", "3", None)]
fn pools_are_refused_in_the_words_of_the_release(
    #[case] config: &str,
    #[case] short: &str,
    #[case] reason: Option<&str>,
) {
    let (_folder, python) = python(&[("__init__.py", ""), ("server/config.py", config)]);
    let variables = [("SKYPILOT_SERVER_SHORT_WORKERS".to_owned(), short.to_owned())];
    assert_eq!(refusal(&python, &variables).unwrap().as_deref(), reason);
}
