//! Fingerprint of a run, by which comparable runs are recognised: a hash of the host and one of
//! the settings.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Environment, HugePages, MachineFacts};
use crate::hash;
use crate::units::ByteSize;

/// Hashes of the facts that affect a run's figures. Runs with equal hashes agree in all of these
/// facts; the facts themselves are in the environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Fingerprint {
    /// Hash of the machine: CPUs, memory, kernel, mode of huge pages, limits of control groups
    /// on memory and CPU time, machine size as SkyPilot counts it, and numbers of workers.
    pub host: String,
    /// Hash of settings that do not depend on the machine: SkyPilot's build and constants, the
    /// server's mode, variables that affect memory, infras, modifications and catalogs.
    pub settings: String,
}

/// Number of hexadecimal digits of a fingerprint: 64 bits, enough that no two of a million runs
/// are expected to collide.
const DIGITS: usize = 16;

impl Fingerprint {
    /// Fingerprint of an environment.
    pub fn of(environment: &Environment) -> Self {
        let Environment {
            // The file format and skyload's version do not affect the server's figures.
            version: _,
            skyload: _,
            sky,
            server,
            server_environment,
            infrastructure,
            modifications,
            catalog,
            // Addresses and paths differ in each run.
            client: _,
            machine,
            fingerprint: _,
        } = environment;
        let MachineFacts {
            cpus,
            cpu_model,
            memory_total,
            system,
            // A property of the kernel, which `system` names; without it, the hashes of earlier
            // builds stay the same.
            page_size: _,
            limits,
        } = machine;
        // Rounded down to 256 MiB: the kernel reserves a different amount at each boot.
        let memory = memory_total.as_u64() / ByteSize::mib(256).as_u64();
        // Without the paths of the limits' files, which contain names of containers.
        let limits = (
            limits.memory.as_ref().map(|memory| memory.limit),
            limits.cpu.as_ref().map(|quota| (quota.quota_micros, quota.period_micros)),
        );
        // Facts of the machine, since SkyPilot derives its numbers of workers from its size.
        let counted = (sky.counted, server.workers);
        let memory_settings = server_environment.memory();
        // An unrecorded mode hashes like an unreadable one.
        let huge_pages =
            memory_settings.map_or(&HugePages::Unknown, |settings| &settings.huge_pages);
        let host = (cpus, cpu_model, memory, system, limits, counted, huge_pages);
        // Without the date: the same files of another day are the same settings.
        let catalog = catalog.as_ref().map(|catalog| &catalog.hash);
        let settings = (
            (&sky.version, &sky.commit, sky.constants),
            (&server.version, &server.commit, &server.api_version),
            (server.consolidation, server.serve_consolidation, server.clouds),
            (memory_settings.map(|settings| &settings.variables), infrastructure, modifications),
        );
        let settings = match catalog {
            Some(catalog) => hash(&(settings, catalog)),
            // As earlier builds hashed them, so that runs without a cloud stay comparable.
            None => hash(&settings),
        };
        Self { host: hash(&host), settings }
    }
}

/// Hash of the JSON text of `facts`.
fn hash(facts: &impl Serialize) -> String {
    // Never fails: the keys of all maps are strings.
    let text = serde_json::to_vec(facts).unwrap_or_default();
    let mut digits = hash::sha256(&text);
    digits.truncate(DIGITS);
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::environment::{MemorySettings, RecordedEnvironment, ServerEnvironment};

    fn environment() -> Environment {
        let text = r#"{
            "version": 3, "skyload": "0.1.0",
            "sky": { "version": "0.14.1", "commit": "c", "constants-source": "config.py",
                     "constants": { "long": 1, "short": 2, "server": 3 } },
            "server": { "identity": null, "version": "0.14.1", "commit": "c",
                        "api-version": "62", "workers": null, "consolidation": "yes" },
            "infrastructure": [], "modifications": [],
            "client": { "endpoint": "http://127.0.0.1:1/", "sky": "sky",
                        "variables": [], "without": [] },
            "machine": { "cpus": 2, "memory-total": 8589934592, "system": "Linux" }
        }"#;
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn runs_with_equal_host_and_settings_have_equal_fingerprints() {
        let other = Environment {
            skyload: "9".to_owned(),
            client: crate::record::environment::ClientSettings {
                endpoint: "http://127.0.0.1:2/".parse().unwrap(),
                ..environment().client
            },
            ..environment()
        };
        assert_eq!(Fingerprint::of(&environment()), Fingerprint::of(&other));
    }

    #[test]
    fn another_machine_changes_the_host_hash_only() {
        let here = environment();
        let there = Environment {
            machine: MachineFacts { cpus: 64, ..here.machine.clone() },
            ..here.clone()
        };
        let [here, there] = [here, there].map(|environment| Fingerprint::of(&environment));
        assert_ne!(here.host, there.host);
        assert_eq!(here.settings, there.settings);
    }

    #[test]
    fn a_memory_setting_changes_the_settings_hash_only() {
        let plain = environment();
        let variables = [("MALLOC_ARENA_MAX".to_owned(), "1".to_owned())].into();
        let memory = MemorySettings { variables, huge_pages: HugePages::Unknown };
        let found = RecordedEnvironment { passed_on: Vec::new(), left_out: Vec::new(), memory };
        let changed =
            Environment { server_environment: ServerEnvironment::Recorded(found), ..plain.clone() };
        let [plain, changed] = [plain, changed].map(|environment| Fingerprint::of(&environment));
        assert_eq!(plain.host, changed.host);
        assert_ne!(plain.settings, changed.settings);
    }
}
