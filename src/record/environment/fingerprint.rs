//! Whether two runs can be compared: one hash of the host, one of what was set.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Environment, HugePages, MachineFacts};
use crate::hash;
use crate::units::ByteSize;

/// Hashes of what shapes a run's figures. Runs whose hashes are equal differ in none of the
/// facts that are named here; which of them differ otherwise stands in the environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Fingerprint {
    /// Hash of the machine: CPUs, memory, kernel, its mode of huge pages, limits of control
    /// groups on memory and CPU time, and the numbers by which SkyPilot sizes its workers.
    pub host: String,
    /// Hash of what can be the same on any machine: SkyPilot's build, how the server was
    /// started, variables that shape its memory, and what it launches on.
    pub settings: String,
}

/// Digits of a hash that are kept: two of a million runs do not share them by chance.
const DIGITS: usize = 16;

impl Fingerprint {
    /// Fingerprint of what a run found.
    pub fn of(environment: &Environment) -> Self {
        let Environment {
            // No fact of host or settings: the formats, and who measured.
            version: _,
            skyload: _,
            sky,
            server,
            server_environment,
            infrastructure,
            modifications,
            // An address and paths, which differ from run to run.
            client: _,
            machine,
            fingerprint: _,
        } = environment;
        let MachineFacts { cpus, cpu_model, memory_total, system, limits } = machine;
        // A kernel keeps some memory for itself, at each boot another amount.
        let memory = memory_total.as_u64() / ByteSize::mib(256).as_u64();
        // The files in which limits stand have the names of containers.
        let limits = (
            limits.memory.as_ref().map(|memory| memory.limit),
            limits.cpu.as_ref().map(|quota| (quota.quota_micros, quota.period_micros)),
        );
        // SkyPilot sizes its workers by the machine.
        let counted = (sky.counted, server.workers);
        let shape = server_environment.memory();
        // Where nothing was recorded, as little is known as where it could not be read.
        let huge_pages = shape.map_or(&HugePages::Unknown, |shape| &shape.huge_pages);
        let host = (cpus, cpu_model, memory, system, limits, counted, huge_pages);
        let settings = (
            (&sky.version, &sky.commit, sky.constants),
            (&server.version, &server.commit, &server.api_version),
            (server.consolidation, server.serve_consolidation, server.clouds),
            (shape.map(|shape| &shape.variables), infrastructure, modifications),
        );
        Self { host: hash(&host), settings: hash(&settings) }
    }
}

/// Hash of values in the form in which they are written down.
fn hash(facts: &impl Serialize) -> String {
    let text = serde_json::to_vec(facts).unwrap_or_default();
    let mut digits = hash::sha256(&text);
    digits.truncate(DIGITS);
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::environment::{MemoryShape, ServerEnvironment, Surroundings};

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
    fn runs_of_one_host_and_setting_have_one_fingerprint() {
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
    fn another_machine_is_another_host_with_the_same_settings() {
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
    fn what_shapes_memory_is_another_setting_on_the_same_host() {
        let plain = environment();
        let variables = [("MALLOC_ARENA_MAX".to_owned(), "1".to_owned())].into();
        let memory = MemoryShape { variables, huge_pages: HugePages::Unknown };
        let found = Surroundings { passed_on: Vec::new(), left_out: Vec::new(), memory };
        let shaped =
            Environment { server_environment: ServerEnvironment::Recorded(found), ..plain.clone() };
        let [plain, shaped] = [plain, shaped].map(|environment| Fingerprint::of(&environment));
        assert_eq!(plain.host, shaped.host);
        assert_ne!(plain.settings, shaped.settings);
    }
}
