//! Size of a load: users of each scenario, and iterations of each user.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::Resolver;
use super::assignment::Assigned;
use super::shape::{Form, Shaped, default_in_flight, with_warm_up};
use crate::plan::{Cancellations, PlannedScenario, Reduction, ServerTarget};
use crate::scenario::{Scenario, ScenarioKind};
use crate::shape::{LoadShape, Model, Pause, Stage, Timed};

/// Maximum number of users of one scenario: a larger one is most likely a typing error, since
/// each user may need a server process.
pub(crate) const MAX_USERS: u32 = 10_000;

/// Maximum number of users of one scenario on a server on another machine, unless a flag sets the
/// number: a plan that was made for this machine should not overload a server that others use.
pub const MAX_USERS_ON_ANOTHER_MACHINE: u32 = 20;

/// Maximum number of iterations of a user: more would take days.
pub(super) const MAX_ITERATIONS: u32 = 1_000;

/// Users of each kind of scenario.
#[derive(Clone, Copy)]
struct Users {
    api: u32,
    cli: u32,
    infra: u32,
}

/// Users of each kind of scenario, and iterations of each user.
#[derive(Clone, Copy)]
pub(super) struct Size {
    users: Users,
    iterations: u32,
    infra_iterations: u32,
    /// Most users of a scenario.
    most_users: u32,
    /// Most iterations of an arrival rate at a time, where no number is set.
    in_flight: u32,
    /// Most iterations of an arrival rate at a time that a plan can set.
    most_in_flight: u32,
    /// Most connections of one scenario that a plan can have held.
    most_held: u32,
}

impl Size {
    /// Entry of a scenario in a plan of this size, reduced by `reduction`. Only a burst is
    /// reduced: other shapes take the time that they are given, and held connections that of the
    /// load.
    pub(super) fn plan(
        self,
        Assigned { id, infras, mix }: &Assigned,
        shaped: Option<&Shaped>,
        reduction: Reduction,
    ) -> PlannedScenario {
        let (id, infras, mix) = (*id, infras.clone(), mix.clone());
        let takes_infrastructure = Scenario::of(id).needs.takes_infrastructure();
        let (users, iterations) = match id.kind() {
            ScenarioKind::Probe => (1, 1),
            _ if takes_infrastructure => (self.users.infra, self.infra_iterations),
            ScenarioKind::Api | ScenarioKind::Hold => (self.users.api, self.iterations),
            ScenarioKind::Cli => (self.users.cli, self.iterations),
        };
        let Shaped { users: of_scenario, form, cancellations } =
            shaped.cloned().unwrap_or_default();
        let users = of_scenario.unwrap_or(users);
        // Users are per infra. Without an infra the count is 0, which must not make 0 users.
        let count = u32::try_from(infras.len().max(1)).unwrap_or(u32::MAX);
        let most_users = match id.kind() {
            ScenarioKind::Hold => self.most_held,
            ScenarioKind::Api | ScenarioKind::Cli | ScenarioKind::Probe => self.most_users,
        };
        let on_all = |users: u32| users.saturating_mul(count).min(most_users);
        let (users, shape) = match form {
            Form::Burst(of_scenario) => {
                let iterations = reduction.iterations(of_scenario.unwrap_or(iterations));
                (on_all(reduction.users(users)), LoadShape::Burst { iterations })
            }
            Form::Held(None) => (on_all(users), LoadShape::SINGLE),
            Form::Held(Some(time)) => {
                let stages = with_warm_up(on_all(users), time, Duration::ZERO);
                let model = Model::Users { stages, pause: Pause::default() };
                let (warm_up, graceful_stop) = (Duration::ZERO, Duration::ZERO);
                (on_all(users), LoadShape::Timed(Timed { model, warm_up, graceful_stop }))
            }
            Form::Loop { time, pause, warm_up, graceful_stop } => {
                let stages = with_warm_up(on_all(users), time, warm_up);
                let model = Model::Users { stages, pause };
                (on_all(users), LoadShape::Timed(Timed { model, warm_up, graceful_stop }))
            }
            Form::Stages(mut timed) => {
                let mut most = 0;
                if let Model::Users { stages, .. } = &mut timed.model {
                    stages.iter_mut().for_each(|stage: &mut Stage<u32>| {
                        stage.level = on_all(stage.level);
                        most = most.max(stage.level);
                    });
                }
                (most, LoadShape::Timed(timed))
            }
            Form::Arrivals(timed, max_in_flight) => {
                let max_in_flight = max_in_flight.unwrap_or(self.in_flight);
                (max_in_flight.min(self.most_in_flight), LoadShape::Timed(timed))
            }
        };
        PlannedScenario { id, users, shape, concurrency: users, infras, mix, cancellations }
    }
}

impl Resolver<'_> {
    pub(super) fn typed_users(&mut self) -> Option<u32> {
        self.count("-n", self.request.users.as_deref(), 1..=MAX_USERS)
    }

    pub(super) fn typed_iterations(&mut self) -> Option<u32> {
        self.count("--iterations", self.request.iterations.as_deref(), 1..=MAX_ITERATIONS)
    }

    fn count(&mut self, flag: &str, text: Option<&str>, range: RangeInclusive<u32>) -> Option<u32> {
        let text = text?;
        match text.trim().parse::<u32>() {
            Ok(number) if range.contains(&number) => Some(number),
            _ => {
                let (least, most) = range.into_inner();
                self.error(format!(
                    "{flag}: expected a whole number from {least} to {most}, got `{text}`"
                ));
                None
            }
        }
    }

    pub(super) fn typed_max_in_flight(&mut self) -> Option<u32> {
        self.count("--max-in-flight", self.request.max_in_flight.as_deref(), 1..=MAX_USERS)
    }

    pub(super) fn typed_probe_distance(&mut self) -> Option<u32> {
        let text = self.request.probe_every.as_deref();
        self.count("--probe-every", text, Cancellations::DISTANCES)
    }

    /// Seed of everything that is drawn at random.
    pub(super) fn seed(&mut self) -> u64 {
        let Some(text) = self.request.seed.as_deref() else { return self.settings.seed };
        text.trim().parse().unwrap_or_else(|_| {
            self.error(format!("--seed: expected a whole number, got `{text}`"));
            self.settings.seed
        })
    }

    /// Size by the plan's settings, of scenarios whose users and iterations are set nowhere else.
    pub(super) fn size(&mut self, server: &ServerTarget) -> Size {
        let request = self.request;
        let is_on_another_machine = server.is_on_another_machine();
        // What flags set is confirmed, and what a plan has must not surprise another machine.
        let most = |is_typed: bool, cap: u32| {
            if is_on_another_machine && !is_typed { cap } else { u32::MAX }
        };
        let are_users_typed = request.users.is_some() || request.stages.is_some();
        Size {
            users: self.users_of_plan(),
            iterations: self.settings.iterations,
            infra_iterations: self.settings.infra_iterations,
            most_users: most(are_users_typed, MAX_USERS_ON_ANOTHER_MACHINE),
            in_flight: default_in_flight(is_on_another_machine),
            most_in_flight: most(request.max_in_flight.is_some(), default_in_flight(true)),
            most_held: most(!request.hold.is_empty(), MAX_USERS_ON_ANOTHER_MACHINE),
        }
    }

    fn users_of_plan(&mut self) -> Users {
        let api = self.settings.users;
        let cli = self.settings.cli_users.unwrap_or(api);
        let infra = self.settings.infra_users;
        for (key, users) in [("users", api), ("cli-users", cli), ("infra-users", infra)] {
            // An invalid `users` is reported once, not for `cli-users` as well, which inherits it.
            let is_inherited = key == "cli-users" && self.settings.cli_users.is_none();
            if !(1..=MAX_USERS).contains(&users) && !is_inherited {
                self.error(format!("{key}: expected a number from 1 to {MAX_USERS}, got {users}"));
            }
        }
        Users { api, cli, infra }
    }
}
