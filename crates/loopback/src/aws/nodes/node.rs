//! Node of an instance: its init in namespaces of its own, its files, and sessions in it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use host::tools::remove_folder;
use skyload::poll::{Probe, wait_until};

use super::NodesSettings;
use super::ec2::Instance;
use super::init::{Init, wait_for_ready};
use super::relay::Relay;
use super::streams::Streams;
use crate::account::UBUNTU;

/// Init of a node.
pub(super) const SCRIPT: &str = include_str!("node.sh");

/// Folder of sshd's files in a node.
const IN_NODE: &str = "/run/skyload";

/// Address of the instance metadata on EC2.
const METADATA: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)), 80);

/// Time limit for the start of a node, which takes seconds on an idle machine. Nodes have idle
/// priority.
const READY_WITHIN: Duration = Duration::from_secs(300);

/// Time for an init to end all processes of its node, before it is killed.
const ENDS_WITHIN: Duration = Duration::from_secs(2);

/// Capabilities that root on a node keeps. The others are about the whole machine, such as its
/// disks, clock and kernel, or of later kernels; without `sys_admin`, root can mount nothing.
///
/// Old names only: setpriv refuses a name that its libcap-ng does not know.
pub(super) const KEPT: &str = "-all,+chown,+dac_override,+dac_read_search,+fowner,+fsetid,+kill,\
                               +setgid,+setuid,+setpcap,+net_bind_service,+net_broadcast,\
                               +net_admin,+net_raw,+ipc_lock,+ipc_owner,+sys_chroot,+sys_ptrace,\
                               +sys_pacct,+sys_nice,+sys_resource,+sys_tty_config,+lease,\
                               +audit_write,+setfcap,+wake_alarm,+block_suspend,+audit_read";

/// Running node; ends when dropped.
pub(super) struct Node {
    /// Public address of the instance when the node started.
    pub(super) address: Option<String>,
    init: Arc<Init>,
    /// Process that waits for init.
    parent: Child,
    /// Standard input of init, whose end ends the node: also after a SIGKILL of the keeper. `None`
    /// once the node is ending.
    lifeline: Option<ChildStdin>,
    _relays: [Relay; 2],
    /// Ports that are open to the outside.
    open: BTreeMap<u16, Relay>,
}

/// Program that serves a connection to a node.
pub(super) struct Session {
    init: Arc<Init>,
}

impl Node {
    /// Starts the node of an instance, with the files of its last start if there are any. The start
    /// is given up once `is_over`.
    pub(super) fn start(
        settings: &NodesSettings,
        instance: &Instance,
        public_keys: &str,
        is_over: impl Fn() -> bool,
    ) -> Result<Self> {
        let folder = folder(settings, &instance.id);
        let making = || format!("making `{}`", folder.display());
        DirBuilder::new().recursive(true).mode(0o711).create(&folder).with_context(making)?;
        fs::write(folder.join("authorized_keys"), public_keys).with_context(making)?;
        fs::write(folder.join("sshd_config"), sshd_config(settings.api)).with_context(making)?;
        let errors = File::create(folder.join("init.log")).with_context(making)?;
        let mut parent = Command::new("unshare")
            .args(["--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "--kill-child"])
            .args(["bash", "-eu"])
            .arg(script(settings))
            .arg(&folder)
            .arg(&settings.home)
            .args([UBUNTU.to_string(), name(&instance.id)])
            .args(&settings.packages)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .context("starting `unshare`\n  hint: install util-linux")?;
        let lifeline = parent.stdin.take().context("opening the node's standard input")?;
        let output = parent.stdout.take().context("opening the node's standard output")?;
        let started = Self::started(parent.id(), output, settings.api, is_over);
        let (init, relays) = started
            .inspect_err(|_| {
                _ = parent.kill();
                _ = parent.wait();
            })
            .with_context(|| {
                let errors = fs::read_to_string(folder.join("init.log")).unwrap_or_default();
                format!("making the node of {} failed: {}", instance.id, errors.trim())
            })?;
        let address = instance.public.clone();
        Ok(Self {
            address,
            init,
            parent,
            lifeline: Some(lifeline),
            _relays: relays,
            open: BTreeMap::new(),
        })
    }

    /// Init that a process `parent` has started, with the relays from the node to the cloud API.
    fn started(
        parent: u32,
        output: ChildStdout,
        api: SocketAddr,
        is_over: impl Fn() -> bool,
    ) -> Result<(Arc<Init>, [Relay; 2])> {
        let init = Init::of(wait_for_ready(output, READY_WITHIN, is_over)?, parent)?;
        let relay = |address| Relay::outward(init.network(), address, api);
        let relays = [relay(api)?, relay(METADATA)?];
        Ok((Arc::new(init), relays))
    }

    /// Whether the node's init is running.
    pub(super) fn is_alive(&mut self) -> bool {
        self.parent.try_wait().is_ok_and(|status| status.is_none())
    }

    /// Opens these ports at the node's address, and closes all others. Returns the errors of
    /// those that cannot be opened.
    pub(super) fn open_ports(&mut self, ports: &BTreeSet<u16>) -> Vec<anyhow::Error> {
        // Another address leads away from this machine.
        let address = self.address.as_ref().and_then(|address| address.parse::<IpAddr>().ok());
        let Some(address) = address.filter(IpAddr::is_loopback) else { return Vec::new() };
        self.open.retain(|port, _| ports.contains(port));
        let mut errors = Vec::new();
        for port in ports {
            if let Entry::Vacant(closed) = self.open.entry(*port) {
                match Relay::inward(self.init.network(), SocketAddr::new(address, *port)) {
                    Ok(relay) => _ = closed.insert(relay),
                    Err(error) => errors.push(error),
                }
            }
        }
        errors
    }

    pub(super) fn session(&self) -> Session {
        Session { init: Arc::clone(&self.init) }
    }

    /// Lets init end the node, without waiting for it.
    pub(super) fn begin_end(&mut self) {
        self.lifeline = None;
    }
}

impl Drop for Node {
    /// Ends all processes of the node. Its files stay.
    fn drop(&mut self) {
        // By init, which then has their CPU time.
        self.begin_end();
        _ = wait_until(ENDS_WITHIN, Duration::from_millis(10), || {
            Probe::of(!self.is_alive(), "the node's init is running")
        });
        self.init.kill();
        _ = self.parent.wait();
    }
}

impl Session {
    /// Runs a program in the node on these streams: sshd, for one connection.
    pub(super) fn serve(&self, program: &[String], streams: Streams) -> Result<()> {
        let with_user = is_in_user_namespace();
        let (user, limits): (&[&str], &[&str]) = match with_user {
            // Where the only user has another name, and no power over the machine.
            true => (&["--preserve-credentials"], &[]),
            false => (&[], &["setpriv", "--bounding-set", KEPT, "--"]),
        };
        let status = Command::new("nsenter")
            .args(self.init.entry(with_user))
            .args(user)
            .arg("--")
            .args(limits)
            .args(program)
            .stdin(streams.input)
            .stdout(streams.output)
            .stderr(streams.error)
            .status();
        // The status is that of the connection, and errors of `nsenter` are in the streams.
        status.map(drop).context("starting `nsenter`\n  hint: install util-linux")
    }
}

/// Whether this process is root only in a user namespace, which does not know the machine's
/// root user.
fn is_in_user_namespace() -> bool {
    fs::metadata("/").is_ok_and(|root| root.uid() != 0)
}

/// Program for each connection to a node.
pub(super) fn sshd() -> Vec<String> {
    let config = format!("{IN_NODE}/sshd_config");
    let log = format!("{IN_NODE}/sshd.log");
    ["/usr/sbin/sshd", "-i", "-f", &config, "-E", &log].map(str::to_owned).to_vec()
}

/// Removes the files of an instance's node, which must have ended.
pub(super) fn remove(settings: &NodesSettings, id: &str) -> Result<()> {
    remove_folder(&folder(settings, id))
}

/// File with [`SCRIPT`].
pub(super) fn script(settings: &NodesSettings) -> PathBuf {
    settings.folder.join("node.sh")
}

fn folder(settings: &NodesSettings, id: &str) -> PathBuf {
    settings.folder.join(Path::new("nodes").join(id))
}

/// Host name of a node.
fn name(id: &str) -> String {
    id.replace("i-", "node-")
}

fn sshd_config(api: SocketAddr) -> String {
    format!(
        "HostKey {IN_NODE}/host_key\n\
         AuthorizedKeysFile {IN_NODE}/authorized_keys\n\
         AllowUsers ubuntu\n\
         PasswordAuthentication no\n\
         StrictModes no\n\
         UsePAM no\n\
         UseDNS no\n\
         PrintMotd no\n\
         MaxSessions 200\n\
         Subsystem sftp internal-sftp\n\
         SetEnv AWS_ENDPOINT_URL=http://{api} \
         SKYPILOT_DISABLE_USAGE_COLLECTION=1 UV_OFFLINE=1 UV_PYTHON_DOWNLOADS=never\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Capabilities of Linux 3.16, whose names every libcap-ng knows.
    const OLD: &str = "chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap \
                       linux_immutable net_bind_service net_broadcast net_admin net_raw ipc_lock \
                       ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin \
                       sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease \
                       audit_write audit_control setfcap mac_override mac_admin syslog wake_alarm \
                       block_suspend audit_read";

    #[test]
    fn root_on_a_node_keeps_only_capabilities_that_every_setpriv_can_name() {
        let mut words = KEPT.split(',');
        assert_eq!(words.next(), Some("-all"), "those of later kernels are withheld");
        let kept: BTreeSet<&str> = words.map(|word| word.strip_prefix('+').unwrap()).collect();
        let old: BTreeSet<&str> = OLD.split(' ').collect();
        assert!(kept.is_subset(&old), "{kept:?}");
        let withheld: Vec<&str> = old.difference(&kept).copied().collect();
        let expected = "audit_control linux_immutable mac_admin mac_override mknod sys_admin \
                        sys_boot sys_module sys_rawio sys_time syslog";
        assert_eq!(withheld.join(" "), expected);
    }
}
