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
use crate::live::LivePage;
use crate::nextest::Tests;
use crate::server;
use crate::sky::speed::{self, Measured};
use crate::sky::{SkyEnvironment, SkyInstallation};
use crate::tools;

/// Process that coordinates runs, one after the other.
#[derive(Clone, Copy)]
pub(crate) struct Coordinator<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) signals: &'a Signals,
    pub(crate) progress: Progress,
    /// Live page of the runs; `None` without one.
    pub(crate) live: Option<&'a LivePage>,
}

impl Coordinator<'_> {
    /// Removes what runs that were killed have left. Only with the workspace's lock held.
    pub(crate) fn clean_up_after_dead_runs(&self) -> Result<()> {
        server::clean_up_after_dead_runs(self.workspace, true, self.progress)?;
        loopback::clean_up_after_dead_runs(self.workspace, self.progress)
    }

    /// Builds scenarios and gate, with one scenario for each that is planned.
    pub(crate) fn build_tests(&self, credentials: &Credentials, plan: &LoadPlan) -> Result<Tests> {
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
pub(crate) struct Prepared<'a> {
    pub(crate) coordinator: Coordinator<'a>,
    pub(crate) request: LoadRequest,
    pub(crate) plan: LoadPlan,
    pub(crate) sky: SkyInstallation,
    /// CPUs and memory as this SkyPilot counts them: this machine's, or the stated size.
    pub(crate) counted: Option<CountedMachine>,
    /// Credentials that clients send to the server.
    pub(crate) credentials: Credentials,
}

impl<'a> Prepared<'a> {
    /// Finds or installs the SkyPilot of `plan`, and resolves the plan again with what is known
    /// only then: whether this SkyPilot can launch on the local infras, and the machine's speed.
    pub(crate) fn new(
        coordinator: Coordinator<'a>,
        inputs: Inputs,
        plan: &LoadPlan,
        credentials: Credentials,
    ) -> Result<Self> {
        let Coordinator { workspace, signals, progress, .. } = coordinator;
        let sky = SkyInstallation::prepare_for(plan, &workspace.state, &progress)?;
        sizes::check(plan, &sky)?;
        signals.check()?;
        let obstacles = loopback::obstacles_of(&sky.for_nodes(), plan.infrastructure.locals());
        let environment = SkyEnvironment::of_server(&plan.server);
        let measured = speed::measure(&sky, environment, signals, progress)?;
        let inputs = inputs.with_sky(obstacles, measured.map(|measured| measured.speed))?;
        let plan = inputs.plan()?;
        let counted = counted(&plan, measured);
        Ok(Self { coordinator, request: inputs.request, plan, sky, counted, credentials })
    }

    /// Finds or installs the SkyPilot of a plan that is resolved completely, such as one that is
    /// run for another version, too.
    pub(crate) fn of_plan(
        coordinator: Coordinator<'a>,
        request: LoadRequest,
        plan: LoadPlan,
        credentials: Credentials,
    ) -> Result<Self> {
        let Coordinator { workspace, signals, progress, .. } = coordinator;
        let sky = SkyInstallation::prepare_for(&plan, &workspace.state, &progress)?;
        sizes::check(&plan, &sky)?;
        signals.check()?;
        let environment = SkyEnvironment::of_server(&plan.server);
        let measured = speed::measure(&sky, environment, signals, progress)?;
        let counted = counted(&plan, measured);
        Ok(Self { coordinator, request, plan, sky, counted, credentials })
    }

    /// Finds or installs the SkyPilot again, with the dependencies that the plan now has.
    pub(crate) fn install_again(&mut self) -> Result<()> {
        let Coordinator { workspace, signals, progress, .. } = self.coordinator;
        self.sky = SkyInstallation::prepare_for(&self.plan, &workspace.state, &progress)?;
        signals.check()
    }

    /// Prints the plan.
    pub(crate) fn announce(&self) {
        prepare::announce(&self.plan, &self.request, self.coordinator.progress);
    }
}

/// CPUs and memory as SkyPilot counts them. In a server of a stated size, it counts that size.
fn counted(plan: &LoadPlan, measured: Option<Measured>) -> Option<CountedMachine> {
    let of_machine = measured.and_then(|measured| measured.counted);
    plan.size.map(CountedMachine::from).or(of_machine)
}
