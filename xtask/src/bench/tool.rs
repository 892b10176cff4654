//! Tools that the load generator is compared with.

use std::path::PathBuf;

use anyhow::Result;
use host::signals::Interrupted;

/// Tool that the load generator is compared with.
pub(super) struct Tool {
    /// Name in the tables.
    pub(super) name: &'static str,
    /// Flag of the benchmark's program for the path.
    pub(super) flag: &'static str,
    /// Program and version, or the reason why there is none.
    pub(super) found: Result<FoundTool, String>,
}

/// Tool that is there.
pub(super) struct FoundTool {
    pub(super) program: PathBuf,
    /// Name and version.
    pub(super) version: String,
}

impl Tool {
    /// Tool that was looked for. An interruption is an error, everything else a reason.
    pub(super) fn of(
        name: &'static str,
        flag: &'static str,
        found: Result<FoundTool>,
    ) -> Result<Self> {
        let found = match found {
            Err(error) if error.is::<Interrupted>() => return Err(error),
            found => found.map_err(|error| reason(&error)),
        };
        Ok(Self { name, flag, found })
    }
}

/// First line of an error, and its hint, in one line.
fn reason(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    let first = text.lines().next().unwrap_or_default().trim_end_matches(':');
    let hint = text.lines().find(|line| line.trim_start().starts_with("hint:"));
    hint.map_or_else(|| first.to_owned(), |hint| format!("{first}; {}", hint.trim()))
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_tool_that_cannot_be_installed_is_missing_with_what_to_type() {
        let error = anyhow!("installing oha: `cargo install` failed:\n    a\n    b\n  hint: `x`");
        let tool = Tool::of("oha", "--oha", Err(error)).unwrap();
        let expected = "installing oha: `cargo install` failed; hint: `x`";
        assert_eq!(tool.found.err().as_deref(), Some(expected));
    }

    #[test]
    fn an_interruption_is_no_missing_tool() {
        let error = Tool::of("oha", "--oha", Err(Interrupted.into())).err().unwrap();
        assert!(error.is::<Interrupted>());
    }
}
