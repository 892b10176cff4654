//! The names of variables that are passed on, for each kind of process.

use skyload::env;
use skyload::record::environment::MemorySettings;

use super::proxies;

/// Whom an environment is for.
#[derive(Clone, Copy, Debug)]
pub enum For<'a> {
    /// SkyPilot, where it needs no cloud: an isolated server, its clients, and whoever
    /// asks SkyPilot something.
    SkyPilot,
    /// An isolated server with copies of the user's credentials for these clouds, and
    /// whoever looks for them.
    ServerOn(&'a [String]),
    /// uv and pip.
    Installers,
}

/// Where programs are, who is at work, and in which language.
const ALL: [&str; 15] = [
    "HOME",
    "LANG",
    "LANGUAGE",
    "LD_LIBRARY_PATH",
    "LOGNAME",
    "PATH",
    // Which Python a shim of pyenv's stands for.
    "PYENV_ROOT",
    "PYENV_VERSION",
    "SHELL",
    "TEMP",
    "TERM",
    "TMP",
    "TMPDIR",
    "TZ",
    "USER",
];

/// The same, by how names begin: also our own marks and the settings of the stand-in for
/// SkyPilot, which nobody else reads.
const ALL_PREFIXES: [&str; 3] = ["LC_", "SKYLOAD_", "FAKE_SKY_"];

/// Whose certificates are trusted.
const CERTIFICATES: [&str; 5] =
    ["CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE", "SSL_CERTS_DIR"];

/// Where uv and pip get packages from, what they keep, and what they compile with. Where
/// packages are put is not theirs to decide.
const INSTALLERS: [&str; 43] = [
    "CC",
    "CFLAGS",
    "CXX",
    "CXXFLAGS",
    "LDFLAGS",
    "NETRC",
    "PIP_CACHE_DIR",
    "PIP_CERT",
    "PIP_CLIENT_CERT",
    "PIP_CONFIG_FILE",
    "PIP_DEFAULT_TIMEOUT",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_INDEX_URL",
    "PIP_KEYRING_PROVIDER",
    "PIP_NO_CACHE_DIR",
    "PIP_NO_INDEX",
    "PIP_PROXY",
    "PIP_RETRIES",
    "PIP_TIMEOUT",
    "PIP_TRUSTED_HOST",
    "PKG_CONFIG_PATH",
    "UV_ALLOW_INSECURE_HOST",
    "UV_CACHE_DIR",
    "UV_CONCURRENT_DOWNLOADS",
    "UV_CONCURRENT_INSTALLS",
    "UV_CONFIG_FILE",
    "UV_DEFAULT_INDEX",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_HTTP_RETRIES",
    "UV_HTTP_TIMEOUT",
    "UV_INDEX",
    "UV_INDEX_STRATEGY",
    "UV_INDEX_URL",
    "UV_INSECURE_HOST",
    "UV_KEYRING_PROVIDER",
    "UV_LINK_MODE",
    "UV_NATIVE_TLS",
    "UV_NO_CACHE",
    "UV_NO_CONFIG",
    "UV_OFFLINE",
    "UV_SYSTEM_CERTS",
];

/// The same, by how names begin: user and password of each named index, and caches.
const INSTALLERS_PREFIXES: [&str; 2] = ["UV_INDEX_", "XDG_"];

/// How names of variables begin that clouds read, by SkyPilot's names of clouds.
const CLOUDS: [(&[&str], &[&str]); 19] = [
    (&["aws"], &["AWS_", "BOTO_"]),
    (&["gcp"], &["GOOGLE_", "CLOUDSDK_", "GCLOUD_", "GCP_"]),
    (&["azure"], &["AZURE_", "ARM_"]),
    (&["kubernetes", "ssh"], &["KUBECONFIG", "KUBERNETES_", "USE_GKE_GCLOUD_AUTH_PLUGIN"]),
    (&["slurm"], &["SLURM_"]),
    (&["cudo"], &["CUDO_"]),
    (&["do"], &["DIGITALOCEAN_"]),
    (&["fluidstack"], &["FLUIDSTACK_"]),
    (&["hyperbolic"], &["HYPERBOLIC_"]),
    (&["ibm"], &["IBM_", "IBMCLOUD_"]),
    (&["lambda"], &["LAMBDA_"]),
    (&["nebius"], &["NEBIUS_"]),
    (&["oci"], &["OCI_"]),
    (&["paperspace"], &["PAPERSPACE_"]),
    (&["primeintellect"], &["PRIME_"]),
    (&["runpod"], &["RUNPOD_"]),
    (&["scp"], &["SCP_"]),
    (&["vast"], &["VAST_"]),
    (&["vsphere"], &["VSPHERE_"]),
];

impl For<'_> {
    /// Whether they are given a variable of this name.
    pub(super) fn is_given(&self, name: &str) -> bool {
        if env::SCENARIO_ONLY.contains(&name) {
            return false;
        }
        let is_everybodys = ALL.contains(&name) || begins(name, &ALL_PREFIXES);
        let goes_out = || proxies::is_about_proxies(name) || CERTIFICATES.contains(&name);
        is_everybodys
            || match self {
                Self::SkyPilot => false,
                Self::ServerOn(clouds) => goes_out() || clouds.iter().any(|it| reads(it, name)),
                Self::Installers => {
                    goes_out() || INSTALLERS.contains(&name) || begins(name, &INSTALLERS_PREFIXES)
                }
            }
    }
}

/// Whether a cloud, in the words of `--infra`, reads a variable of this name.
fn reads(infra: &str, name: &str) -> bool {
    let cloud = infra.split('/').next().unwrap_or_default();
    let mut known = CLOUDS.iter().filter(|(clouds, _)| clouds.contains(&cloud));
    // One that is not known here is given what has its name in front.
    let own = format!("{}_", cloud.to_uppercase());
    let logs_in = matches!(cloud, "slurm" | "ssh") && name == "SSH_AUTH_SOCK";
    logs_in || name.starts_with(&own) || known.any(|(_, prefixes)| begins(name, prefixes))
}

/// Whether somebody who has set it would expect, or fear, that it changes results.
pub(super) fn is_of_consequence(name: &str) -> bool {
    name.starts_with("PYTHON")
        || proxies::is_about_proxies(name)
        || MemorySettings::affects_memory(name)
        || CLOUDS.iter().any(|(_, prefixes)| begins(name, prefixes))
        || ["SKYPILOT_", "SKY_"].iter().any(|prefix| name.starts_with(prefix))
}

fn begins(name: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| name.starts_with(prefix))
}
