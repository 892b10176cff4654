//! Home directory and environment of an isolated server, prepared before its start.

use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use loopback::ServerSetup;
use skyload::env;
use skyload::infrastructure::Infrastructure;

use super::copies::copy_folder;
use super::{Context, credentials, tracing};

/// SkyPilot configuration by which managed jobs run inside of the server, so that listing them
/// needs no cloud.
const CONFIG: &str = "jobs:\n  controller:\n    consolidation_mode: true\n";

/// Fills the home, which holds nothing but an empty `.sky`.
pub(super) fn home(context: &Context<'_>, home: &Path) -> Result<()> {
    let setup = context.setup.as_ref();
    // Older releases reject a configuration with `consolidation_mode`.
    let default_config = context.sky.facts.consolidates.then(|| CONFIG.to_owned());
    if let Some(config) = setup.map(ServerSetup::config).or(default_config) {
        write(&home.join(".sky/config.yaml"), &config, 0o600)?;
    }
    // SkyPilot names its ssh sockets in /tmp after this id, by which cleanup finds them.
    write(&home.join(".sky/user_hash"), &context.run.id().new_user(), 0o600)?;
    if let Some(setup) = setup {
        for file in &setup.home_files {
            write(&home.join(&file.path), &file.content, file.mode)?;
        }
        for folder in &setup.home_folders {
            copy_folder(&folder.from, &home.join(&folder.to))?;
        }
    }
    if context.traced.is_some() {
        tracing::prepare(context.run)?;
    }
    if let (Infrastructure::Clouds(clouds), true) =
        (&context.plan.infrastructure, context.copies_credentials)
    {
        credentials::copy(context.sky, clouds, home, context.signals)?;
    }
    Ok(())
}

/// Variables of a server that launches on local infras, or whose executors are traced.
pub(super) fn variables(context: &Context<'_>) -> Vec<(String, String)> {
    let variables = variables_of_infra(context);
    match context.traced {
        Some(traced) => tracing::variables(traced, context.run, variables),
        None => variables,
    }
}

fn variables_of_infra(context: &Context<'_>) -> Vec<(String, String)> {
    let Some(setup) = &context.setup else { return Vec::new() };
    let mut variables = setup.variables();
    variables.push(("PATH".to_owned(), setup.path(&env::text("PATH").unwrap_or_default())));
    variables
}

fn write(path: &Path, content: &str, mode: u32) -> Result<()> {
    let write = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut options = fs::File::options();
        let mut file = options.write(true).create(true).truncate(true).mode(mode).open(path)?;
        std::io::Write::write_all(&mut file, content.as_bytes())
    };
    write().with_context(|| format!("writing `{}`", path.display()))
}
