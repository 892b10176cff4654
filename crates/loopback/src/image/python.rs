//! Python of node images: one that node processes can start, and that has packages of Ray.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use host::tools::python::Python;
use host::tools::version::ToolVersion;
use nix::unistd::geteuid;
use xshell::Shell;

use crate::base_dir::is_open_to_all;

/// First versions of Ray with packages for a Python, newest first, and the first Python that
/// they have none for.
const RAY: [(ToolVersion, ToolVersion); 3] = [
    (ToolVersion(2, 46, 0), ToolVersion(3, 14, 0)),
    (ToolVersion(2, 11, 0), ToolVersion(3, 13, 0)),
    (ToolVersion(0, 0, 0), ToolVersion(3, 12, 0)),
];

/// Reason why this machine has no Python for the Ray of nodes, by the SkyPilot in the folder
/// `site-packages`.
pub(super) fn obstacle(packages: &Path) -> Option<String> {
    let ray = ray_in(&fs::read_to_string(packages.join("sky/skylet/constants.py")).ok()?)?;
    let shell = Shell::new().ok()?;
    // The hint is for installing SkyPilot itself, so it is not shown.
    find(&shell, Some(ray)).is_err().then(|| {
        let ToolVersion(_, minor, _) = before(ray);
        format!("nodes need Python 3.9 to 3.{}, by Ray {ray}, and there is none", minor - 1)
    })
}

/// Ray's version in the source of SkyPilot's `sky.skylet.constants`.
fn ray_in(constants: &str) -> Option<ToolVersion> {
    let line = constants.lines().find(|line| line.starts_with("SKY_REMOTE_RAY_VERSION"))?;
    ToolVersion::find_in(line.split(['\'', '"']).nth(1)?)
}

/// First version of Python that a version of Ray does not support.
fn before(ray: ToolVersion) -> ToolVersion {
    let found = RAY.into_iter().find(|(since, _)| ray >= *since);
    found.map_or(ToolVersion(3, 12, 0), |(_, before)| before)
}

/// Python that node processes can start: the distribution's if supported, else one on PATH.
/// `ray` limits the version; `None` for nodes without Ray.
pub(super) fn find(shell: &Shell, ray: Option<ToolVersion>) -> Result<PathBuf> {
    let any = ToolVersion(u32::MAX, 0, 0);
    let search = |shell: &Shell| Python::find_before(shell, ray.map_or(any, before));
    // Other Pythons are often in a home directory, which the nodes' user cannot enter.
    let distributions = {
        let _path = shell.push_env("PATH", "/usr/bin:/usr/local/bin:/bin");
        search(shell)
    };
    let python = distributions.or_else(|_| search(shell))?.path;
    let real = python.canonicalize().context("finding the real path of Python")?;
    ensure!(
        !geteuid().is_root() || is_open_to_all(&real),
        "node processes cannot enter the folder of `{}`\n  hint: `apt-get install python3`",
        real.display()
    );
    Ok(python)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ray_of_a_release_limits_the_python_of_its_nodes() {
        let source = "# Ray\nSKY_REMOTE_RAY_VERSION = '2.9.3'\nSKY_REMOTE_RAY_PORT = 6380\n";
        assert_eq!(ray_in(source).map(before), Some(ToolVersion(3, 12, 0)));
        assert_eq!(before(ToolVersion(2, 56, 1)), ToolVersion(3, 14, 0));
        assert_eq!(ray_in("SKY_REMOTE_RAY_PORT = 6380"), None);
    }
}
