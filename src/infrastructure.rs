//! Infra of a run: where clusters, jobs and services are launched.

use std::collections::BTreeSet;

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
    pub const ALL: [Self; 2] = [Self::Loopback, Self::EmulatedAws];

    /// Argument of `-c`.
    pub const fn argument(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::EmulatedAws => "emulated-aws",
        }
    }

    /// Name in sentences.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loopback => "the loopback Slurm cluster",
            Self::EmulatedAws => "emulated AWS",
        }
    }

    /// Value of SkyPilot's `--infra`.
    pub const fn infra(self) -> &'static str {
        match self {
            Self::Loopback => LOOPBACK,
            // One region: its zones are asked for at the first launch, those of the others by
            // `sky check` alone.
            Self::EmulatedAws => "aws/us-east-1",
        }
    }

    /// Infra with this argument of `-c`.
    pub fn with_argument(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|infra| infra.argument() == text)
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
    pub fn locals(&self) -> impl Iterator<Item = LocalInfra> {
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
