//! Boolean that can be unknown: missing evidence is not "no".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Answer to a yes-or-no question about a server, if it could be determined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fact {
    /// Known to be true.
    Yes,
    /// Known to be false.
    No,
    /// Undetermined.
    #[default]
    Unknown,
}

impl Fact {
    /// Known value; `None` for [`Fact::Unknown`].
    pub const fn known(self) -> Option<bool> {
        match self {
            Self::Yes => Some(true),
            Self::No => Some(false),
            Self::Unknown => None,
        }
    }
}

impl From<bool> for Fact {
    fn from(value: bool) -> Self {
        if value { Self::Yes } else { Self::No }
    }
}
