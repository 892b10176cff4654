//! What is so, is not so, or is not known: absence of evidence is no "no".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether something is so, as far as anybody could find out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fact {
    /// It is so.
    Yes,
    /// It is not.
    No,
    /// Nobody could find out.
    #[default]
    Unknown,
}

impl Fact {
    /// What is known; `None` if nothing is.
    pub const fn known(self) -> Option<bool> {
        match self {
            Self::Yes => Some(true),
            Self::No => Some(false),
            Self::Unknown => None,
        }
    }
}

impl From<bool> for Fact {
    fn from(is_so: bool) -> Self {
        if is_so { Self::Yes } else { Self::No }
    }
}
