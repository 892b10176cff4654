//! The commands that start and end services: `serve up` and `serve down`.

use clap::Args;
use serde_json::{Value, json};

use super::confirmed;
use super::connection::Connection;
use super::task::{Entrypoint, TaskOptions, validate};

/// How `sky serve up` is called.
#[derive(Debug, Args)]
pub(crate) struct ServeUp {
    /// The name of the service.
    #[arg(long, short = 'n')]
    service_name: Option<String>,
    #[command(flatten)]
    options: TaskOptions,
    #[command(flatten)]
    entrypoint: Entrypoint,
}

/// How `sky serve down` is called.
#[derive(Debug, Args)]
pub(crate) struct ServeDown {
    services: Vec<String>,
    /// Means all services.
    #[arg(long, short = 'a')]
    all: bool,
    /// Does not ask before.
    #[arg(long, short = 'y')]
    yes: bool,
    /// Ignores what fails.
    #[arg(long, short = 'p')]
    purge: bool,
    /// Does not wait.
    #[arg(long = "async")]
    detached: bool,
}

pub(super) fn up(server: &mut Connection<'_>, up: &ServeUp) -> anyhow::Result<u8> {
    let name = up.service_name.as_deref().unwrap_or("sky-service-fake");
    let dag = up.options.dag(server, up.entrypoint.words(), Some(name))?;
    server.say("Service spec:")?;
    server.say("Each replica will use the following resources (estimated):")?;
    validate(server, &dag, &Value::Null)?;
    // Unlike a launch, which plans only to ask whether to go on.
    let planned = server.ask("/optimize", &json!({"dag": dag, "request_options": null}))?;
    if let Err(refused) = planned {
        return server.lament(&refused);
    }
    confirmed(up.options.yes)?;
    let id = server.post("/serve/up", &json!({"task": dag, "service_name": name}))?;
    wait(server, "sky.serve.up", &id, up.options.detached)
}

pub(super) fn down(server: &mut Connection<'_>, down: &ServeDown) -> anyhow::Result<u8> {
    confirmed(down.yes)?;
    let fields = json!({"service_names": down.services, "all": down.all, "purge": down.purge});
    let id = server.post("/serve/down", &fields)?;
    wait(server, "sky.serve.down", &id, down.detached)
}

fn wait(server: &mut Connection<'_>, name: &str, id: &str, detached: bool) -> anyhow::Result<u8> {
    if detached {
        return server.submitted(name, id);
    }
    match server.stream_and_get(id)? {
        Ok(_) => Ok(0),
        Err(refused) => server.lament(&refused),
    }
}
