//! Names of the variables that are passed on, for each kind of process.

use skyload::env;
use skyload::record::environment::MemorySettings;

use super::proxies;

/// Kind of process that an environment is for.
#[derive(Clone, Copy, Debug)]
pub enum For<'a> {
    /// Process of SkyPilot that needs no cloud: an isolated server, its clients, and scripts
    /// that query SkyPilot.
    SkyPilot,
    /// Isolated server with copies of the user's credentials for these clouds, and scripts that
    /// look for these credentials.
    ServerOn(&'a [String]),
    /// Installer: uv, pip, and the builds that they start.
    Installers,
    /// Git, which reaches repositories as in the user's shell, and reads the repository that it is
    /// told to, unlike below a hook, which sets `GIT_DIR`.
    Git,
}

/// Variables of every process: paths of programs, the user, the language.
const COMMON: [&str; 15] = [
    "HOME",
    "LANG",
    "LANGUAGE",
    "LD_LIBRARY_PATH",
    "LOGNAME",
    "PATH",
    // Shims of pyenv choose the Python by these.
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

/// Prefixes of further variables of every process: the language, skyload's own variables, and
/// settings of the stand-in for SkyPilot.
const COMMON_PREFIXES: [&str; 3] = ["LC_", "SKYLOAD_", "FAKE_SKY_"];

/// Variables that name trusted certificates.
const CERTIFICATES: [&str; 5] =
    ["CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE", "SSL_CERTS_DIR"];

/// Variables of uv and pip: package indexes, caches and compilers. Variables that set where
/// packages are installed are left out: skyload sets that.
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

/// Prefixes of further variables of uv and pip: user and password of each named index, and
/// caches.
const INSTALLERS_PREFIXES: [&str; 2] = ["UV_INDEX_", "XDG_"];

/// Variables by which git and SSH reach a repository, and find the user's settings.
const GIT: [&str; 12] = [
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_SYSTEM",
    "GIT_PROXY_COMMAND",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "GIT_SSL_CERT",
    "GIT_SSL_KEY",
    "SSH_AUTH_SOCK",
    "XDG_CONFIG_HOME",
];

/// Prefixes of the variables that clouds read, by SkyPilot's names of clouds.
const CLOUDS: [(&[&str], &[&str]); 19] = [
    (&["aws"], &["AWS_", "BOTO_"]),
    (&["gcp"], &["GOOGLE_", "CLOUDSDK_", "GCLOUD_", "GCP_"]),
    (&["azure"], &["AZURE_", "ARM_"]),
    // SkyPilot runs Kubernetes on the machines of its SSH node pools.
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
    /// Whether this kind of process gets the variable `name`.
    pub(super) fn allows(&self, name: &str) -> bool {
        // These start with `SKYLOAD_` too, but one of them has a password.
        if env::SCENARIO_ONLY.contains(&name) {
            return false;
        }
        let is_common = COMMON.contains(&name) || begins(name, &COMMON_PREFIXES);
        let is_for_network = || proxies::is_proxy_variable(name) || CERTIFICATES.contains(&name);
        is_common
            || match self {
                Self::SkyPilot => false,
                Self::Git => is_for_network() || GIT.contains(&name),
                Self::ServerOn(clouds) => {
                    is_for_network() || clouds.iter().any(|infra| reads(infra, name))
                }
                Self::Installers => {
                    is_for_network()
                        || INSTALLERS.contains(&name)
                        || begins(name, &INSTALLERS_PREFIXES)
                }
            }
    }
}

/// Whether the cloud of `infra`, a value of `--infra`, reads the variable `name`.
fn reads(infra: &str, name: &str) -> bool {
    let cloud = infra.split('/').next().unwrap_or_default();
    let mut known = CLOUDS.iter().filter(|(clouds, _)| clouds.contains(&cloud));
    // Also covers clouds that the table does not have.
    let own = format!("{}_", cloud.to_uppercase());
    let is_ssh_agent = matches!(cloud, "slurm" | "ssh") && name == "SSH_AUTH_SOCK";
    is_ssh_agent || name.starts_with(&own) || known.any(|(_, prefixes)| begins(name, prefixes))
}

/// Whether a variable that is left out or changes could affect results, so that skyload names it.
pub fn affects_results(name: &str) -> bool {
    name.starts_with("PYTHON")
        || proxies::is_proxy_variable(name)
        || MemorySettings::affects_memory(name)
        || CLOUDS.iter().any(|(_, prefixes)| begins(name, prefixes))
        || ["SKYPILOT_", "SKY_"].iter().any(|prefix| name.starts_with(prefix))
}

fn begins(name: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| name.starts_with(prefix))
}
