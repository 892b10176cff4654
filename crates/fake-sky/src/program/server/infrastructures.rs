//! Names of SkyPilot's infras.

/// Infras of SkyPilot, in its spelling.
pub(crate) const INFRASTRUCTURES: [&str; 25] = [
    "AWS",
    "Azure",
    "Cudo",
    "DO",
    "Fluidstack",
    "GCP",
    "Hyperbolic",
    "IBM",
    "Kubernetes",
    "Lambda",
    "Mithril",
    "Nebius",
    "OCI",
    "Paperspace",
    "PrimeIntellect",
    "RunPod",
    "SCP",
    "SSH",
    "Seeweb",
    "Shadeform",
    "Slurm",
    "Vast",
    "Verda",
    "Yotta",
    "vSphere",
];

/// SkyPilot's spelling of an infra, from a name in any case or `k8s`.
pub(crate) fn infrastructure(name: &str) -> Option<&'static str> {
    let name = if name.eq_ignore_ascii_case("k8s") { "kubernetes" } else { name };
    INFRASTRUCTURES.into_iter().find(|known| known.eq_ignore_ascii_case(name))
}
