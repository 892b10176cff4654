//! Results of `bench client`: `client.json`, from which the tables are made.

use serde::{Deserialize, Serialize};
use skyload::units::ByteSize;

use super::http_client::ClientKind;
use super::lateness::LatenessRound;
use super::plan::ClientPlan;
use super::requests::{MemoryMeasurement, RequestMeasurement};
use super::sdk::{SdkClient, SdkComparison, SdkMeasurement};
use crate::result::LoadAverage;
use crate::statistics::{Micros, Ratio, Spread};

/// Format version of `client.json`.
pub(crate) const VERSION: u32 = 1;

/// Results of `bench client`, as measured: ratios are computed from them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ClientResults {
    pub(crate) version: u32,
    pub(crate) setting: ClientSetting,
    pub(crate) plan: ClientPlan,
    /// Load average of the machine at the end: shows what else ran.
    pub(crate) load_average: LoadAverage,
    pub(crate) requests: Vec<RequestMeasurement>,
    /// Memory after a short load and a long one.
    pub(crate) memory: [MemoryMeasurement; 2],
    pub(crate) lateness: Vec<LatenessRound>,
    /// Comparison with SkyPilot's SDK; `None` if it was skipped.
    pub(crate) sdk: Option<SdkComparison>,
}

/// Date, machine and tools of the benchmark.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ClientSetting {
    /// Day, in UTC: `2026-11-24`.
    pub(crate) date: String,
    pub(crate) kernel: String,
    pub(crate) cpus: usize,
    pub(crate) memory: ByteSize,
    /// Version and build of skyload.
    pub(crate) skyload: String,
    /// Names and versions of the other tools.
    pub(crate) tools: Vec<String>,
    /// Tools that are not there, each with the reason.
    pub(crate) missing: Vec<String>,
}

impl ClientResults {
    /// Measurements of an HTTP client, in the order of the rounds; empty if it is not there.
    pub(crate) fn requests_of(&self, client: ClientKind) -> Vec<RequestMeasurement> {
        let mut of_client: Vec<RequestMeasurement> =
            self.requests.iter().filter(|one| one.client == client).copied().collect();
        of_client.sort_by_key(|one| one.round);
        of_client
    }

    /// Ratio of skyload's CPU time per request to that of another client in the same round.
    pub(crate) fn requests_ratio(&self, to: ClientKind) -> Option<Spread<Ratio>> {
        let per_request = |client| {
            let of_client = self.requests_of(client);
            of_client.iter().map(RequestMeasurement::micros_per_request).collect::<Option<Vec<_>>>()
        };
        ratios(&per_request(ClientKind::Skyload)?, &per_request(to)?)
    }

    /// Measurements of a client on the real server, in the order of the rounds.
    pub(crate) fn sdk_of(&self, client: SdkClient) -> Vec<SdkMeasurement> {
        let all = self.sdk.iter().flat_map(|sdk| &sdk.measurements);
        let mut of_client: Vec<SdkMeasurement> =
            all.filter(|one| one.client == client).copied().collect();
        of_client.sort_by_key(|one| one.round);
        of_client
    }

    /// Ratio of the SDK's CPU time per iteration to skyload's in the same round.
    pub(crate) fn sdk_ratio(&self) -> Option<Spread<Ratio>> {
        let per_iteration = |client| {
            let of_client = self.sdk_of(client);
            of_client.iter().map(SdkMeasurement::micros_per_iteration).collect::<Option<Vec<_>>>()
        };
        ratios(&per_iteration(SdkClient::Sdk)?, &per_iteration(SdkClient::Skyload)?)
    }

    /// Ratio of the 99th percentile of skyload's lateness to that of the timer loop in the same
    /// round.
    pub(crate) fn lateness_ratio(&self) -> Option<Spread<Ratio>> {
        let p99 = |of: fn(&LatenessRound) -> &skyload::record::outcome::Latencies| {
            let rounds = self.lateness.iter();
            rounds.map(|round| Micros::percentile(of(round), 99.0)).collect::<Option<Vec<_>>>()
        };
        ratios(&p99(|round| &round.skyload)?, &p99(|round| &round.timer_loop)?)
    }

    /// Peak memory of skyload after the long load.
    pub(crate) fn peak(&self) -> ByteSize {
        let [_, long] = self.memory;
        long.cost.peak
    }

    /// Number of requests and iterations that failed, of all measurements.
    pub(crate) fn failed(&self) -> u64 {
        let requests = self.requests.iter().map(|one| one.requests.failed);
        let lateness = self.lateness.iter().map(|round| round.failed);
        let sdk = self.sdk.iter().flat_map(|sdk| &sdk.measurements).map(|one| one.failed);
        requests.chain(lateness).chain(sdk).sum()
    }
}

/// Spread of the ratios of single rounds.
fn ratios(first: &[Micros], second: &[Micros]) -> Option<Spread<Ratio>> {
    let ratios: Vec<Ratio> = first.iter().zip(second).map(|(a, b)| Ratio(a.0 / b.0)).collect();
    Spread::of(&ratios)
}
