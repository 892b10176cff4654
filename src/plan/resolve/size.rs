//! Size of a load: users of each scenario, and iterations of each user.

use super::Resolver;
use super::assignment::Assigned;
use crate::plan::{PlannedScenario, Reduction};
use crate::scenario::{Scenario, ScenarioKind};

/// Maximum number of users of one scenario: a larger one is most likely a typing error, since
/// each user may need a server process.
pub(crate) const MAX_USERS: u32 = 10_000;

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
}

impl Size {
    /// Size of the reduced load.
    pub(super) fn reduced(self, reduction: Reduction) -> Self {
        let Users { api, cli, infra } = self.users;
        Self {
            users: Users {
                api: reduction.users(api),
                cli: reduction.users(cli),
                infra: reduction.users(infra),
            },
            iterations: reduction.iterations(self.iterations),
            infra_iterations: reduction.iterations(self.infra_iterations),
        }
    }

    /// Entry of a scenario in a plan of this size.
    pub(super) fn plan(self, Assigned { id, infras }: &Assigned) -> PlannedScenario {
        let (id, infras) = (*id, infras.clone());
        let takes_infrastructure = Scenario::of(id).needs.takes_infrastructure();
        let (users, iterations) = match id.kind() {
            ScenarioKind::Probe => (1, 1),
            _ if takes_infrastructure => (self.users.infra, self.infra_iterations),
            ScenarioKind::Api => (self.users.api, self.iterations),
            ScenarioKind::Cli => (self.users.cli, self.iterations),
        };
        // Users are per infra. Without an infra the count is 0, which must not make 0 users.
        let count = u32::try_from(infras.len().max(1)).unwrap_or(u32::MAX);
        let users = users.saturating_mul(count);
        PlannedScenario { id, users, iterations, concurrency: users, infras }
    }
}

impl Resolver<'_> {
    pub(super) fn typed_users(&mut self) -> Option<u32> {
        self.count("-n", self.request.users.as_deref(), MAX_USERS)
    }

    pub(super) fn typed_iterations(&mut self) -> Option<u32> {
        self.count("--iterations", self.request.iterations.as_deref(), MAX_ITERATIONS)
    }

    fn count(&mut self, flag: &str, text: Option<&str>, max: u32) -> Option<u32> {
        let text = text?;
        match text.trim().parse::<u32>() {
            Ok(number) if (1..=max).contains(&number) => Some(number),
            _ => {
                self.error(format!(
                    "{flag}: expected a whole number from 1 to {max}, got `{text}`"
                ));
                None
            }
        }
    }

    /// Requested size: values of flags, and the plan's settings for the rest.
    pub(super) fn size(&mut self, users: Option<u32>, iterations: Option<u32>) -> Size {
        let users = match users {
            Some(typed) => Users { api: typed, cli: typed, infra: typed },
            None => self.users_of_plan(),
        };
        Size {
            users,
            iterations: iterations.unwrap_or(self.settings.iterations),
            infra_iterations: iterations.unwrap_or(self.settings.infra_iterations),
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
