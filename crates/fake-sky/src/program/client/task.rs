//! The task that a command line asks for, as the YAML that the server gets.

use std::fs;
use std::path::Path;

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};

use super::connection::Connection;

/// What `launch`, `exec`, `jobs launch` and `serve up` know of a task.
#[derive(Debug, Args)]
pub(crate) struct TaskOptions {
    /// The infrastructure to run on.
    #[arg(long)]
    infra: Option<String>,
    /// How many machines.
    #[arg(long, default_value_t = 1)]
    num_nodes: u64,
    /// How many CPUs each has; of no consequence.
    #[arg(long)]
    cpus: Option<String>,
    /// How much memory each has; of no consequence.
    #[arg(long)]
    memory: Option<String>,
    /// Which accelerators; of no consequence.
    #[arg(long)]
    gpus: Option<String>,
    /// Variables; of no consequence.
    #[arg(long)]
    env: Vec<String>,
    /// Does not ask before.
    #[arg(long, short = 'y')]
    pub(super) yes: bool,
    /// Does not wait.
    #[arg(long = "async")]
    pub(super) detached: bool,
}

/// A YAML file, or a command to run.
#[derive(Debug, Args)]
pub(crate) struct Entrypoint {
    /// The file, or the words of the command.
    entrypoint: Vec<String>,
}

impl TaskOptions {
    /// The YAML of the task, named `name` unless its file says otherwise.
    pub(super) fn dag(
        &self,
        server: &mut Connection<'_>,
        entrypoint: &[String],
        name: Option<&str>,
    ) -> anyhow::Result<String> {
        let words = entrypoint.join(" ");
        let whole = format!("name: {}\n---\n\n", name.unwrap_or("null"));
        let is_file = [".yaml", ".yml"].iter().any(|end| words.ends_with(end));
        if is_file && Path::new(&words).is_file() {
            server.say(format!("YAML to run: {words}"))?;
            let text = fs::read_to_string(&words).with_context(|| format!("reading {words}"))?;
            return Ok(whole + &self.on_infra(&text));
        }
        let mut task = format!("name: {}\n\n", name.unwrap_or("sky-cmd"));
        if !words.is_empty() {
            server.say(format!("Command to run: {words}"))?;
            // A string of JSON is one of YAML.
            task += &format!("run: {}\n\n", json!(words));
        }
        task += &format!("num_nodes: {}\n\nfile_mounts: {{}}\n\nvolumes: {{}}\n", self.num_nodes);
        Ok(whole + &self.on_infra(&task))
    }

    fn on_infra(&self, task: &str) -> String {
        let Some(infra) = &self.infra else { return task.to_owned() };
        let wanted = format!("resources:\n  infra: {infra}\n");
        match task.find("resources:\n") {
            Some(_) => task.replacen("resources:\n", &wanted, 1),
            None => format!("{}\n\n{wanted}", task.trim_end()),
        }
    }
}

impl Entrypoint {
    /// Its words.
    pub(super) fn words(&self) -> &[String] {
        &self.entrypoint
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
