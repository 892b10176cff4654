//! Content of the configuration files and scripts of the daemons, node sessions and API server.

use std::path::Path;

use serde_json::{Value, json};

use super::addresses::has_ipv4_besides_loopback;
use super::layout::Layout;
use super::packages::Packages;
use super::ports::SlurmPorts;
use crate::account::USER;
use crate::image::Image;
use crate::priority::NodePriority;

/// Host alias in `~/.slurm/config`, which SkyPilot takes for the name of the Slurm cluster and
/// for its region.
pub(super) const CLUSTER: &str = "loop";

/// CPUs of the node in Slurm, more than it has: launches must not wait for free resources, since
/// the load is on the API server. A cluster that finds none for 2 minutes fails, and clusters of a
/// burst stay until its end. `sinfo` writes 1,024 as `1K`, which SkyPilot takes for no number.
const NODE_CPUS: u32 = 1000;
/// Memory of the node in Slurm, in MiB, more than it has like [`NODE_CPUS`].
const NODE_MEMORY_MIB: u32 = 2_097_152;

const TASK_PROLOG: &str = include_str!("site/task-prolog.sh");

/// Content of `slurm.conf`: all daemons listen on loopback, and jobs are scheduled immediately.
pub(super) fn slurm_conf(
    layout: &Layout,
    packages: &Packages,
    ports: &SlurmPorts,
    host: &str,
) -> String {
    // `NoInAddrAny` and `NoCtldInAddrAny` bind the daemons to their addresses instead of all.
    // `config_overrides` accepts a node with fewer CPUs than configured. `linuxproc` and
    // `task/none` work without cgroups.
    // With both families, Slurm does not ask for IPv4 addresses only.
    let families = if has_ipv4_besides_loopback() { "" } else { ",EnableIPv6" };
    let plugins = packages.plugins.as_ref();
    let plugins = plugins.map(|folder| format!("PluginDir={}\n", folder.display()));
    format!(
        "ClusterName={CLUSTER}
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny{families}
SlurmUser={USER}
SlurmdUser={USER}
AuthType=auth/munge
CredType=cred/munge
{plugins}AuthInfo=socket={munge}
StateSaveLocation={folder}/slurmctld
SlurmdSpoolDir={folder}/slurmd
SlurmctldPidFile={folder}/pid/slurmctld
SlurmdPidFile={folder}/pid/slurmd-%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,bf_interval=5,max_rpc_cnt=0
ReturnToService=2
MinJobAge=300
KillWait=5
InactiveLimit=0
SlurmctldTimeout=300
SlurmdTimeout=300
TaskProlog={prolog}
NodeName=localhost NodeHostname={host} NodeAddr=127.0.0.1 Port={node} CPUs={NODE_CPUS} \
         RealMemory={NODE_MEMORY_MIB} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=1-00:00:00 DefaultTime=1-00:00:00 \
         OverSubscribe=NO State=UP
",
        controller = ports.slurmctld,
        node = ports.slurmd,
        plugins = plugins.unwrap_or_default(),
        munge = layout.munge_socket().display(),
        folder = layout.folder().display(),
        prolog = layout.task_prolog().display(),
    )
}

/// Content of `sshd_config` of the login node. Sessions get the environment `variables`.
pub(super) fn sshd_config(
    layout: &Layout,
    ports: &SlurmPorts,
    variables: &[(String, String)],
) -> String {
    // sshd's defaults of 10 sessions and 10 starting connections are too few for a load.
    // All variables in one line: sshd ignores further lines with `SetEnv`.
    let variables: Vec<String> =
        variables.iter().map(|(name, value)| format!("\"{name}={value}\"")).collect();
    format!(
        "ListenAddress 127.0.0.1:{port}
HostKey {host_key}
PidFile {folder}/pid/sshd
AuthorizedKeysFile {home}/.ssh/authorized_keys
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
AllowUsers {USER}
MaxSessions 1000
MaxStartups 1000
PrintMotd no
Subsystem sftp internal-sftp
SetEnv {variables}
",
        port = ports.ssh,
        host_key = layout.host_key().display(),
        folder = layout.folder().display(),
        home = layout.home().display(),
        variables = variables.join(" "),
    )
}

/// Content of `.bash_profile` and `.bashrc`, which set PATH.
pub(super) fn shell_profile(path: &str) -> String {
    // sshd sets PATH too, but login shells read `/etc/profile` first, which replaces it.
    format!("export PATH='{path}'\n")
}

/// Content of `/etc/hosts` for node processes. SkyPilot's task runner looks up both names.
pub(super) fn hosts(host: &str) -> String {
    format!("127.0.0.1 localhost {host}\n")
}

/// Content of Slurm's task prolog, which links the node image to the paths where SkyPilot looks
/// for installed files.
pub(super) fn task_prolog(layout: &Layout, image: &Image, priority: NodePriority) -> String {
    let path = |path: &Path| path.display().to_string();
    TASK_PROLOG
        .replace("@HOME@", &path(&layout.home()))
        .replace("@TMP@", &path(&layout.at("tmp")))
        .replace("@IMAGE@", &path(&image.folder))
        .replace("@HASH@", &image.hash)
        .replace("@NICE@", priority.nice())
}

/// Content of the API server's `~/.slurm/config`.
pub(super) fn slurm_hosts(layout: &Layout, ports: &SlurmPorts) -> String {
    format!(
        "Host {CLUSTER}
  HostName 127.0.0.1
  Port {}
  User {USER}
  IdentityFile {}
  IdentitiesOnly yes
",
        ports.ssh,
        layout.client_key().display(),
    )
}

/// Slurm's part of the API server's `~/.sky/config.yaml`.
pub(super) fn sky_config(layout: &Layout) -> Value {
    let cluster = json!({ "tmpdir": layout.at("tmp").display().to_string() });
    json!({ "slurm": { "cluster_configs": { CLUSTER: cluster } } })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORTS: SlurmPorts =
        SlurmPorts { ssh: 23_001, slurmctld: 23_002, slurmd: 23_003, skylets: 24_000 };

    fn layout() -> Layout {
        Layout::new("/state/nodes-1".into())
    }

    fn packages(plugins: Option<&str>) -> Packages {
        Packages::for_tests(plugins.map(Into::into))
    }

    #[test]
    fn slurm_listens_on_loopback_on_the_chosen_ports() {
        let conf = slurm_conf(&layout(), &packages(None), &PORTS, "host");
        for line in [
            "SlurmctldHost=host(127.0.0.1)",
            "SlurmctldPort=23002",
            "CommunicationParameters=NoInAddrAny,NoCtldInAddrAny",
            "AuthInfo=socket=/state/nodes-1/munge/socket",
        ] {
            assert!(conf.lines().any(|it| it == line), "{line} is not in\n{conf}");
        }
        let node = "NodeName=localhost NodeHostname=host NodeAddr=127.0.0.1 Port=23003 CPUs=";
        assert!(conf.contains(node), "{conf}");
        assert!(!conf.contains("PluginDir"));
    }

    #[test]
    fn the_node_holds_the_clusters_of_a_large_burst() {
        let conf = slurm_conf(&layout(), &packages(None), &PORTS, "host");
        let value = |key: &str| -> u32 {
            let word = conf.split_whitespace().find_map(|word| word.strip_prefix(key));
            word.unwrap().parse().unwrap()
        };
        // A cluster has the 2 CPUs that scenarios ask for, and SkyPilot's 1 GiB for each.
        let clusters = 500;
        assert!(value("CPUs=") >= clusters * 2, "{conf}");
        assert!(value("CPUs=") < 1024, "SkyPilot reads the number that sinfo writes, not `1K`");
        assert!(value("RealMemory=") >= clusters * 2048, "{conf}");
    }

    #[test]
    fn the_folder_of_unpacked_plugins_is_configured() {
        let conf = slurm_conf(&layout(), &packages(Some("/p/slurm-wlm")), &PORTS, "host");
        assert!(conf.contains("\nPluginDir=/p/slurm-wlm\n"), "{conf}");
    }

    #[test]
    fn sessions_get_the_nodes_variables() {
        let variables = [("PATH".to_owned(), "/a:/b".to_owned()), ("X".into(), "y".into())];
        let config = sshd_config(&layout(), &PORTS, &variables);
        assert!(config.contains("\nSetEnv \"PATH=/a:/b\" \"X=y\"\n"), "{config}");
        assert!(config.starts_with("ListenAddress 127.0.0.1:23001\n"), "{config}");
    }

    #[test]
    fn the_task_prolog_has_no_placeholder_left() {
        let image = Image { folder: "/images/1".into(), hash: "ab12".into() };
        let prolog = task_prolog(&layout(), &image, NodePriority::Idle);
        assert!(!prolog.contains('@'), "{prolog}");
        assert!(prolog.contains("ln -sfn \"/images/1/uv\""), "{prolog}");
    }
}
