//! Environment variables that `--server-env` passes to an isolated server.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::hash;

/// Environment variable that `--server-env` passes to an isolated server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ServerVariable {
    /// Name of the variable.
    pub name: String,
    /// Value, or a hash of the value.
    pub value: RecordedValue,
}

/// Value of a variable as recorded in files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RecordedValue {
    /// Value that was given on the command line.
    Typed(String),
    /// SHA-256 of a value from the shell, in hexadecimal: the value may be a secret.
    Sha256(String),
}

impl ServerVariable {
    /// Argument of `--server-env` for the variable.
    pub fn to_arg(&self) -> String {
        match &self.value {
            RecordedValue::Typed(value) => format!("{}={value}", self.name),
            RecordedValue::Sha256(_) => self.name.clone(),
        }
    }

    /// Variable that is passed from the shell, with a hash of its value.
    pub fn of_shell(name: &str, value: &[u8]) -> Self {
        Self { name: name.to_owned(), value: RecordedValue::Sha256(hash::sha256(value)) }
    }
}

impl std::fmt::Display for RecordedValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Typed(value) => f.write_str(value),
            Self::Sha256(digits) => write!(f, "sha256:{}", digits.get(..12).unwrap_or(digits)),
        }
    }
}
