//! moto: server that answers AWS's API, from PyPI, in a Python environment of its own below the
//! state directory.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use host::progress::{Progress, Step};
use host::tools::hint::is_network_failure;
use host::tools::lock::SetupLock;
use host::tools::run::run;
use host::tools::uv::Uv;
use host::tools::{is_program, remove_folder, shell_in};
use serde::{Deserialize, Serialize};
use skyload::record::{read_json, write_json};
use xshell::Shell;

use crate::supervisor::{Daemon, Readiness, Role};

/// Version of moto.
pub(crate) const VERSION: &str = "5.2.5";
/// Date limit of moto's dependencies, which have no upper bounds.
const RESOLVED_AS_OF: &str = "2026-11-20T00:00:00Z";
/// Versions of Python that moto supports.
const PYTHON: &str = ">=3.10,<3.14";

/// Start of moto's server, with public addresses of instances on loopback.
const SERVER: &str = include_str!("site/server.py");

/// Address without a listener: the discard port.
const NOWHERE: &str = "http://127.0.0.1:9";

const STAMP: &str = "skyload-ready.json";

/// Installed moto.
#[derive(Clone, Debug)]
pub(crate) struct Moto {
    folder: PathBuf,
}

/// Stamp of a complete installation, written last.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Stamp {
    version: String,
    /// Folder of the installation: Python environments cannot be moved.
    folder: PathBuf,
}

/// URL of an API on loopback.
pub(crate) fn endpoint(api: SocketAddr) -> String {
    format!("http://{api}")
}

impl Moto {
    /// Installed moto, installed if missing.
    pub(crate) fn prepare(state: &Path, progress: Progress) -> Result<Self> {
        let moto = Self { folder: state.join("tools").join(format!("moto-{VERSION}")) };
        if moto.is_complete() {
            return Ok(moto);
        }
        let _lock = SetupLock::take(state)?;
        // Another process may have installed it meanwhile, and be using it.
        if moto.is_complete() {
            return Ok(moto);
        }
        let uv = Uv::find_or_install(state, &progress)?
            .context("uv, which installs moto, cannot be installed on this machine")?;
        let step = progress.step(format!("Installing moto {VERSION} (once, a few seconds)"));
        moto.install(&shell_in(state)?, &uv, &step).context("installing moto")?;
        step.done(format!("in {}", moto.folder.display()));
        Ok(moto)
    }

    /// Python of moto's environment, which has boto3.
    pub(crate) fn python(&self) -> PathBuf {
        self.folder.join("bin/python")
    }

    /// Daemon for the supervisor, which serves AWS's API at `api`.
    pub(crate) fn daemon(&self, api: SocketAddr, home: &Path, log: PathBuf) -> Result<Daemon> {
        fs::create_dir_all(home).with_context(|| format!("creating `{}`", home.display()))?;
        let text = |path: &Path| path.display().to_string();
        Ok(Daemon {
            args: ["-c", SERVER, "-H", &api.ip().to_string(), "-p", &api.port().to_string()]
                .map(str::to_owned)
                .to_vec(),
            ready: Readiness::Listens(api),
            role: Role::CloudApi,
            variables: vec![
                ("HOME".to_owned(), text(home)),
                // AWS has managed policies, which SkyPilot attaches to roles.
                ("MOTO_IAM_LOAD_MANAGED_POLICIES".to_owned(), "true".to_owned()),
                // moto sends notifications to any URL, and runs functions by Docker. Nodes can ask
                // for both, and must reach nothing outside.
                ("HTTP_PROXY".to_owned(), NOWHERE.to_owned()),
                ("HTTPS_PROXY".to_owned(), NOWHERE.to_owned()),
                ("DOCKER_HOST".to_owned(), NOWHERE.replace("http", "tcp")),
            ],
            ..Daemon::new("moto", self.python(), log)
        })
    }

    #[cfg(test)]
    pub(super) fn for_tests(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn stamp(&self) -> Stamp {
        Stamp { version: VERSION.to_owned(), folder: self.folder.clone() }
    }

    fn is_complete(&self) -> bool {
        let stamp = read_json::<Stamp>(&self.folder.join(STAMP), "stamp");
        // `bin/python` is a link, which is broken if that Python was removed since.
        stamp.is_ok_and(|stamp| stamp == self.stamp()) && is_program(&self.python())
    }

    fn install(&self, shell: &Shell, uv: &Uv, step: &Step) -> Result<()> {
        remove_folder(&self.folder)?;
        let venv = uv.command(shell).args(["venv", "--python", PYTHON]).arg(&self.folder);
        run(venv, step)?.into_output()?;
        let requirement = format!("moto[server]=={VERSION}");
        let as_of = ["--exclude-newer", RESOLVED_AS_OF, &requirement];
        let mut finished = uv.install(shell, &self.python(), &as_of, step)?;
        // To an index without dates, all packages are too new.
        if !finished.succeeded() && !is_network_failure(&finished.output) {
            finished = uv.install(shell, &self.python(), &[&requirement], step)?;
        }
        finished.into_output()?;
        write_json(&self.folder.join(STAMP), &self.stamp()).context("writing moto's stamp")
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::testing::script;

    #[test]
    fn an_installation_counts_with_its_stamp_and_its_python_alone() {
        let state = tempfile::tempdir().unwrap();
        let moto = Moto { folder: state.path().join(format!("tools/moto-{VERSION}")) };
        script(&moto.python(), "");
        assert!(!moto.is_complete(), "no stamp");
        write_json(&moto.folder.join(STAMP), &moto.stamp()).unwrap();
        assert!(moto.is_complete());
        // Nothing is installed, so that no network is needed.
        let found = Moto::prepare(state.path(), Progress::new()).unwrap();
        assert_eq!(found.folder, moto.folder);
        fs::remove_file(moto.python()).unwrap();
        assert!(!moto.is_complete(), "no Python");
    }

    #[test]
    fn the_daemon_listens_on_loopback_at_the_chosen_port() {
        let folder = tempfile::tempdir().unwrap();
        let api = SocketAddr::from(([127, 0, 0, 1], 23_001));
        let moto = Moto { folder: "/tools/moto".into() };
        let daemon = moto.daemon(api, folder.path(), "/log".into()).unwrap();
        assert_eq!(daemon.args[2..], ["-H", "127.0.0.1", "-p", "23001"]);
        assert_eq!(daemon.ready, Readiness::Listens(api));
    }

    #[test]
    fn public_addresses_of_instances_are_on_loopback() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("__init__.py", ""),
            ("ec2/__init__.py", ""),
            ("ec2/models/__init__.py", ""),
            ("ec2/models/elastic_network_interfaces.py", "random_public_ip = lambda: '54.0.0.1'"),
            (
                "server.py",
                "import sys\nfrom .ec2.models import elastic_network_interfaces as eni\n\
                 def main(): print(*sys.argv[1:], eni.random_public_ip())",
            ),
        ] {
            let path = folder.path().join("moto").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let output = Command::new("python3")
            .args(["-c", SERVER, "-H", "127.0.0.1", "-p", "5000"])
            .env("PYTHONPATH", folder.path())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let address = text.trim().strip_prefix("-H 127.0.0.1 -p 5000 ").unwrap();
        let address: std::net::Ipv4Addr = address.parse().unwrap();
        assert!(address.is_loopback() && !address.octets().starts_with(&[127, 0]), "{address}");
    }
}
