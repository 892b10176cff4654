//! Emulated Kubernetes: a cluster's API on loopback that answers SkyPilot's control plane.
//!
//! SkyPilot's real client reads real lists, so executors have its libraries and the lists in
//! memory. There are no nodes: nothing can be launched.
//!
//! * [`objects`]: nodes and pods, as Kubernetes has them; [`list`]: lists of them as text.
//! * [`api`]: process that answers with them.
//! * [`setup`]: settings of an API server.

mod api;
mod list;
mod objects;
mod setup;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result, bail};
use host::workspace::own_program;
use skyload::infrastructure::{KubernetesSize, LocalInfra};

pub use api::{COMMAND, run};

use crate::account::Account;
use crate::aws::nodes::NodePackages;
use crate::base_dir::BaseDir;
use crate::catalog::Catalog;
use crate::client::{ClientFiles, make_folder};
use crate::ports::{InfraPorts, find_free_for_an_api};
use crate::record::Record;
use crate::running::Running;
use crate::start::Start;
use crate::supervisor::{Daemon, Readiness, Role};

/// Starts emulated Kubernetes, or reuses a persistent one. Downloads catalogs if missing.
pub(crate) fn start(start: Start<'_>) -> Result<Running> {
    let Start { workspace, sky, options, signals, progress } = start;
    let existing = start.existing(LocalInfra::EmulatedKubernetes)?;
    let catalog = Catalog::prepare(sky, &workspace.state, options.catalog.as_deref(), progress)?;
    let base_dir = BaseDir::of(workspace)?;
    let packages = NodePackages::for_server(&base_dir, &workspace.state, progress)?;
    if let Some(record) = existing {
        ensure_size(&record, options.kubernetes_size)?;
        let setup = setup::server_setup(
            api_of(&record)?,
            &ClientFiles::of(&record.folder),
            &catalog,
            &packages,
        );
        return Running::reused(workspace, record, setup?, None, progress);
    }
    let (size, port) = (options.kubernetes_size, find_free_for_an_api()?);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let ports = InfraPorts::EmulatedKubernetes { kubernetes_api: port, size };
    let record = start.new_record(&base_dir, ports, Account::own(), None);
    let step = progress.step(format!("Starting emulated Kubernetes on loopback ({size})"));
    let client = ClientFiles::of(&record.folder);
    let setup = setup::server_setup(address, &client, &catalog, &packages)?;
    // From here on, Drop tears down in case of an error.
    let mut running = Running::started(workspace, record, setup);
    running.record.write(workspace)?;
    let folder = &running.record.folder;
    let creating = || format!("creating `{}`", folder.display());
    make_folder(folder, 0o711).with_context(creating)?;
    fs::create_dir(folder.join("log")).with_context(creating)?;
    client.create()?;
    setup::add_programs(&client)?;
    packages.add_programs(&client)?;
    let daemon = Daemon {
        args: vec![COMMAND.to_owned(), port.to_string(), size.to_string()],
        ready: Readiness::Listens(address),
        role: Role::CloudApi,
        ..Daemon::new("kubernetes-api", own_program()?, running.record.log("kubernetes-api"))
    };
    let launched = running.launch(Vec::new(), vec![daemon])?;
    launched.wait_until_ready(signals, || running.record.daemons_state())?;
    step.done(format!("{}, API on port {port}", LocalInfra::EmulatedKubernetes.infra()));
    Ok(running)
}

/// Returns an error if the running emulation of `record` has another size than `wanted`.
fn ensure_size(record: &Record, wanted: KubernetesSize) -> Result<()> {
    match record.ports {
        InfraPorts::EmulatedKubernetes { size, .. } if size != wanted => bail!(
            "emulated Kubernetes is running with {size}, wanted {wanted}\n  hint: `cargo xtask \
             infra down`, or --kubernetes-size {size}"
        ),
        _ => Ok(()),
    }
}

/// Address of the API of the emulation of `record`.
fn api_of(record: &Record) -> Result<SocketAddr> {
    match record.ports {
        InfraPorts::EmulatedKubernetes { kubernetes_api, .. } => {
            Ok((Ipv4Addr::LOCALHOST, kubernetes_api).into())
        }
        _ => bail!("expected the record of emulated Kubernetes, got that of {}", record.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_emulation_of_another_size_is_not_used() {
        let size = KubernetesSize { nodes: 2, pods: 3 };
        let record = Record {
            ports: InfraPorts::EmulatedKubernetes { kubernetes_api: 1, size },
            ..Record::for_tests()
        };
        ensure_size(&record, size).unwrap();
        let error = ensure_size(&record, KubernetesSize::default()).unwrap_err().to_string();
        assert!(error.contains("running with 2x3, wanted 100x1000"), "{error}");
    }
}
