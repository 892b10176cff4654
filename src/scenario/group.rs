//! Groups of scenarios: what is loaded one after the other where each is to have
//! memory peaks of its own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Scenario, ScenarioId, ScenarioKind};

/// Scenarios of one kind, that launch something or don't.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// HTTP requests to a server that need nothing else.
    Api,
    /// `sky` processes that need nothing but a server.
    Cli,
    /// HTTP requests that launch something, or ask about what was launched.
    ApiInfra,
    /// `sky` processes that launch something, or ask about what was launched.
    CliInfra,
}

impl Group {
    /// All groups, in the order in which they run.
    pub const ALL: [Self; 4] = [Self::Api, Self::Cli, Self::ApiInfra, Self::CliInfra];

    /// The name used in files and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Cli => "cli",
            Self::ApiInfra => "api-infra",
            Self::CliInfra => "cli-infra",
        }
    }
}

impl ScenarioId {
    /// The group of a scenario; `None` for the health probe, which runs during every load.
    pub fn group(self) -> Option<Group> {
        let takes_infrastructure = Scenario::of(self).needs.takes_infrastructure();
        match (self.kind(), takes_infrastructure) {
            (ScenarioKind::Api, false) => Some(Group::Api),
            (ScenarioKind::Cli, false) => Some(Group::Cli),
            (ScenarioKind::Api, true) => Some(Group::ApiInfra),
            (ScenarioKind::Cli, true) => Some(Group::CliInfra),
            (ScenarioKind::Probe, _) => None,
        }
    }
}
