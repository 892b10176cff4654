//! What stands in the home of a server of our own, and in its environment, before it
//! is started.

use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use skyload::env;
use skyload::infrastructure::Infrastructure;

use super::copies::copy_folder;
use super::{Context, credentials};

/// Managed jobs run in the server, so that listing them needs no cloud.
const CONFIG: &str = "jobs:\n  controller:\n    consolidation_mode: true\n";

/// Furnishes the home, which is empty but for `.sky`.
pub(super) fn home(context: &Context<'_>, home: &Path) -> Result<()> {
    let setup = context.setup.as_ref();
    let without_nodes = context.sky.facts.consolidates.then_some(CONFIG);
    if let Some(config) = setup.map(|setup| setup.config.as_str()).or(without_nodes) {
        write(&home.join(".sky/config.yaml"), config, 0o600)?;
    }
    // SkyPilot names sockets in /tmp after this id; of ours they can be told apart.
    write(&home.join(".sky/user_hash"), &context.run.id().new_user(), 0o600)?;
    if let Some(setup) = setup {
        for file in &setup.home_files {
            write(&home.join(&file.path), &file.content, file.mode)?;
        }
        copy_folder(&setup.wheels, &home.join(".sky/wheels"))?;
    }
    if let (Infrastructure::Clouds(clouds), true) =
        (&context.plan.infrastructure, context.copies_credentials)
    {
        credentials::copy(context.sky, clouds, home, context.signals)?;
    }
    Ok(())
}

/// Variables that the infrastructure wants the server to have.
pub(super) fn variables(context: &Context<'_>) -> Vec<(String, String)> {
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
