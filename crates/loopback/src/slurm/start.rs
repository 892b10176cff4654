//! Start of a loopback Slurm cluster: folder, daemons, and whether jobs are accepted.

use std::fs::{self, File, Permissions};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::Path;

use anyhow::{Context as _, Result};
use nix::unistd::geteuid;
use skyload::poll::Probe;
use xshell::{Shell, cmd};

use super::configs;
use super::layout::{FOLDERS, Layout};
use super::node::{self, Node};
use super::packages::Packages;
use super::ports::SlurmPorts;
use super::setup;
use crate::client::make_folder;
use crate::image::Image;
use crate::record::Record;
use crate::supervisor::{Daemon, Readiness};

/// Script that sshd runs first in each session on a node.
const SSH_RC: &str = include_str!("site/ssh-rc.sh");

/// Creates the cluster's folder with configuration files, keys, scripts and patches.
pub(super) fn provision(
    record: &Record,
    ports: &SlurmPorts,
    packages: &Packages,
    image: &Image,
    node: &Node,
) -> Result<()> {
    let layout = Layout::of(record);
    let creating = || format!("creating `{}`", layout.folder().display());
    // Node processes pass through this folder, and need not list it.
    make_folder(layout.folder(), 0o711).with_context(creating)?;
    for name in FOLDERS {
        let mode = if name.ends_with(".ssh") { 0o700 } else { 0o755 };
        make_folder(&layout.at(name), mode).with_context(creating)?;
    }
    // Slurm knows a host by its short name.
    let host = fs::read("/proc/sys/kernel/hostname").context("reading the host's name")?;
    let host = String::from_utf8_lossy(&host);
    let host = host.trim().split('.').next().unwrap_or("localhost");
    let write = |path: &Path, text: &str| {
        fs::write(path, text).with_context(|| format!("writing `{}`", path.display()))
    };
    write(&layout.at("passwd"), &record.account.passwd(&layout.home())?)?;
    write(&layout.at("group"), &record.account.group()?)?;
    write(&layout.at("hosts"), &configs::hosts(host))?;
    write(&layout.slurm_conf(), &configs::slurm_conf(&layout, packages, ports, host))?;
    write(&layout.sshd_config(), &configs::sshd_config(&layout, ports, &node.variables))?;
    for name in [".bash_profile", ".bashrc"] {
        write(&layout.home().join(name), &configs::shell_profile(&node::path(packages)))?;
    }
    let session = SSH_RC.replace("@NICE@", record.priority.nice());
    write(&layout.home().join(".ssh/rc"), &session)?;
    // The first line of the file is the port that `skyload_node.py` begins after.
    write(&layout.skylet_ports(), &format!("{}\n", ports.skylets))?;
    write(&layout.task_prolog(), &configs::task_prolog(&layout, image, record.priority))?;
    fs::set_permissions(layout.task_prolog(), Permissions::from_mode(0o755))
        .context("making the task prolog executable")?;
    write_key(&layout.munge_key())?;
    make_ssh_key(packages, &layout.host_key())?;

    // Files of the API server, which nodes must not read or change.
    let client = layout.client();
    client.create()?;
    make_ssh_key(packages, &layout.client_key())?;
    fs::copy(layout.client_key().with_extension("pub"), layout.home().join(".ssh/authorized_keys"))
        .context("authorizing the API server's key")?;
    for name in setup::missing(packages)? {
        client.add_unpacked(name, &packages.program(name)?, &packages.library_path())?;
    }
    if geteuid().is_root() {
        // Root keeps the folder itself: its owner could replace `client`, from which root runs
        // programs.
        for entry in fs::read_dir(layout.folder()).context("listing the nodes' files")? {
            let path = entry.context("listing the nodes' files")?.path();
            if path != client.folder() {
                chown_all(record, &path)?;
            }
        }
    }
    Ok(())
}

/// Makes the nodes' user the owner of a file, or of a folder with its contents.
fn chown_all(record: &Record, path: &Path) -> Result<()> {
    let changing = || format!("changing the owner of `{}`", path.display());
    chown(path, Some(record.account.uid), Some(record.account.gid)).with_context(changing)?;
    if path.is_dir() {
        for entry in fs::read_dir(path).with_context(changing)? {
            chown_all(record, &entry.with_context(changing)?.path())?;
        }
    }
    Ok(())
}

fn write_key(path: &Path) -> Result<()> {
    use std::io::{Read as _, Write as _};
    let mut key = [0; 1024];
    File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut key))
        .and_then(|()| File::options().write(true).create_new(true).mode(0o600).open(path))
        .and_then(|mut file| file.write_all(&key))
        .context("creating munge's key")
}

fn make_ssh_key(packages: &Packages, path: &Path) -> Result<()> {
    let shell = Shell::new().context("reading the current directory")?;
    let program = packages.program("ssh-keygen")?;
    let mut command =
        cmd!(shell, "{program} -q -t ed25519 -C skyload -f {path} -N").arg("").quiet();
    if packages.is_unpacked() {
        command = command.env("LD_LIBRARY_PATH", packages.library_path());
    }
    command.run().context("creating an ssh key")
}

/// Daemons of the one node, in the order in which they are started.
pub(super) fn daemons(record: &Record, packages: &Packages) -> Result<Vec<Daemon>> {
    let (layout, priority) = (Layout::of(record), record.priority);
    let daemon = |name: &str, args: &[String]| -> Result<Daemon> {
        let daemon = Daemon::new(name, packages.program(name)?, record.log(name));
        Ok(Daemon { args: args.to_vec(), ..daemon })
    };
    let text = |path: &Path| path.display().to_string();
    let conf = text(&layout.slurm_conf());
    let munged = [
        "--foreground".to_owned(),
        // Overrides munged's checks of the permissions of its folders.
        "--force".to_owned(),
        format!("--key-file={}", text(&layout.munge_key())),
        format!("--socket={}", text(&layout.munge_socket())),
        format!("--pid-file={}", text(&layout.at("pid/munged"))),
        format!("--seed-file={}", text(&layout.at("munge/seed"))),
    ];
    // `-D`: in the foreground, so that the supervisor is the parent and notices an exit.
    // `-N`: the name of the node in slurm.conf, which is not the name of the host.
    let mut slurmd =
        vec!["-D".to_owned(), "-f".to_owned(), conf.clone(), "-N".to_owned(), "localhost".into()];
    if let Some(program) = packages.step_daemon() {
        slurmd.extend(["-d".to_owned(), text(&program)]);
    }
    // `-c`: without saved state, which a new folder does not have.
    let slurmctld = ["-D".to_owned(), "-c".to_owned(), "-f".to_owned(), conf];
    let sshd = ["-D".to_owned(), "-e".to_owned(), "-f".to_owned(), text(&layout.sshd_config())];
    Ok(vec![
        // The daemons of Slurm authenticate to each other through this socket.
        Daemon { ready: Readiness::Exists(layout.munge_socket()), ..daemon("munged", &munged)? },
        daemon("slurmctld", &slurmctld)?,
        // Jobs inherit the priority of slurmd, and sessions that of sshd.
        Daemon { priority: Some(priority), ..daemon("slurmd", &slurmd)? },
        Daemon { priority: Some(priority), ..daemon("sshd", &sshd)? },
    ])
}

/// State of the cluster: ready if the node is idle in Slurm and the ssh server accepts connections.
pub(super) fn state(ports: &SlurmPorts, node: &Node) -> Probe<()> {
    match node.read("sinfo", &["-h", "-o", "%t"]) {
        // Slurm's node is ready; the login node's sshd may still be starting.
        // Slurm writes `idle*` while slurmd does not respond.
        Ok(state) if state.trim() == "idle" => {
            match TcpStream::connect((Ipv4Addr::LOCALHOST, ports.ssh)) {
                Ok(_) => Probe::Ready(()),
                Err(error) => Probe::NotYet(format!("ssh: {error}")),
            }
        }
        Ok(state) => Probe::NotYet(format!("the node's state is `{}`", state.trim())),
        Err(error) => Probe::NotYet(format!("{error:#}")),
    }
}
