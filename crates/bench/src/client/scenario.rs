//! Scenario of skyload in a process of its own, as in a load: the process reads plan and
//! environment from a run directory, and writes its outcome there.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, anyhow, ensure};
use fake_sky::title::THIS_PROGRAM;
use skyload::api::{ApiClient, ClientIdentity, Health, HealthPolicy};
use skyload::config::Config;
use skyload::credentials::Credentials;
use skyload::fact::Fact;
use skyload::ids::{ProcessIdentity, RunId};
use skyload::limits::MachineLimits;
use skyload::plan::{LoadPlan, Machine};
use skyload::record::environment::{
    ClientSettings, Environment, MachineFacts, ServerEnvironment, ServerUnderTest, SkyUnderTest,
    WorkerConstants,
};
use skyload::record::outcome::ScenarioOutcome;
use skyload::record::request::LoadRequest;
use skyload::record::{RunDir, RunFacts, Version, read, write_json};
use skyload::scenario::{ScenarioId, ScenarioKind};
use skyload::traffic;
use skyload::units::ByteSize;

use super::measured::{self, ProcessCost};
use crate::flags::ScenarioFlags;
use crate::runtime::runtime;

/// Machine of the plans. They start no server here, so that the memory which a server would need
/// must not limit them.
const MACHINE: Machine = Machine {
    memory_total: ByteSize::gib(1024),
    memory_available: ByteSize::gib(1024),
    limits: MachineLimits::NONE,
    obstacles: BTreeMap::new(),
    without_nodes: BTreeMap::new(),
    speed: None,
    shell: Vec::new(),
};

/// Server that scenarios are run against.
pub(crate) struct Target {
    client: ClientSettings,
    health: Health,
}

/// Scenario that was run to its end.
pub(crate) struct FinishedScenario {
    pub(crate) outcome: ScenarioOutcome,
    pub(crate) cost: ProcessCost,
}

impl Target {
    /// Server that `client` is configured for, once it has responded.
    pub(crate) fn find(client: ClientSettings) -> Result<Self> {
        let identity = ClientIdentity {
            user_id: RunId::generate().new_user(),
            command: "skyload bench".to_owned(),
            variables: client.variables.clone(),
            remote: false,
        };
        let api = ApiClient::new(&client.endpoint, &identity, None, &Credentials::None)?;
        let health = runtime()?.block_on(api.health(HealthPolicy::PROBE));
        let health = health
            .map_err(|failure| anyhow!("asking {} for its health: {failure}", client.endpoint))?;
        Ok(Self { client, health })
    }

    /// Settings of clients.
    pub(crate) fn client(&self) -> &ClientSettings {
        &self.client
    }

    /// SkyPilot version that the server reports.
    pub(crate) fn version(&self) -> &str {
        &self.health.version
    }

    /// Runs the only scenario of a request, in a process that is measured.
    pub(crate) fn run(&self, request: LoadRequest) -> Result<FinishedScenario> {
        let request = LoadRequest {
            server: Some(self.client.endpoint.to_string()),
            infra: vec!["none".to_owned()],
            ..request
        };
        let plan = LoadPlan::resolve(&request, &Config::default(), &MACHINE)?;
        let id = api_scenario(&plan)?;
        let folder = tempfile::tempdir().context("creating a directory for a scenario")?;
        let run = RunDir::create(&folder.path().join("run"))?;
        write_json(&run.plan(), &plan)?;
        write_json(&run.environment(), &self.environment())?;
        // The scenario ends with this process.
        let facts = RunFacts {
            version: Version,
            coordinator: ProcessIdentity::current(),
            estimate: None,
            memory_before: None,
            set: None,
        };
        write_json(&run.facts(), &facts)?;
        let mut command = measured::command(THIS_PROGRAM);
        command.arg("scenario").arg(run.path());
        let measured = measured::run(command).with_context(|| format!("running {id}"))?;
        let outcome: ScenarioOutcome = read(&run.outcome(id))?;
        Ok(FinishedScenario { outcome, cost: measured.cost })
    }

    fn environment(&self) -> Environment {
        let Health { version, commit, api_version } = self.health.clone();
        Environment {
            version: Version,
            skyload: env!("CARGO_PKG_VERSION").to_owned(),
            sky: SkyUnderTest {
                version: version.clone(),
                commit: commit.clone(),
                constants: WorkerConstants::default(),
                constants_source: "not read".to_owned(),
                counted: None,
                extras: None,
                source: None,
                packages: None,
            },
            server: ServerUnderTest {
                identity: None,
                version,
                commit,
                api_version,
                workers: None,
                consolidation: Fact::Unknown,
                serve_consolidation: Fact::Unknown,
                clouds: Fact::Unknown,
            },
            server_environment: ServerEnvironment::Unrecorded,
            infrastructure: Vec::new(),
            modifications: Vec::new(),
            catalog: None,
            client: self.client.clone(),
            machine: MachineFacts {
                cpus: std::thread::available_parallelism().map_or(1, usize::from),
                cpu_model: None,
                memory_total: MACHINE.memory_total,
                system: "not read".to_owned(),
                page_size: None,
                limits: MachineLimits::NONE,
            },
            fingerprint: None,
        }
    }
}

impl FinishedScenario {
    /// Number of iterations that succeeded.
    pub(crate) fn succeeded(&self) -> u64 {
        self.outcome.segments.iter().map(|segment| segment.succeeded).sum()
    }

    /// Number of iterations that did not succeed, for whatever reason.
    pub(crate) fn failed(&self) -> u64 {
        let failed = self.outcome.segments.iter().map(|segment| {
            let unsent = segment.client_failed + segment.interrupted + segment.dropped.unwrap_or(0);
            segment.completed() - segment.succeeded + unsent
        });
        failed.sum()
    }

    /// An error with the first failure, unless an iteration has succeeded.
    pub(crate) fn expect_success(self) -> Result<Self> {
        let failure = self.outcome.segments.iter().flat_map(|one| one.tally.kinds()).next();
        let failure =
            failure.map_or_else(|| "none ended".to_owned(), |kind| kind.example.to_string());
        ensure!(
            self.succeeded() > 0,
            "{}: no iteration succeeded: {failure}",
            self.outcome.scenario
        );
        Ok(self)
    }
}

/// Runs the scenario of a run directory in this process, as a test of a load does.
pub(crate) fn run(flags: &ScenarioFlags) -> Result<()> {
    let run = RunDir::open(&flags.directory)?;
    let plan: LoadPlan = read(&run.plan())?;
    let id = api_scenario(&plan)?;
    runtime()?.block_on(traffic::drive(&run, id))?;
    Ok(())
}

fn api_scenario(plan: &LoadPlan) -> Result<ScenarioId> {
    let mut ids = plan.scenarios.iter().map(|planned| planned.id);
    ids.find(|id| id.kind() == ScenarioKind::Api).context("the plan has no API scenario")
}
