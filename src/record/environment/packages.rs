//! Python and packages that SkyPilot runs on.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::target::ResolutionDate;
use crate::units::counted;

/// Python and packages of an installed SkyPilot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PythonPackages {
    /// Version of Python, such as `3.11.7`.
    pub python: String,
    /// Date that skyload resolved the packages as of; `None` if it set no date, or did not
    /// install them.
    pub resolved_as_of: Option<ResolutionDate>,
    /// Versions of the installed packages, by their normalized names.
    pub installed: BTreeMap<String, String>,
}

impl PythonPackages {
    /// Number of packages, their date and Python, as in `150 packages as of 2026-11-20, Python
    /// 3.11.7`.
    pub fn in_words(&self) -> String {
        let date = self.resolved_as_of.as_ref().map(|date| format!(" as of {}", date.day()));
        format!(
            "{}{}, Python {}",
            counted(self.installed.len(), "package"),
            date.unwrap_or_default(),
            self.python
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_in_words() {
        let mut packages = PythonPackages {
            python: "3.11.7".to_owned(),
            resolved_as_of: Some("2026-11-20".parse().unwrap()),
            installed: [("click".to_owned(), "8.1".to_owned())].into(),
        };
        assert_eq!(packages.in_words(), "1 package as of 2026-11-20, Python 3.11.7");
        packages.resolved_as_of = None;
        packages.installed.clear();
        assert_eq!(packages.in_words(), "0 packages, Python 3.11.7");
    }
}
