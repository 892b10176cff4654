//! Settings of an API server for emulated Kubernetes.

use std::net::SocketAddr;

use anyhow::Result;
use skyload::infrastructure::LocalInfra;

use crate::aws::nodes::NodePackages;
use crate::catalog::Catalog;
use crate::client::{self, ClientFiles};
use crate::setup::{HomeFile, ServerSetup};

/// Programs that SkyPilot requires for Kubernetes, and starts only to forward ports to pods.
const PROGRAMS: [&str; 3] = ["socat", "nc", "kubectl"];

/// Stand-in for a program of [`PROGRAMS`]: answers the questions for its version and help.
const STAND_IN: &str = "#!/bin/sh
case \"$*\" in
-V | -h | version*) echo 'stand-in: emulated Kubernetes has no pods to connect to' ;;
*) echo 'emulated Kubernetes has no pods to connect to' >&2; exit 1 ;;
esac
";

/// Modifications for emulated Kubernetes, next to those of every local infra.
const MODIFICATIONS: [&str; 2] = [
    "Kubernetes: the API is emulated on loopback, with lists that do not change; nothing can be \
     launched",
    "Kubernetes: SkyPilot's catalogs are in the server's home already, not downloaded by the server",
];

const STAND_INS: &str = "Kubernetes: socat, nc and kubectl are stand-ins, as far as this machine \
                         lacks them";

/// Settings of an API server that has emulated Kubernetes, whose API is at `api`.
pub(super) fn server_setup(
    api: SocketAddr,
    client: &ClientFiles,
    catalog: &Catalog,
    packages: &NodePackages,
) -> Result<ServerSetup> {
    let infra = LocalInfra::EmulatedKubernetes.infra().to_owned();
    let needs_stand_ins = !client::missing(&PROGRAMS)?.is_empty();
    let modifications = MODIFICATIONS.into_iter().chain(needs_stand_ins.then_some(STAND_INS));
    let mut setup = ServerSetup {
        home_files: vec![HomeFile {
            path: ".kube/config".into(),
            content: kubeconfig(api),
            mode: 0o600,
        }],
        catalog: Some(catalog.facts.clone()),
        ..ServerSetup::new(infra, client.site(), modifications)
    };
    setup.home_folders.push(catalog.home_folder());
    if needs_stand_ins || !packages.missing_programs()?.is_empty() {
        setup.programs.push(client.programs());
    }
    Ok(setup)
}

/// Adds stand-ins for the programs that this machine lacks.
pub(super) fn add_programs(client: &ClientFiles) -> Result<()> {
    client::missing(&PROGRAMS)?.into_iter().try_for_each(|name| client.add_program(name, STAND_IN))
}

/// Context of the cluster, part of [`LocalInfra::infra`].
const CONTEXT: &str = "skyload-emulated";

fn kubeconfig(api: SocketAddr) -> String {
    format!(
        "apiVersion: v1
kind: Config
current-context: {CONTEXT}
clusters:
- name: {CONTEXT}
  cluster:
    server: http://{api}
contexts:
- name: {CONTEXT}
  context:
    cluster: {CONTEXT}
    user: {CONTEXT}
users:
- name: {CONTEXT}
  user: {{}}
"
    )
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn stand_ins_answer_questions_for_their_version_and_fail_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        let client = ClientFiles::of(folder.path());
        client.create().unwrap();
        client.add_program("nc", STAND_IN).unwrap();
        let run = |args: &[&str]| {
            let status = Command::new(client.programs().join("nc")).args(args).output().unwrap();
            status.status.code()
        };
        assert_eq!(run(&["-h"]), Some(0));
        assert_eq!(run(&["version", "--client"]), Some(0));
        assert_eq!(run(&["-z", "10.0.0.1", "22"]), Some(1));
    }

    #[test]
    fn the_server_is_led_to_the_api_on_loopback() {
        let config = kubeconfig("127.0.0.1:23001".parse().unwrap());
        assert!(config.contains("server: http://127.0.0.1:23001\n"));
        let infra = LocalInfra::EmulatedKubernetes.infra();
        assert_eq!(infra.split_once('/'), Some(("kubernetes", CONTEXT)));
    }
}
