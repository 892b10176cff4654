//! SkyPilot users of a scenario, and their ids.
//!
//! A user id has four digits of its own. Processes of CLI scenarios have the lower half of these
//! numbers, since their requests are found by the id, and users of API scenarios the upper half.

use std::sync::Arc;

use tokio::time::Instant;

use super::ScenarioContext;
use crate::api::ApiClient;
use crate::plan::LoadPlan;
use crate::scenario::{ScenarioId, ScenarioKind};

/// First number of users of API scenarios.
const FIRST_OF_API: u16 = 0x8000;

/// Number of ids for the processes of a scenario: each of up to 16 CLI scenarios has other ones.
pub(super) const IDS: usize = 0x0800;

/// SkyPilot user of the processes of one iteration.
#[derive(Clone, Debug)]
pub(super) struct ProcessUser {
    /// Id, which another iteration has after [`IDS`] users.
    pub(super) id: String,
    /// Number among the users of the scenario, from 0.
    pub(super) number: usize,
}

/// Time of an iteration whose processes have a SkyPilot user.
#[derive(Clone, Copy, Debug)]
pub(super) struct UserSpan {
    pub(super) began: Instant,
    /// End of the last process; `None` before the end, and for an iteration that was interrupted.
    pub(super) ended: Option<Instant>,
}

/// Whether two of the iterations have the same id.
pub(super) const fn repeat_ids(spans: &[UserSpan]) -> bool {
    spans.len() > IDS
}

impl ScenarioContext {
    /// User for the processes of an iteration that begins now.
    pub(super) fn next_user(&self) -> ProcessUser {
        let mut spans = self.user_spans.borrow_mut();
        let number = spans.len();
        spans.push(UserSpan { began: Instant::now(), ended: None });
        let scenario = (self.planned.id as u16) % 16;
        let repeating = u16::try_from(number % IDS).unwrap_or(0);
        ProcessUser { id: self.run.id().user((scenario << 11) | repeating), number }
    }

    /// Notes the end of an iteration's processes.
    pub(super) fn note_end(&self, user: &ProcessUser, ended: Instant) {
        if let Some(span) = self.user_spans.borrow_mut().get_mut(user.number) {
            span.ended = Some(ended);
        }
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
