//! Infra of a run: where clusters, jobs and services are launched.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Infra that a plan launches on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Infrastructure {
    /// Empty infra: only scenarios that launch nothing can run.
    None,
    /// Loopback Slurm cluster, which skyload starts on this machine.
    Loopback,
    /// Infras of the user, as values of SkyPilot's `--infra`.
    Clouds(Vec<String>),
}

/// Value of SkyPilot's `--infra` for the loopback Slurm cluster.
pub const LOOPBACK: &str = "slurm/loop";

impl Infrastructure {
    /// Values of SkyPilot's `--infra`.
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::None => Vec::new(),
            Self::Loopback => vec![LOOPBACK.to_owned()],
            Self::Clouds(names) => names.clone(),
        }
    }

    /// Number of infras.
    pub fn count(&self) -> u32 {
        match self {
            Self::None => 0,
            Self::Loopback => 1,
            Self::Clouds(names) => u32::try_from(names.len()).unwrap_or(u32::MAX),
        }
    }
}

/// Values for the first part of `--infra` in SkyPilot 0.14.1.
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
