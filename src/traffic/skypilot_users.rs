//! SkyPilot users of a scenario, and their ids.
//!
//! A user id has four digits of its own. Processes of CLI scenarios have the lower half of these
//! numbers, since their requests are found by the id, and users of API scenarios the upper half.

use std::sync::Arc;

use super::ScenarioContext;
use crate::api::ApiClient;
use crate::plan::LoadPlan;
use crate::scenario::{ScenarioId, ScenarioKind};

/// First number of users of API scenarios.
const FIRST_OF_API: u16 = 0x8000;

impl ScenarioContext {
    /// Id of a SkyPilot user for the processes of one iteration. Each of up to 16 CLI scenarios has
    /// 2,048 ids of its own before they repeat.
    pub(super) fn next_user_id(&self) -> String {
        let number = self.users.get();
        self.users.set(number.wrapping_add(1));
        let scenario = (self.planned.id as u16) % 16;
        self.run.id().user((scenario << 11) | (number & 0x07ff))
    }

    /// Client of a user: the one of the scenario, or one of its own.
    pub(super) fn client_of(&self, user: u32) -> Arc<ApiClient> {
        if !self.plan.distinct_users || self.planned.id.kind() != ScenarioKind::Api {
            return Arc::clone(&self.client);
        }
        let id = self.run.id().user(number_of(&self.plan, self.planned.id, user));
        let name = format!("{}-{}-{user}", self.run.id().tag(), self.planned.id.name());
        Arc::new(self.client.of_user(&id, &name))
    }
}

/// Number of a user of an API scenario within the run: scenarios have consecutive numbers, which
/// repeat after 32,768 users.
fn number_of(plan: &LoadPlan, scenario: ScenarioId, user: u32) -> u16 {
    let api = plan.scenarios.iter().filter(|one| one.id.kind() == ScenarioKind::Api);
    let before = api.take_while(|one| one.id != scenario).map(|one| one.users);
    let number = before.fold(user, u32::wrapping_add) % u32::from(FIRST_OF_API);
    FIRST_OF_API | u16::try_from(number).unwrap_or(0)
}
