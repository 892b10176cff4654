//! Settings of an API server that launches on emulated AWS.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::json;
use skyload::infrastructure::LocalInfra;

use super::account::REGIONS;
use super::moto::endpoint;
use crate::catalog::Catalog;
use crate::priority::NodePriority;
use crate::setup::{HomeFile, ServerSetup};

/// Modifications for emulated AWS, next to those of every local infra.
const MODIFICATIONS: [&str; 3] = [
    "AWS: the API is emulated by moto on loopback (`AWS_ENDPOINT_URL`), in one region",
    "AWS: the account has a way to the internet, SkyPilot's security group and its role already",
    "AWS: SkyPilot's catalogs are in the server's home already, not downloaded by the server",
];

/// Modifications for nodes of emulated AWS, next to the one of [`NodePriority`].
const NODE_MODIFICATIONS: [&str; 2] = [
    "AWS: nodes are namespaces of this machine, reached by `aws.ssh_proxy_command`",
    "nodes: SkyPilot's runtime is prebuilt, not installed from the internet",
];

/// Key of AWS's own examples, which belongs to no account.
const CREDENTIALS: &str = "[default]
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
";

/// Nodes of emulated AWS, as an API server uses them.
pub(crate) struct ServerNodes {
    /// ssh's ProxyCommand by which the server reaches nodes.
    pub(crate) proxy_command: String,
    /// Folder with the content of the API server's `~/.sky/wheels`.
    pub(crate) wheels: PathBuf,
    /// CPU priority of nodes.
    pub(crate) priority: NodePriority,
}

/// Settings of an API server for emulated AWS, whose API is at `api`. `site` has the patches of
/// the API server; without `nodes`, the server can plan and not launch.
pub(crate) fn server_setup(
    api: SocketAddr,
    catalog: &Catalog,
    site: PathBuf,
    nodes: Option<ServerNodes>,
) -> ServerSetup {
    let infra = LocalInfra::EmulatedAws.infra().to_owned();
    let of_nodes = nodes
        .iter()
        .flat_map(|nodes| [nodes.priority.modification()].into_iter().chain(NODE_MODIFICATIONS));
    let modifications: Vec<&str> = MODIFICATIONS.into_iter().chain(of_nodes).collect();
    let mut setup = ServerSetup {
        variables: vec![
            ("AWS_ENDPOINT_URL".to_owned(), endpoint(api)),
            ("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned()),
        ],
        home_files: vec![
            home_file(".aws/credentials", CREDENTIALS.to_owned()),
            home_file(".aws/config", format!("[default]\nregion = {}\n", REGIONS[0])),
        ],
        catalog: Some(catalog.facts.clone()),
        ..ServerSetup::new(infra, site, modifications)
    };
    setup.home_folders.push(catalog.home_folder());
    if let Some(ServerNodes { proxy_command, wheels, .. }) = nodes {
        setup.config = json!({ "aws": { "ssh_proxy_command": proxy_command } });
        setup = setup.with_wheels(wheels);
    }
    setup
}

fn home_file(path: &str, content: String) -> HomeFile {
    HomeFile { path: path.into(), content, mode: 0o600 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_reaches_the_api_on_loopback_with_credentials_of_no_account() {
        let catalog = Catalog::for_tests();
        let nodes = ServerNodes {
            proxy_command: "'/x y' %h".to_owned(),
            wheels: "/wheels".into(),
            priority: NodePriority::Idle,
        };
        let api = "127.0.0.1:23001".parse().unwrap();
        let setup = server_setup(api, &catalog, "/site".into(), Some(nodes));
        let endpoint = ("AWS_ENDPOINT_URL".to_owned(), "http://127.0.0.1:23001".to_owned());
        assert!(setup.variables().contains(&endpoint));
        assert!(setup.config().starts_with("aws:\n  ssh_proxy_command: \"'/x y' %h\"\n"));
        let secret = setup.home_files.iter().find(|file| file.path.ends_with("credentials"));
        assert!(secret.is_some_and(|file| file.content.contains("EXAMPLE") && file.mode == 0o600));
    }

    #[test]
    fn a_server_without_nodes_has_no_way_to_them() {
        let api = "127.0.0.1:23001".parse().unwrap();
        let setup = server_setup(api, &Catalog::for_tests(), "/site".into(), None);
        assert!(!setup.config().contains("ssh_proxy_command"));
        assert!(setup.modifications.iter().all(|it| !it.contains("nodes")));
    }
}
