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

/// Modifications for emulated AWS, next to the one of [`NodePriority`] and to those of every
/// local infra.
const MODIFICATIONS: [&str; 5] = [
    "AWS: the API is emulated by moto on loopback (`AWS_ENDPOINT_URL`)",
    "AWS: the account has a way to the internet, SkyPilot's security group and its role already",
    "AWS: nodes are namespaces of this machine, reached by `aws.ssh_proxy_command`",
    "AWS: SkyPilot's catalogs are in the server's home already, not downloaded by the server",
    "nodes: SkyPilot's runtime is prebuilt, not installed from the internet",
];

/// Key of AWS's own examples, which belongs to no account.
const CREDENTIALS: &str = "[default]
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
";

/// Parts of emulated AWS that an API server uses.
pub(crate) struct ServerParts<'a> {
    /// Address of AWS's API.
    pub(crate) api: SocketAddr,
    /// ssh's ProxyCommand by which the server reaches nodes.
    pub(crate) proxy_command: &'a str,
    pub(crate) catalog: &'a Catalog,
    /// Folder with the content of the API server's `~/.sky/wheels`.
    pub(crate) wheels: PathBuf,
    /// Folder with the patches of the API server.
    pub(crate) site: PathBuf,
    /// CPU priority of nodes.
    pub(crate) priority: NodePriority,
}

/// Settings of an API server that launches on emulated AWS.
pub(crate) fn server_setup(parts: ServerParts<'_>) -> ServerSetup {
    let ServerParts { api, proxy_command, catalog, wheels, site, priority } = parts;
    let modifications = [priority.modification()].into_iter().chain(MODIFICATIONS);
    let infra = LocalInfra::EmulatedAws.infra().to_owned();
    let mut setup = ServerSetup {
        config: json!({ "aws": { "ssh_proxy_command": proxy_command } }),
        variables: vec![
            ("AWS_ENDPOINT_URL".to_owned(), endpoint(api)),
            ("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned()),
        ],
        home_files: vec![
            home_file(".aws/credentials", CREDENTIALS.to_owned()),
            home_file(".aws/config", format!("[default]\nregion = {}\n", REGIONS[0])),
        ],
        catalog: Some(catalog.facts.clone()),
        ..ServerSetup::new(infra, site, modifications).with_wheels(wheels)
    };
    setup.home_folders.push(catalog.home_folder());
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
        let setup = server_setup(ServerParts {
            api: "127.0.0.1:23001".parse().unwrap(),
            proxy_command: "'/x y' %h",
            catalog: &catalog,
            wheels: "/wheels".into(),
            site: "/site".into(),
            priority: NodePriority::Idle,
        });
        let endpoint = ("AWS_ENDPOINT_URL".to_owned(), "http://127.0.0.1:23001".to_owned());
        assert!(setup.variables().contains(&endpoint));
        assert!(setup.config().starts_with("aws:\n  ssh_proxy_command: \"'/x y' %h\"\n"));
        let secret = setup.home_files.iter().find(|file| file.path.ends_with("credentials"));
        assert!(secret.is_some_and(|file| file.content.contains("EXAMPLE") && file.mode == 0o600));
    }
}
