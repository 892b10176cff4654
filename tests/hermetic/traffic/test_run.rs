//! Run directory as the coordinator prepares it for scenarios.

use std::fs;
use std::time::Duration;

use anyhow::Context;
use fake_sky::FakeServer;
use skyload::config::Config;
use skyload::fact::Fact;
use skyload::ids::ProcessIdentity;
use skyload::infrastructure::Infrastructure;
use skyload::limits::MachineLimits;
use skyload::plan::{LoadPlan, Machine, PlannedScenario};
use skyload::record::environment::{
    ClientSettings, Environment, Inherited, MachineFacts, ServerEnvironment, ServerUnderTest,
    SkyUnderTest, WorkerConstants,
};
use skyload::record::outcome::{ScenarioOutcome, ScenarioProgress, SegmentOutcome};
use skyload::record::request::LoadRequest;
use skyload::record::{RunDir, RunFacts, Version, read_json, write_json};
use skyload::scenario::{Scenario, ScenarioId};
use skyload::shape::LoadShape;
use skyload::traffic::{self, TrafficError};
use skyload::units::ByteSize;
use tempfile::TempDir;

/// Machine with enough memory for any plan of these tests.
const MACHINE: Machine = Machine {
    memory_total: ByteSize::gib(64),
    memory_available: ByteSize::gib(60),
    limits: MachineLimits::NONE,
    obstacles: std::collections::BTreeMap::new(),
    without_nodes: std::collections::BTreeMap::new(),
    speed: None,
    shell: Vec::new(),
};

/// Setting for requests that take longer than any test.
pub(super) const ENDLESS: (&str, &str) = ("FAKE_SKY_SERVICE_MS", "600000");

/// Run whose scenarios have not started.
pub(super) struct TestRun {
    _folder: TempDir,
    pub(super) dir: RunDir,
    plan: LoadPlan,
    coordinator: Option<ProcessIdentity>,
    environment: Environment,
}

impl TestRun {
    /// Run of these scenarios with three users and one iteration each, against a server that
    /// has no infra and runs managed jobs itself.
    pub(super) fn of(server: &FakeServer, scenarios: &[ScenarioId]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let config = Config::parse(include_str!("../../../skyload.toml"), "skyload.toml")?;
        let mut plan = LoadPlan::resolve(&LoadRequest::default(), &config, &MACHINE)?;
        plan.scenarios = scenarios
            .iter()
            .map(|&id| PlannedScenario {
                id,
                users: 3,
                shape: LoadShape::SINGLE,
                concurrency: 3,
                infras: Vec::new(),
                mix: None,
                cancellations: None,
            })
            .collect();
        plan.scenario_timeout = Duration::from_secs(120);
        Ok(Self {
            dir: RunDir::create(&folder.path().join("run"))?,
            _folder: folder,
            plan,
            coordinator: ProcessIdentity::current(),
            environment: environment(server)?,
        })
    }

    /// Plan of the run.
    pub(super) fn plan(&self) -> &LoadPlan {
        &self.plan
    }

    /// Changes the plan.
    pub(super) fn with_plan(mut self, change: impl FnOnce(&mut LoadPlan)) -> Self {
        change(&mut self.plan);
        self
    }

    /// Gives the server these clouds as infras, and each scenario those that it can run on.
    pub(super) fn on(self, clouds: &[&str]) -> Self {
        let clouds: Vec<String> = clouds.iter().map(|&cloud| cloud.to_owned()).collect();
        let test = self.with_environment(|environment| environment.infrastructure = clouds.clone());
        test.with_plan(|plan| {
            for planned in &mut plan.scenarios {
                let scenario = Scenario::of(planned.id);
                let supports = |cloud: &&String| scenario.takes_infra() && scenario.supports(cloud);
                planned.infras = clouds.iter().filter(supports).cloned().collect();
            }
            plan.infrastructure = Infrastructure::Clouds(clouds);
        })
    }

    /// Changes the number of users of each scenario, and their concurrency.
    pub(super) fn users(self, users: u32, concurrency: u32) -> Self {
        self.with_plan(|plan| {
            plan.scenarios.iter_mut().for_each(|scenario| {
                (scenario.users, scenario.concurrency) = (users, concurrency);
            });
        })
    }

    /// Changes the number of iterations of each user.
    pub(super) fn iterations(self, iterations: u32) -> Self {
        self.with_plan(|plan| {
            plan.scenarios
                .iter_mut()
                .for_each(|scenario| scenario.shape = LoadShape::Burst { iterations })
        })
    }

    /// Changes the process that is the coordinator.
    pub(super) fn coordinated_by(mut self, coordinator: ProcessIdentity) -> Self {
        self.coordinator = Some(coordinator);
        self
    }

    /// Changes the environment, which describes server and client.
    pub(super) fn with_environment(mut self, change: impl FnOnce(&mut Environment)) -> Self {
        change(&mut self.environment);
        self
    }

    /// Writes the files that scenarios read.
    pub(super) fn write(self) -> anyhow::Result<Self> {
        write_json(&self.dir.plan(), &self.plan)?;
        let facts = RunFacts {
            version: Version,
            coordinator: self.coordinator,
            estimate: None,
            memory_before: None,
            set: None,
        };
        write_json(&self.dir.facts(), &facts)?;
        write_json(&self.dir.environment(), &self.environment)?;
        Ok(self)
    }

    /// Drives one scenario, after [`Self::write`].
    pub(super) async fn drive(&self, id: ScenarioId) -> Result<ScenarioOutcome, TrafficError> {
        traffic::drive(&self.dir, id).await
    }

    /// Drives one scenario of a run that a page follows, and returns its last progress, too.
    pub(super) async fn drive_followed(
        &self,
        id: ScenarioId,
    ) -> anyhow::Result<(ScenarioOutcome, ScenarioProgress)> {
        fs::create_dir(self.dir.progress())?;
        let outcome = self.drive(id).await?;
        Ok((outcome, read_json(&self.dir.scenario_progress(id), "progress")?))
    }

    /// Waits until a scenario that is driven concurrently has arrived at its first barrier.
    pub(super) async fn wait_until_started(&self, id: ScenarioId) -> anyhow::Result<()> {
        let arrival = self.dir.barrier().join(format!("0-{}.json", id.file_stem()));
        let has_arrived = || arrival.exists();
        wait_until(has_arrived).await.with_context(|| format!("{id} did not arrive at the barrier"))
    }

    /// Writes the files, and drives the first scenario.
    pub(super) async fn run(self) -> anyhow::Result<ScenarioOutcome> {
        let id = self.plan.scenarios.first().context("there is a scenario")?.id;
        Ok(self.write()?.drive(id).await?)
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
            extras: None,
            source: None,
            packages: None,
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
        catalog: None,
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
            page_size: None,
            limits: MachineLimits::NONE,
        },
    })
}

/// Waits until the condition holds, for 20 s at most.
pub(super) async fn wait_until(condition: impl Fn() -> bool) -> anyhow::Result<()> {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.context("no change after 20 s")
}

/// Numbers of iterations that succeeded, had only expected errors, and failed.
pub(super) fn counts(segment: &SegmentOutcome) -> (u64, u64, u64) {
    (segment.succeeded, segment.expected_errors, segment.failed)
}

/// Kinds of failure in a segment: HTTP status, error type, and count.
pub(super) fn kinds(segment: &SegmentOutcome) -> Vec<(Option<u16>, &str, u64)> {
    let kinds = segment.tally.kinds().iter();
    kinds.map(|kind| (kind.example.status, kind.example.error_type.as_str(), kind.count)).collect()
}
