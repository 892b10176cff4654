//! A variable that an isolated server is given on purpose.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::hash;

/// A variable that an isolated server is given on purpose: `--server-env`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ServerVariable {
    /// Its name.
    pub name: String,
    /// What is kept of its value.
    pub value: KeptValue,
}

/// What is kept of a variable's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KeptValue {
    /// All of it: it was typed.
    Typed(String),
    /// SHA-256 of it, in hexadecimal: it is the shell's, and may be nobody's business.
    Sha256(String),
}

impl ServerVariable {
    /// The variable as `--server-env` takes it.
    pub fn typed(&self) -> String {
        match &self.value {
            KeptValue::Typed(value) => format!("{}={value}", self.name),
            KeptValue::Sha256(_) => self.name.clone(),
        }
    }

    /// A variable that is passed on from the shell, where it has this value.
    pub fn of_shell(name: &str, value: &[u8]) -> Self {
        Self { name: name.to_owned(), value: KeptValue::Sha256(hash::sha256(value)) }
    }
}

impl std::fmt::Display for KeptValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Typed(value) => f.write_str(value),
            Self::Sha256(digits) => write!(f, "sha256:{}", digits.get(..12).unwrap_or(digits)),
        }
    }
}
