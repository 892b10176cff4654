//! Environment of node processes, and Slurm commands as the nodes' user.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use nix::unistd::geteuid;
use skyload::env;

use super::layout::Layout;
use super::packages::Packages;
use crate::account::{Account, USER};

/// Node of the cluster: user, programs and environment of its processes.
#[derive(Clone, Debug)]
pub(super) struct Node {
    account: Account,
    packages: Packages,
    /// Environment variables of node processes, complete.
    pub(super) variables: Vec<(String, String)>,
}

impl Node {
    pub(super) fn new(id: &str, account: Account, packages: &Packages, layout: &Layout) -> Self {
        let text = |path: &Path| path.display().to_string();
        let mut variables = vec![
            ("HOME", text(&layout.home())),
            ("USER", USER.to_owned()),
            ("LOGNAME", USER.to_owned()),
            ("SHELL", "/bin/bash".to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
            ("PATH", path(packages)),
            ("SLURM_CONF", text(&layout.slurm_conf())),
            // nss_wrapper reads users, groups and hosts from the files below.
            ("LD_PRELOAD", text(&packages.nss_wrapper)),
            ("NSS_WRAPPER_PASSWD", text(&layout.at("passwd"))),
            ("NSS_WRAPPER_GROUP", text(&layout.at("group"))),
            ("NSS_WRAPPER_HOSTS", text(&layout.at("hosts"))),
            // Nothing is sent to or downloaded from other machines.
            ("UV_PYTHON_DOWNLOADS", "never".to_owned()),
            (env::NO_USAGE, "1".to_owned()),
            (env::SKYLET_PORTS, text(&layout.skylet_ports())),
            (env::NODES_OF, id.to_owned()),
        ];
        if !packages.libraries.is_empty() {
            variables.push(("LD_LIBRARY_PATH", packages.library_path()));
        }
        let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value));
        Self { account, packages: packages.clone(), variables: variables.collect() }
    }

    /// Output of the Slurm command `program`, run as the nodes' user.
    pub(super) fn read(&self, program: &str, args: &[&str]) -> Result<String> {
        let mut command = Command::new(self.packages.program(program)?);
        command
            .args(args)
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            // The nodes' user may not be able to enter the current one.
            .current_dir("/")
            .stdin(Stdio::null());
        if geteuid().is_root() {
            command.uid(self.account.uid).gid(self.account.gid);
        }
        let output = command.output().with_context(|| format!("running `{program}`"))?;
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            bail!("`{program} {}` failed ({}): {}", args.join(" "), output.status, stderr.trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// PATH of node processes.
pub(super) fn path(packages: &Packages) -> String {
    const SYSTEM: [&str; 5] = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"];
    // Installed programs are in the system's folders already.
    let unpacked = packages.programs.iter().filter(|_| packages.is_unpacked());
    let unpacked = unpacked.map(|folder| folder.display().to_string());
    unpacked.chain(SYSTEM.map(str::to_owned)).collect::<Vec<_>>().join(":")
}
