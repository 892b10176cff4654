//! The task that a command line asks for, as the YAML that the server gets.

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};

use super::connection::Connection;

/// The part of a command line that `launch` and `jobs launch` share: a task, and how it
/// is submitted.
#[derive(Debug, Args)]
pub(crate) struct TaskOptions {
    /// The infrastructure to run on.
    #[arg(long)]
    infra: Option<String>,
    /// How many CPUs each machine has; of no consequence.
    #[arg(long)]
    cpus: Option<String>,
    /// Does not ask before.
    #[arg(long, short = 'y')]
    yes: bool,
    /// Does not wait.
    #[arg(long = "async")]
    pub(super) detached: bool,
    /// The words of the command to run.
    #[arg(required = true)]
    command: Vec<String>,
}

impl TaskOptions {
    /// The YAML of the task.
    pub(super) fn dag(
        &self,
        server: &mut Connection<'_>,
        name: Option<&str>,
    ) -> anyhow::Result<String> {
        let command = self.command.join(" ");
        server.say(format!("Command to run: {command}"))?;
        // A string of JSON is one of YAML.
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

    /// Goes on only with `-y`, as SkyPilot does where it cannot ask.
    pub(super) fn confirm(&self) -> anyhow::Result<()> {
        if !self.yes {
            bail!("Aborted!");
        }
        Ok(())
    }
}

/// Every submission of a task is validated first.
pub(super) fn validate(
    server: &mut Connection<'_>,
    dag: &str,
    request_options: &Value,
) -> anyhow::Result<()> {
    server.post("/validate", &json!({"dag": dag, "request_options": request_options}))?;
    Ok(())
}
