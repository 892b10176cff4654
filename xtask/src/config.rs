//! Configuration of commands: the checkout's `skyload.toml`, or another file.

use std::path::Path;

use anyhow::Result;
use host::workspace::Workspace;
use skyload::config::{Config, ConfigError};
use skyload::plan::UsageErrors;

/// Configuration from the checkout's `skyload.toml`, or from the file of `--config`. An unreadable
/// file of `--config` is a usage error.
pub(crate) fn read(named: Option<&Path>, workspace: &Workspace) -> Result<Config> {
    let Some(path) = named else {
        return Ok(Config::read(&workspace.root.join("skyload.toml"))?);
    };
    Config::read(path).map_err(|error| match error {
        ConfigError::Read { path, source } => {
            UsageErrors(vec![format!("--config: cannot read `{}`: {source}", path.display())])
                .into()
        }
        invalid @ ConfigError::Invalid(_) => invalid.into(),
    })
}
