//! A run directory as the coordinator leaves it for the scenarios of a run.

use std::time::Duration;

use anyhow::Context;
use fake_sky::FakeServer;
use skyload::config::Config;
use skyload::fact::Fact;
use skyload::ids::ProcessIdentity;
use skyload::limits::MachineLimits;
use skyload::plan::{LoadPlan, Machine, PlannedScenario};
use skyload::record::environment::{
    ClientSettings, Environment, Inherited, MachineFacts, ServerEnvironment, ServerUnderTest,
    SkyUnderTest, WorkerConstants,
};
use skyload::record::outcome::{ScenarioOutcome, SegmentOutcome};
use skyload::record::request::LoadRequest;
use skyload::record::{RunDir, RunFacts, Version, write_json};
use skyload::scenario::ScenarioId;
use skyload::traffic::{self, TrafficError};
use skyload::units::ByteSize;
use tempfile::TempDir;

/// Holds any plan of these tests: what a machine can't hold is tested elsewhere.
const MACHINE: Machine = Machine {
    memory_total: ByteSize::gib(64),
    memory_available: ByteSize::gib(60),
    limits: MachineLimits::NONE,
    loopback_obstacle: None,
    speed: None,
    shell: Vec::new(),
};

/// Requests that end long after any test.
pub(super) const ENDLESS: (&str, &str) = ("FAKE_SKY_SERVICE_MS", "600000");

/// A run that is about to begin.
pub(super) struct Scene {
    _folder: TempDir,
    pub(super) run: RunDir,
    plan: LoadPlan,
    coordinator: Option<ProcessIdentity>,
    environment: Environment,
}

impl Scene {
    /// Three users of each of these scenarios, one iteration each, upon a server that
    /// has no infrastructure and runs managed jobs itself.
    pub(super) fn of(server: &FakeServer, scenarios: &[ScenarioId]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let config = Config::parse(include_str!("../../../skyload.toml"), "skyload.toml")?;
        let mut plan = LoadPlan::resolve(&LoadRequest::default(), &config, &MACHINE)?;
        plan.scenarios = scenarios
            .iter()
            .map(|&id| PlannedScenario { id, users: 3, iterations: 1, concurrency: 3 })
            .collect();
        plan.scenario_timeout = Duration::from_secs(120);
        Ok(Self {
            run: RunDir::create(&folder.path().join("run"))?,
            _folder: folder,
            plan,
            coordinator: ProcessIdentity::current(),
            environment: environment(server)?,
        })
    }

    /// The plan.
    pub(super) fn plan(&self) -> &LoadPlan {
        &self.plan
    }

    /// Changes the plan.
    pub(super) fn planned(mut self, change: impl FnOnce(&mut LoadPlan)) -> Self {
        change(&mut self.plan);
        self
    }

    /// Changes how many users each scenario has, and how many of them fit.
    pub(super) fn users(self, users: u32, concurrency: u32) -> Self {
        self.planned(|plan| {
            plan.scenarios.iter_mut().for_each(|scenario| {
                (scenario.users, scenario.concurrency) = (users, concurrency);
            });
        })
    }

    /// Changes how many iterations each user takes.
    pub(super) fn iterations(self, iterations: u32) -> Self {
        self.planned(|plan| {
            plan.scenarios.iter_mut().for_each(|scenario| scenario.iterations = iterations)
        })
    }

    /// Changes which process runs the plan.
    pub(super) fn coordinated_by(mut self, coordinator: ProcessIdentity) -> Self {
        self.coordinator = Some(coordinator);
        self
    }

    /// Changes what is known of the server.
    pub(super) fn found(mut self, change: impl FnOnce(&mut Environment)) -> Self {
        change(&mut self.environment);
        self
    }

    /// Writes down what scenarios read.
    pub(super) fn set(self) -> anyhow::Result<Self> {
        write_json(&self.run.plan(), &self.plan)?;
        let facts = RunFacts { version: Version, coordinator: self.coordinator, estimate: None };
        write_json(&self.run.facts(), &facts)?;
        write_json(&self.run.environment(), &self.environment)?;
        Ok(self)
    }

    /// Drives one scenario of a scene that is set.
    pub(super) async fn drive(&self, id: ScenarioId) -> Result<ScenarioOutcome, TrafficError> {
        traffic::drive(&self.run, id).await
    }

    /// Waits until a scenario that is driven beside has come to its first segment.
    pub(super) async fn begun(&self, id: ScenarioId) -> anyhow::Result<()> {
        let place = self.run.barrier().join(format!("0-{}.json", id.file_stem()));
        let come = || place.exists();
        until(come).await.with_context(|| format!("{id} did not come to the start line"))
    }

    /// Sets the scene and drives the only scenario of it.
    pub(super) async fn play(self) -> anyhow::Result<ScenarioOutcome> {
        let id = self.plan.scenarios.first().context("there is a scenario")?.id;
        Ok(self.set()?.drive(id).await?)
    }
}

fn environment(server: &FakeServer) -> anyhow::Result<Environment> {
    let client_env = server.client_env();
    Ok(Environment {
        version: Version,
        skyload: "test".to_owned(),
        sky: SkyUnderTest {
            version: fake_sky::VERSION.to_owned(),
            commit: Some(fake_sky::COMMIT.to_owned()),
            constants: WorkerConstants::default(),
            constants_source: "fake".to_owned(),
            counted: None,
        },
        server: ServerUnderTest {
            identity: ProcessIdentity::of(server.pid()),
            version: fake_sky::VERSION.to_owned(),
            commit: Some(fake_sky::COMMIT.to_owned()),
            api_version: fake_sky::API_VERSION.to_string(),
            workers: None,
            consolidation: Fact::Yes,
            serve_consolidation: Fact::Yes,
            clouds: Fact::No,
        },
        server_environment: ServerEnvironment::Unrecorded,
        infrastructure: Vec::new(),
        modifications: Vec::new(),
        client: ClientSettings {
            endpoint: server.url().parse()?,
            sky: fake_sky::executable(),
            variables: client_env.into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
            without: server.variables_to_unset(),
            inherits: Inherited::All,
        },
        fingerprint: None,
        machine: MachineFacts {
            cpu_model: None,
            cpus: 1,
            memory_total: MACHINE.memory_total,
            system: "t".into(),
            limits: MachineLimits::NONE,
        },
    })
}

/// Waits for something that is due any moment.
pub(super) async fn until(is_so: impl Fn() -> bool) -> anyhow::Result<()> {
    let patience = Duration::from_secs(20);
    let waited = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(patience, waited).await.context("it did not happen in 20 s")
}

/// Iterations that succeeded, were refused, and failed.
pub(super) fn counts(segment: &SegmentOutcome) -> (u64, u64, u64) {
    (segment.succeeded, segment.expected_errors, segment.failed)
}

/// The kinds of failure of a segment: status, type, and how often.
pub(super) fn kinds(segment: &SegmentOutcome) -> Vec<(Option<u16>, &str, u64)> {
    let kinds = segment.tally.kinds().iter();
    kinds.map(|kind| (kind.example.status, kind.example.error_type.as_str(), kind.count)).collect()
}
