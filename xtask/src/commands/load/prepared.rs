//! Preparation of runs: tests built, SkyPilot installed, the plan resolved for it.

use anyhow::Result;
use host::progress::Progress;
use host::signals::Signals;
use host::workspace::Workspace;
use skyload::credentials::Credentials;
use skyload::plan::LoadPlan;
use skyload::record::environment::CountedMachine;
use skyload::record::request::LoadRequest;

use super::credentials;
use super::inputs::Inputs;
use super::prepare;
use super::sizes;
use crate::nextest::Tests;
use crate::server;
use crate::sky::{SkyEnvironment, SkyInstallation, speed};
use crate::tools;

/// Process that coordinates runs, one after the other.
#[derive(Clone, Copy)]
pub(super) struct Coordinator<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) signals: &'a Signals,
    pub(super) progress: Progress,
}

impl Coordinator<'_> {
    /// Removes what runs that were killed have left. Only with the workspace's lock held.
    pub(super) fn clean_up_after_dead_runs(&self) -> Result<()> {
        server::clean_up_after_dead_runs(self.workspace, true, self.progress)?;
        loopback::clean_up_after_dead_runs(self.workspace, self.progress)
    }

    /// Builds scenarios and gate, with one scenario for each that is planned.
    pub(super) fn build_tests(&self, credentials: &Credentials, plan: &LoadPlan) -> Result<Tests> {
        let nextest = tools::nextest::find_or_install(&self.workspace.state, &self.progress)?;
        self.signals.check()?;
        let step = self.progress.step("Building the scenarios");
        let tests = Tests::build(&nextest, self.workspace, credentials::secrets(credentials))?;
        tests.expect_all_of(plan)?;
        step.done("built");
        self.signals.check()?;
        Ok(tests)
    }
}

/// Plan that is ready to run, with the SkyPilot under test.
pub(super) struct Prepared<'a> {
    pub(super) coordinator: Coordinator<'a>,
    pub(super) request: LoadRequest,
    pub(super) plan: LoadPlan,
    pub(super) sky: SkyInstallation,
    /// CPUs and memory as this SkyPilot counts them: this machine's, or the stated size.
    pub(super) counted: Option<CountedMachine>,
    /// Credentials that clients send to the server.
    pub(super) credentials: Credentials,
}

impl<'a> Prepared<'a> {
    /// Finds or installs the SkyPilot of `plan`, and resolves the plan again with what is known
    /// only then: whether this SkyPilot can launch on the local infras, and the machine's speed.
    pub(super) fn new(
        coordinator: Coordinator<'a>,
        inputs: Inputs,
        plan: &LoadPlan,
        credentials: Credentials,
    ) -> Result<Self> {
        let Coordinator { workspace, signals, progress } = coordinator;
        let sky = SkyInstallation::prepare_for(plan, &workspace.state, &progress)?;
        sizes::check(plan, &sky.facts)?;
        signals.check()?;
        let obstacles = loopback::obstacles_of(&sky.for_nodes(), plan.infrastructure.locals());
        let environment = SkyEnvironment::of_server(&plan.server);
        let measured = speed::measure(&sky, environment, signals, progress)?;
        let inputs = inputs.with_sky(obstacles, measured.map(|measured| measured.speed))?;
        let plan = inputs.plan()?;
        // In a server of a stated size, SkyPilot counts that size.
        let of_machine = measured.and_then(|measured| measured.counted);
        let counted = plan.size.map(CountedMachine::from).or(of_machine);
        Ok(Self { coordinator, request: inputs.request, plan, sky, counted, credentials })
    }

    /// Prints the plan.
    pub(super) fn announce(&self) {
        prepare::announce(&self.plan, &self.request, self.coordinator.progress);
    }
}
