//! Task of a command line, as the YAML that the server gets.

use std::path::PathBuf;

use anyhow::{bail, ensure};
use clap::Args;
use serde_json::{Value, json};

use super::connection::Connection;

/// Arguments that `launch` and `jobs launch` share: the task, and how to submit it.
#[derive(Debug, Args)]
pub(crate) struct TaskOptions {
    /// Infra to run on.
    #[arg(long)]
    infra: Option<String>,
    /// CPUs per node; ignored.
    #[arg(long)]
    cpus: Option<String>,
    /// Directory to copy to the cluster; only its existence matters here.
    #[arg(long)]
    workdir: Option<PathBuf>,
    /// Skips the confirmation.
    #[arg(long, short = 'y')]
    yes: bool,
    /// Submits without waiting for the request.
    #[arg(long = "async")]
    pub(super) detached: bool,
    /// Command to run.
    #[arg(required = true)]
    command: Vec<String>,
}

impl TaskOptions {
    /// YAML of the task.
    pub(super) fn dag(
        &self,
        server: &mut Connection<'_>,
        name: Option<&str>,
    ) -> anyhow::Result<String> {
        if let Some(workdir) = &self.workdir {
            ensure!(workdir.is_dir(), "workdir {} does not exist", workdir.display());
        }
        let command = self.command.join(" ");
        server.print(format!("Command to run: {command}"))?;
        // Quoting as JSON: a JSON string is also a valid YAML string.
        let run = json!(command);
        let (dag, task) = (name.unwrap_or("null"), name.unwrap_or("sky-cmd"));
        let infra = self.infra.as_ref();
        let resources =
            infra.map_or_else(String::new, |infra| format!("\n\nresources:\n  infra: {infra}"));
        Ok(format!(
            "name: {dag}\n---\n\nname: {task}\n\nrun: {run}\n\nnum_nodes: 1\n\nfile_mounts: \
             {{}}\n\nvolumes: {{}}{resources}\n"
        ))
    }

    /// Fails without `-y`, like SkyPilot without a terminal for the confirmation.
    pub(super) fn confirm(&self) -> anyhow::Result<()> {
        if !self.yes {
            bail!("Aborted!");
        }
        Ok(())
    }
}

/// Validates a task on the server, as SkyPilot's client does before each submission.
pub(super) fn validate(
    server: &mut Connection<'_>,
    dag: &str,
    request_options: &Value,
) -> anyhow::Result<()> {
    server.post("/validate", &json!({"dag": dag, "request_options": request_options}))?;
    Ok(())
}
