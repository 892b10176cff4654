//! What clusters, jobs and services of a run are launched on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a plan launches on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Infrastructure {
    /// Nothing: only scenarios that need no infrastructure can run.
    None,
    /// Slurm on this machine, on its loopback interface, brought up by skyload.
    Loopback,
    /// Infrastructures of the user's own, in the words of SkyPilot's `--infra`.
    Clouds(Vec<String>),
}

/// What SkyPilot calls the loopback infrastructure: its Slurm cluster `loop`.
pub const LOOPBACK: &str = "slurm/loop";

impl Infrastructure {
    /// What SkyPilot calls them.
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::None => Vec::new(),
            Self::Loopback => vec![LOOPBACK.to_owned()],
            Self::Clouds(names) => names.clone(),
        }
    }

    /// How many there are.
    pub fn count(&self) -> u32 {
        match self {
            Self::None => 0,
            Self::Loopback => 1,
            Self::Clouds(names) => u32::try_from(names.len()).unwrap_or(u32::MAX),
        }
    }
}

/// What SkyPilot 0.14.1 takes as the first part of `--infra`.
/// Source: `sky/clouds/*.py`, the names in `CLOUD_REGISTRY`, and `k8s`.
pub const CLOUDS: [&str; 27] = [
    "aws",
    "azure",
    "cudo",
    "digitalocean",
    "do",
    "fluidstack",
    "gcp",
    "hyperbolic",
    "ibm",
    "k8s",
    "kubernetes",
    "lambda",
    "mithril",
    "nebius",
    "oci",
    "paperspace",
    "primeintellect",
    "runpod",
    "scp",
    "seeweb",
    "shadeform",
    "slurm",
    "ssh",
    "vast",
    "verda",
    "vsphere",
    "yotta",
];
