//! Tests of the Python patches, on stand-ins for the modules that they change.

use std::fs;
use std::path::Path;
use std::process::Command;

use rstest::rstest;

use crate::site::{NODE_PATCHES, SERVER_PATCHES};

/// Writes stand-ins for the patched modules of SkyPilot and gRPC, and the patches.
fn write_modules(folder: &Path) {
    for (path, content) in [
        ("grpc/__init__.py", ""),
        (
            "grpc/_server.py",
            "class _Server:\n    def add_insecure_port(self, address):\n        return address\n",
        ),
        ("sky/__init__.py", ""),
        ("sky/utils/__init__.py", ""),
        ("sky/utils/controller_utils.py", "def get_number_of_jobs_controllers():\n    return 12\n"),
        ("sky/skylet/__init__.py", ""),
        ("sky/skylet/job_lib.py", "_INIT_SUBMIT_GRACE_PERIOD = 60\n"),
        ("sky/skylet/log_lib.py", "SKY_LOG_WAITING_MAX_RETRY = 5\n"),
        ("sky/serve/__init__.py", ""),
        ("sky/serve/load_balancer.py", "import uvicorn\n"),
        ("sky/backends/__init__.py", ""),
        (
            "sky/backends/backend_utils.py",
            "def check_network_connection():\n    raise OSError('no network')\n",
        ),
        ("uvicorn.py", "def run(app, host, port):\n    return f'{host}:{port}'\n"),
        ("skyload_node.py", NODE_PATCHES),
        ("server_site.py", SERVER_PATCHES),
    ] {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

/// Output of a Python program that can import these modules.
fn python(program: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    write_modules(folder.path());
    let ports = folder.path().join("ports");
    fs::write(&ports, "46590\n").unwrap();
    let output = Command::new("python3")
        .args(["-c", program])
        .current_dir(folder.path())
        .env("PYTHONPATH", folder.path())
        .env(skyload::env::SKYLET_PORTS, &ports)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

const SKYLET: &str =
    "from grpc._server import _Server\nprint(_Server().add_insecure_port('0.0.0.0:46590'))";
const BALANCER: &str = "from sky.serve import load_balancer as b\nprint(b.uvicorn.run('app', host='0.0.0.0', port=30001))";
const NETWORK: &str =
    "from sky.backends import backend_utils as b\nprint(b.check_network_connection())";
const CONTROLLERS: &str =
    "from sky.utils import controller_utils as c\nprint(c.get_number_of_jobs_controllers())";

const LOGS: &str = "from sky.skylet import log_lib\nprint(log_lib.SKY_LOG_WAITING_MAX_RETRY)";
const DRIVERS: &str = "from sky.skylet import job_lib\nprint(job_lib._INIT_SUBMIT_GRACE_PERIOD)";

#[rstest]
#[case::a_skylet("skyload_node", SKYLET, "127.0.0.1:46590")]
#[case::log_timeout("skyload_node", LOGS, "600")]
#[case::driver_timeout("skyload_node", DRIVERS, "600")]
#[case::a_load_balancer("server_site", BALANCER, "127.0.0.1:30001")]
#[case::network_check("server_site", NETWORK, "None")]
#[case::jobs_controllers("server_site", CONTROLLERS, "1")]
fn a_patch_takes_effect(#[case] patch: &str, #[case] program: &str, #[case] expected: &str) {
    assert_eq!(python(&format!("import {patch}\n{program}")), expected);
}

#[rstest]
#[case::a_skylet(SKYLET)]
#[case::a_load_balancer(BALANCER)]
fn without_the_patch_all_interfaces_are_listened_on(#[case] program: &str) {
    assert!(python(program).starts_with("0.0.0.0:"));
}
