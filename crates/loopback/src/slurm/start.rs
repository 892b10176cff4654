//! Start of a loopback Slurm cluster: folder, supervisor, and the wait until jobs are accepted.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use host::signals::Signals;
use host::workspace::{Workspace, own_program};
use nix::unistd::geteuid;
use skyload::ids::ProcessIdentity;
use skyload::poll;
use xshell::{Shell, cmd};

use super::configs;
use super::layout::{FOLDERS, Layout};
use super::node::{self, Node};
use super::packages::Packages;
use super::record::Record;
use super::setup;
use crate::image::Image;
use crate::priority::NodePriority;
use crate::server_programs;
use crate::site::{SERVER_PATCHES, SERVER_PATCHES_FILE};
use crate::supervisor::{self, Daemon, NodesOptions, Readiness};

/// Time limit for a start, which takes 2 s on an idle machine.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Script that sshd runs first in each session on a node.
const SSH_RC: &str = include_str!("site/ssh-rc.sh");

/// Creates the cluster's folder with configuration files, keys, scripts and patches.
pub(super) fn provision(
    record: &Record,
    packages: &Packages,
    image: &Image,
    node: &Node,
) -> Result<()> {
    let layout = record.layout();
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
    write(&layout.slurm_conf(), &configs::slurm_conf(&layout, packages, &record.ports, host))?;
    write(&layout.sshd_config(), &configs::sshd_config(&layout, &record.ports, &node.variables))?;
    for name in [".bash_profile", ".bashrc"] {
        write(&layout.home().join(name), &configs::shell_profile(&node::path(packages)))?;
    }
    let session = SSH_RC.replace("@NICE@", record.priority.nice());
    write(&layout.home().join(".ssh/rc"), &session)?;
    // The first line of the file is the port that `skyload_node.py` begins after.
    write(&layout.skylet_ports(), &format!("{}\n", record.ports.skylets))?;
    write(&layout.task_prolog(), &configs::task_prolog(&layout, image, record.priority))?;
    fs::set_permissions(layout.task_prolog(), Permissions::from_mode(0o755))
        .context("making the task prolog executable")?;
    write_key(&layout.munge_key())?;
    make_ssh_key(packages, &layout.host_key())?;

    // Files of the API server, which nodes must not read or change.
    for folder in [layout.at("client"), layout.server_programs(), layout.server_site()] {
        make_folder(&folder, 0o700).with_context(creating)?;
    }
    make_ssh_key(packages, &layout.client_key())?;
    fs::copy(layout.client_key().with_extension("pub"), layout.home().join(".ssh/authorized_keys"))
        .context("authorizing the API server's key")?;
    write(&layout.server_site().join(SERVER_PATCHES_FILE), SERVER_PATCHES)?;
    if setup::needs_wrappers(packages)? {
        server_programs::write(&layout.server_programs(), &packages.unpacked())?;
    }
    if geteuid().is_root() {
        // Root keeps the folder itself: its owner could replace `client`, from which root runs
        // programs.
        for entry in fs::read_dir(layout.folder()).context("listing the nodes' files")? {
            let path = entry.context("listing the nodes' files")?.path();
            if path != layout.at("client") {
                chown_all(record, &path)?;
            }
        }
    }
    Ok(())
}

/// Creates a folder with the mode `mode`, regardless of the umask.
fn make_folder(path: &Path, mode: u32) -> io::Result<()> {
    // Restrictive first, so that the folder never has more permissions than `mode`.
    DirBuilder::new().mode(0o700).create(path)?;
    fs::set_permissions(path, Permissions::from_mode(mode))
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
        command = command.env("LD_LIBRARY_PATH", node::libraries(packages));
    }
    command.run().context("creating an ssh key")
}

/// Daemons of the one node, in the order in which they are started.
fn daemons(packages: &Packages, layout: &Layout, priority: NodePriority) -> Result<Vec<Daemon>> {
    let daemon = |name: &str, args: &[String]| -> Result<Daemon> {
        let daemon = Daemon::new(name, packages.program(name)?, layout.log(name));
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

/// Starts the supervisor: this program with the command [`supervisor::COMMAND`].
pub(super) fn start(
    workspace: &Workspace,
    record: &Record,
    packages: &Packages,
    node: &Node,
) -> Result<Child> {
    let layout = record.layout();
    let options = NodesOptions {
        id: record.id.clone(),
        owner: record.owner,
        account: record.account,
        variables: node.variables.clone(),
        daemons: daemons(packages, &layout, record.priority)?,
        figures: layout.figures(),
        members: layout.members(),
        folder: Some(record.folder.clone()),
        record: Some(Record::file(workspace)),
    };
    let log = File::create(layout.log("supervisor")).context("creating the supervisor's log")?;
    // No guard owns the supervisor: a persistent cluster outlives this process.
    Command::new(own_program()?)
        .arg(supervisor::COMMAND)
        .arg(serde_json::to_string(&options).context("writing the supervisor's options")?)
        // Cleanup finds a supervisor by this even if it is in no record yet.
        .env(skyload::env::NODES_OF, &record.id)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("sharing the supervisor's log")?)
        .stderr(log)
        .spawn()
        .context("starting the nodes' supervisor")
}

/// Waits until the node is idle in Slurm and the ssh server accepts connections.
pub(super) fn wait_until_ready(
    record: &Record,
    node: &Node,
    supervisor: &mut Child,
    signals: &Signals,
) -> Result<()> {
    let mut last = String::new();
    let ready = poll::during(READY_WITHIN, Duration::from_millis(100), || {
        signals.check()?;
        last = match node.read("sinfo", &["-h", "-o", "%t"]) {
            // Slurm's node is ready; the login node's sshd may still be starting.
            // Slurm writes `idle*` while slurmd does not respond.
            Ok(state) if state.trim() == "idle" => {
                match TcpStream::connect((Ipv4Addr::LOCALHOST, record.ports.ssh)) {
                    Ok(_) => return Ok(Some(())),
                    Err(error) => format!("ssh: {error}"),
                }
            }
            Ok(state) => format!("the node's state is `{}`", state.trim()),
            Err(error) => format!("{error:#}"),
        };
        if let Ok(Some(status)) = supervisor.try_wait() {
            bail!(
                "the nodes' supervisor exited during startup ({status}); last log lines:\n{}",
                logs(&record.layout())
            );
        }
        Ok(None)
    })?;
    ready.with_context(|| {
        format!(
            "nodes not ready after {} s; last state: {last}; last log lines:\n{}",
            READY_WITHIN.as_secs(),
            logs(&record.layout())
        )
    })
}

/// Last lines of all logs, with a hint.
fn logs(layout: &Layout) -> String {
    const LINES: usize = 6;
    let mut text = String::new();
    for name in ["supervisor", "munged", "slurmctld", "slurmd", "sshd"] {
        let log = fs::read(layout.log(name)).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        for line in &lines[lines.len().saturating_sub(LINES)..] {
            text.push_str(&format!("    {name}: {line}\n"));
        }
    }
    text + "  hint: look at the lines of the daemon that exited first"
}

/// Pid and start time of the supervisor.
pub(super) fn identity(supervisor: &Child) -> Option<ProcessIdentity> {
    ProcessIdentity::of(supervisor.id())
}
