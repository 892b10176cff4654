//! How many users each scenario has, and how many iterations each of them.

use super::Resolver;
use crate::infrastructure::Infrastructure;
use crate::plan::{PlannedScenario, Reduction};
use crate::scenario::{Scenario, ScenarioId, ScenarioKind};

/// The most users of one scenario: more than that is a slip of the finger, since each may
/// cost the server a process.
pub(crate) const MAX_USERS: u32 = 10_000;

/// The most iterations of a user: as many take days.
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
    infras: u32,
}

impl Size {
    /// What is left of it in a smaller load.
    pub(super) fn smaller(self, by: Reduction) -> Self {
        let Users { api, cli, infra } = self.users;
        Self {
            users: Users { api: by.users(api), cli: by.users(cli), infra: by.users(infra) },
            iterations: by.iterations(self.iterations),
            infra_iterations: by.iterations(self.infra_iterations),
            ..self
        }
    }

    /// A scenario of this size.
    pub(super) fn plan(self, id: ScenarioId) -> PlannedScenario {
        let takes_infrastructure = Scenario::of(id).needs.takes_infrastructure();
        let (users, iterations) = match id.kind() {
            ScenarioKind::Probe => (1, 1),
            _ if takes_infrastructure => {
                (self.users.infra.saturating_mul(self.infras), self.infra_iterations)
            }
            ScenarioKind::Api => (self.users.api, self.iterations),
            ScenarioKind::Cli => (self.users.cli, self.iterations),
        };
        PlannedScenario { id, users, iterations, concurrency: users }
    }
}

impl Resolver<'_> {
    pub(super) fn typed_users(&mut self) -> Option<u32> {
        self.count("-n", self.request.users.as_deref(), MAX_USERS)
    }

    pub(super) fn typed_iterations(&mut self) -> Option<u32> {
        self.count("--iterations", self.request.iterations.as_deref(), MAX_ITERATIONS)
    }

    fn count(&mut self, flag: &str, text: Option<&str>, most: u32) -> Option<u32> {
        let text = text?;
        match text.trim().parse::<u32>() {
            Ok(number) if (1..=most).contains(&number) => Some(number),
            _ => {
                self.error(format!(
                    "{flag}: expected a whole number from 1 to {most}, got \
                                    `{text}`"
                ));
                None
            }
        }
    }

    /// The size that was typed; what was not is the plan's.
    pub(super) fn size(
        &mut self,
        users: Option<u32>,
        iterations: Option<u32>,
        infrastructure: &Infrastructure,
    ) -> Size {
        let users = match users {
            Some(typed) => Users { api: typed, cli: typed, infra: typed },
            None => self.users_of_profile(),
        };
        Size {
            users,
            iterations: iterations.unwrap_or(self.settings.iterations),
            infra_iterations: iterations.unwrap_or(self.settings.infra_iterations),
            infras: infrastructure.count().max(1),
        }
    }

    fn users_of_profile(&mut self) -> Users {
        let api = self.settings.users;
        let cli = self.settings.cli_users.unwrap_or(api);
        let infra = self.settings.infra_users;
        for users in [api, cli, infra] {
            if !(1..=MAX_USERS).contains(&users) {
                self.error(format!("users: expected a number from 1 to {MAX_USERS}, got {users}"));
            }
        }
        Users { api, cli, infra }
    }
}
