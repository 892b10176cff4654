//! Infra of a run: where clusters, jobs and services are launched.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Infra that a plan launches on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Infrastructure {
    /// Empty infra: only scenarios that launch nothing can run.
    None,
    /// Infras that skyload starts on this machine; at least one.
    Local(BTreeSet<LocalInfra>),
    /// Infras of the user, as values of SkyPilot's `--infra`.
    Clouds(Vec<String>),
}

/// Infra that skyload starts on this machine.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum LocalInfra {
    /// Loopback Slurm cluster.
    Loopback,
    /// Emulated AWS: AWS's API on loopback, with nodes in namespaces of this machine.
    EmulatedAws,
    /// Emulated Kubernetes: the lists of a cluster on loopback. Nothing can be launched.
    EmulatedKubernetes,
}

/// Cloud of an infra: the first part of a value of SkyPilot's `--infra`.
pub fn cloud_of(infra: &str) -> &str {
    infra.split('/').next().unwrap_or_default()
}

/// Whether executors load a cloud's client libraries for an infra. SkyPilot's own kinds of machines
/// have none: their commands run by ssh.
pub fn has_cloud_libraries(infra: &str) -> bool {
    !matches!(cloud_of(infra), "slurm" | "ssh")
}

/// Whether clusters can be launched on an infra.
pub fn can_launch(infra: &str) -> bool {
    LocalInfra::with_infra(infra) != Some(LocalInfra::EmulatedKubernetes)
}

/// Whether clusters on an infra can be stopped and started again. Source: `sky/clouds/*.py` of
/// SkyPilot 0.14.1, `CloudImplementationFeatures.STOP`. Exceptions for single kinds of instances,
/// such as spot instances, are left out.
pub fn can_stop(infra: &str) -> bool {
    const CANNOT: [&str; 13] = [
        "cudo",
        "fluidstack",
        "hyperbolic",
        "kubernetes",
        "k8s",
        "lambda",
        "primeintellect",
        "runpod",
        "shadeform",
        "slurm",
        "ssh",
        "verda",
        "yotta",
    ];
    !CANNOT.contains(&cloud_of(infra))
}

/// Value of SkyPilot's `--infra` for the loopback Slurm cluster.
pub const LOOPBACK: &str = "slurm/loop";

impl LocalInfra {
    /// Every local infra.
    pub const ALL: [Self; 3] = [Self::Loopback, Self::EmulatedAws, Self::EmulatedKubernetes];

    /// Argument of `-c`.
    pub const fn argument(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::EmulatedAws => "emulated-aws",
            Self::EmulatedKubernetes => "emulated-kubernetes",
        }
    }

    /// Name in sentences.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loopback => "the loopback Slurm cluster",
            Self::EmulatedAws => "emulated AWS",
            Self::EmulatedKubernetes => "emulated Kubernetes",
        }
    }

    /// Value of SkyPilot's `--infra`.
    pub const fn infra(self) -> &'static str {
        match self {
            Self::Loopback => LOOPBACK,
            // One region: its zones are asked for at the first launch, those of the others by
            // `sky check` alone.
            Self::EmulatedAws => "aws/us-east-1",
            // With its context, since clusters can be launched on a real one.
            Self::EmulatedKubernetes => "kubernetes/skyload-emulated",
        }
    }

    /// Infra with this argument of `-c`.
    pub fn with_argument(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|infra| infra.argument() == text)
    }

    /// Whether clusters can be launched on the infra.
    pub fn can_launch(self) -> bool {
        can_launch(self.infra())
    }

    /// Local infra with this value of SkyPilot's `--infra`.
    pub fn with_infra(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|infra| infra.infra() == name)
    }

    /// Whether executors load a cloud's client libraries for the infra.
    pub fn has_cloud_libraries(self) -> bool {
        has_cloud_libraries(self.infra())
    }
}

/// Size of emulated Kubernetes. Executors parse the lists of its nodes and pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KubernetesSize {
    /// Number of nodes, at least 1.
    pub nodes: u32,
    /// Number of pods, spread evenly over the nodes.
    pub pods: u32,
}

impl Default for KubernetesSize {
    fn default() -> Self {
        Self { nodes: 100, pods: 1_000 }
    }
}

/// Form of `--kubernetes-size`: `100x1000`.
impl fmt::Display for KubernetesSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.nodes, self.pods)
    }
}

/// Reads `100x1000`. The limits are those of Kubernetes itself.
/// Source: <https://kubernetes.io/docs/setup/best-practices/cluster-large/>.
impl FromStr for KubernetesSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let size = text.split_once('x').and_then(|(nodes, pods)| {
            Some(Self { nodes: nodes.parse().ok()?, pods: pods.parse().ok()? })
        });
        size.filter(|size| (1..=5_000).contains(&size.nodes) && size.pods <= 150_000).ok_or_else(
            || {
                format!(
                    "expected NODESxPODS such as {}, with 1 to 5000 nodes and at most 150000 pods, \
                     got `{text}`",
                    Self::default()
                )
            },
        )
    }
}

impl Infrastructure {
    /// Single local infra.
    pub fn local(infra: LocalInfra) -> Self {
        Self::Local(BTreeSet::from([infra]))
    }

    /// Values of SkyPilot's `--infra`.
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::None => Vec::new(),
            Self::Local(infras) => infras.iter().map(|infra| infra.infra().to_owned()).collect(),
            Self::Clouds(names) => names.clone(),
        }
    }

    /// Number of infras.
    pub fn count(&self) -> u32 {
        let count = match self {
            Self::None => 0,
            Self::Local(infras) => infras.len(),
            Self::Clouds(names) => names.len(),
        };
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Infras on this machine; empty if there are none.
    pub fn locals(&self) -> impl Iterator<Item = LocalInfra> + Clone {
        let infras = match self {
            Self::Local(infras) => Some(infras),
            Self::None | Self::Clouds(_) => None,
        };
        infras.into_iter().flatten().copied()
    }

    /// Whether the infra is on this machine, so that its nodes take CPU and memory here.
    pub const fn is_local(&self) -> bool {
        matches!(self, Self::Local(_))
    }

    /// Whether `infra` is used.
    pub fn uses(&self, infra: LocalInfra) -> bool {
        self.locals().any(|used| used == infra)
    }

    /// Whether executors have a cloud's client libraries and catalog in memory.
    pub fn has_cloud_libraries(&self) -> bool {
        match self {
            Self::None => false,
            Self::Local(infras) => infras.iter().any(|infra| infra.has_cloud_libraries()),
            Self::Clouds(names) => names.iter().any(|name| has_cloud_libraries(name)),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_kubernetes_are_read_as_they_are_written() {
        let size = KubernetesSize { nodes: 20, pods: 300 };
        assert_eq!("20x300".parse(), Ok(size));
        assert_eq!(size.to_string(), "20x300");
        for wrong in ["", "20", "0x10", "10x", "x10", "6000x1", "1x200000", "-1x5", "20X300"] {
            let error = wrong.parse::<KubernetesSize>().unwrap_err();
            assert!(error.contains("such as 100x1000") && error.contains(wrong), "{error}");
        }
    }
}
