//! Nodes of emulated AWS: one for each EC2 instance, in Linux namespaces of this machine.
//!
//! SkyPilot reaches an instance by ssh, with a program of skyload as ssh's `ProxyCommand`:
//!
//! ```text
//! API server -> ssh -> `__node-ssh SOCKET ADDRESS`   [`ssh`]
//!                        | its standard streams, by Unix socket   [`streams`]
//!                      `__node-keeper`, a daemon of the supervisor   [`keeper`]
//!                        | ADDRESS -> instance, by the cloud API   [`ec2`]
//!                      node of the instance, made if it is missing   [`node`], [`init`], `node.sh`
//!                        | sshd on the streams
//! ```
//!
//! So node processes descend from the supervisor, not from the API server, whose memory is
//! measured. A node has a network of its own with only a loopback interface, whose one port
//! leads to the cloud API ([`relay`]). The keeper ends the nodes of stopped and terminated
//! instances, and all nodes end with the keeper.

mod accept;
mod ec2;
mod init;
mod keeper;
mod node;
mod obstacle;
mod packages;
mod relay;
mod ssh;
mod streams;
#[cfg(test)]
mod tests;

use std::io::{Write as _, stderr};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};

pub use keeper::keep;
pub(crate) use obstacle::{obstacle, obstacle_in, obstacle_of};
pub(crate) use packages::NodePackages;
pub use ssh::ssh;

use crate::priority::NodePriority;
use crate::supervisor::{Daemon, Readiness};

/// Command of this program that runs the keeper of nodes.
pub const KEEPER_COMMAND: &str = "__node-keeper";

/// Command of this program that is ssh's `ProxyCommand`.
pub(crate) const SSH_COMMAND: &str = "__node-ssh";

/// Settings of the keeper, passed as JSON on its command line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct NodesSettings {
    /// Folder of the keeper, with its socket, its log and the nodes' files. Not on an overlay,
    /// and without characters that are special in mount options.
    pub(crate) folder: PathBuf,
    /// File of this program, which does not change while nodes run.
    pub(crate) program: PathBuf,
    /// Home of the user `ubuntu` on a new node.
    pub(crate) home: PathBuf,
    /// Folder with unpacked packages, copied into each node; `None` if the programs are
    /// installed.
    pub(crate) packages: Option<PathBuf>,
    /// Address of the cloud API on this machine, which nodes reach at the same address.
    pub(crate) api: SocketAddr,
    /// Regions with instances.
    pub(crate) regions: Vec<String>,
    /// CPU priority of the keeper and all nodes.
    pub(crate) priority: NodePriority,
}

impl NodesSettings {
    /// Unix socket of the keeper.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("keeper")
    }
}

/// Writes to the keeper's log, which is its standard error.
fn log(message: &str) {
    _ = writeln!(stderr(), "{message}");
}

/// Terminates the instances whose names contain `text`, and returns the names.
pub(crate) fn terminate_named(
    api: SocketAddr,
    regions: &[String],
    text: &str,
) -> Result<Vec<String>> {
    ec2::Ec2 { api, regions: regions.to_vec() }.terminate_named(text)
}

/// Names and states of all instances that are not terminated.
pub(crate) fn instances(api: SocketAddr, regions: &[String]) -> Result<Vec<String>> {
    let instances = ec2::Ec2 { api, regions: regions.to_vec() }.living()?;
    let name = |it: ec2::Instance| format!("{} ({:?})", it.name.unwrap_or(it.id), it.state);
    Ok(instances.into_iter().map(name).collect())
}

/// Keeper of nodes, as a daemon of the supervisor.
pub(crate) fn daemon(settings: &NodesSettings, log: PathBuf) -> Result<Daemon> {
    let options = serde_json::to_string(settings).context("writing the keeper's settings")?;
    let mut args = vec![KEEPER_COMMAND.to_owned(), options];
    let mut program = settings.program.clone();
    if !geteuid().is_root() {
        // An ordinary user may make the other namespaces only in a user namespace of their own.
        let keeper = program.display().to_string();
        args.splice(0..0, ["--user", "--map-root-user", "--", &keeper].map(str::to_owned));
        program = PathBuf::from("/usr/bin/unshare");
    }
    Ok(Daemon {
        args,
        priority: Some(settings.priority),
        ready: Readiness::Exists(settings.socket()),
        ..Daemon::new("node keeper", program, log)
    })
}

/// Value of SkyPilot's `aws.ssh_proxy_command`.
pub(crate) fn proxy_command(settings: &NodesSettings) -> Result<String> {
    proxy_command_of(&settings.program, &settings.socket())
}

fn proxy_command_of(program: &Path, socket: &Path) -> Result<String> {
    let quoted = |path: &Path| -> Result<String> {
        let text = path.to_str().with_context(|| {
            format!("expected a path in UTF-8 for ssh, got `{}`", path.display())
        })?;
        // ssh expands `%`.
        let text = text.replace('%', "%%");
        Ok(shlex::try_quote(&text).context("quoting a path for ssh")?.into_owned())
    };
    Ok(format!("{} {SSH_COMMAND} {} %h", quoted(program)?, quoted(socket)?))
}
