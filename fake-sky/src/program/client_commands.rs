//! The commands of `sky` that ask the server: the same calls, in the same
//! order, as SkyPilot's own client makes.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, bail};
use fake_sky::{COMMIT, DEFAULT_USER_ID, VERSION, http};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{role, server_control};

const ENDPOINT: &str = "SKYPILOT_API_SERVER_ENDPOINT";

/// A command and what it asks for.
struct Command {
    words: &'static str,
    calls: &'static [&'static str],
    /// Headings of the tables that it prints, whatever the server answered.
    tables: &'static [&'static str],
    /// Whether it exits with 1 when a request fails. Most do not: their exit
    /// code proves nothing.
    honest: bool,
}

/// All of them. A call without a result to wait for ends by itself.
const COMMANDS: [Command; 9] = [
    Command {
        words: "status",
        calls: &[
            "POST /jobs/queue/v2",
            "POST /serve/status",
            "POST /jobs/pool_status",
            "GET /workspaces",
            "GET /enabled_clouds?expand=True",
            "POST /status",
        ],
        tables: &["Clusters", "Managed jobs", "Services"],
        honest: false,
    },
    Command {
        words: "jobs queue",
        calls: &["POST /jobs/queue/v2", "POST /jobs/pool_status"],
        tables: &["Managed jobs"],
        honest: false,
    },
    Command {
        words: "serve status",
        calls: &["POST /serve/status"],
        tables: &["Services"],
        honest: false,
    },
    Command { words: "queue", calls: &["POST /queue"], tables: &[], honest: false },
    Command { words: "check", calls: &["POST /check"], tables: &[], honest: false },
    Command {
        words: "launch",
        calls: &["POST /validate", "POST /launch"],
        tables: &[],
        honest: true,
    },
    Command { words: "exec", calls: &["POST /validate", "POST /exec"], tables: &[], honest: true },
    Command { words: "logs", calls: &["POST /logs"], tables: &[], honest: true },
    Command { words: "down", calls: &["POST /down"], tables: &[], honest: true },
];

/// Runs the command called `words`.
pub(crate) fn run(
    words: &str,
    arguments: &[String],
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let command = COMMANDS.iter().find(|command| command.words == words);
    let command = command.with_context(|| format!("no such command: {words}"))?;
    let endpoint = reachable_endpoint()?;
    let body = body(words, arguments);

    let mut queued = Vec::new();
    for call in command.calls {
        let (method, path) = call.split_once(' ').unwrap_or(("GET", call));
        let url = format!("{endpoint}{path}");
        let response = if method == "POST" { http::post(&url, &body) } else { http::get(&url) }?;
        if response.status != 200 {
            bail!("{call}: HTTP {}\n{}", response.status, response.body);
        }
        if path != "/validate" {
            queued.push(response.request_id()?.to_owned());
        }
    }
    let wait = !arguments.iter().any(|argument| argument == "--async");
    let mut failed = false;
    for id in queued.iter().filter(|_| wait) {
        failed |= !stream_and_get(&endpoint, id, out)?;
    }
    for heading in command.tables {
        writeln!(out, "{heading}")?;
    }
    Ok(ExitCode::from(u8::from(failed && command.honest)))
}

/// `sky api status`: lists the requests of the server.
pub(crate) fn api_status(out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let local = role::read(ENDPOINT).is_none();
    let Ok(endpoint) = reachable_endpoint() else {
        // Asked about a local server, SkyPilot looks for its process first.
        writeln!(out, "SkyPilot API server is not running.")?;
        return Ok(ExitCode::from(u8::from(!local)));
    };
    let fields = ["request_id", "name", "user_id", "status", "created_at"];
    let fields: String = fields.iter().map(|field| format!("&fields={field}")).collect();
    let url = format!("{endpoint}/api/status?all_status=False&limit=50{fields}");
    writeln!(out, "{:38}{:28}Status", "ID", "Name")?;
    for row in http::get(&url)?.json()?.as_array().into_iter().flatten() {
        let column = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
        writeln!(out, "{:38}{:28}{}", column("request_id"), column("name"), column("status"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// `sky api info`: shows the server.
pub(crate) fn api_info(out: &mut impl Write) -> anyhow::Result<ExitCode> {
    writeln!(out, "SkyPilot client version: {VERSION}, commit: {COMMIT}")?;
    let endpoint = match reachable_endpoint() {
        Ok(endpoint) => endpoint,
        Err(error) => {
            // No failure: that there is none is what was asked.
            writeln!(out, "{error}")?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    writeln!(out, "Using SkyPilot API server and dashboard: {endpoint}")?;
    let health = http::get(&format!("{endpoint}/api/health"))?.json()?;
    writeln!(
        out,
        "├── Status: ApiServerStatus.HEALTHY, commit: {}, version: {}",
        health["commit"].as_str().unwrap_or_default(),
        health["version"].as_str().unwrap_or_default()
    )?;
    writeln!(out, "└── User: root ({})", user_id())?;
    Ok(ExitCode::SUCCESS)
}

/// Follows a request to its end; whether it succeeded.
fn stream_and_get(endpoint: &str, id: &str, out: &mut impl Write) -> anyhow::Result<bool> {
    let stream = format!("{endpoint}/api/stream?request_id={id}&follow=True&format=console");
    let text = http::get(&stream)?.body;
    for line in text.lines().filter(|line| !line.starts_with("<sky-payload>")) {
        writeln!(out, "{line}")?;
    }
    let response = http::get(&format!("{endpoint}/api/get?request_id={id}"))?;
    if response.status == 200 {
        return Ok(response.json()?["status"] == "SUCCEEDED");
    }
    let request = &response.json()?["detail"];
    let error = request["error"].as_str().unwrap_or_default();
    let error: Value = serde_json::from_str(error).unwrap_or_default();
    let text = |field: &str| error[field].as_str().unwrap_or_default().to_owned();
    writeln!(out, "{}: {}", text("type"), text("message"))?;
    Ok(false)
}

/// The server that this client talks to, if it is there. The real one would
/// start a missing local server; load clients forbid it that.
fn reachable_endpoint() -> anyhow::Result<String> {
    let endpoint = match role::read(ENDPOINT) {
        Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
        None => format!("http://127.0.0.1:{}", server_control::local_port()?),
    };
    http::get(&format!("{endpoint}/api/health")).with_context(|| {
        format!(
            "Could not connect to SkyPilot API server at {endpoint}. Please ensure that the \
             server is running"
        )
    })?;
    Ok(endpoint)
}

/// One body for every call: a server ignores what it does not know.
fn body(words: &str, arguments: &[String]) -> Value {
    let dag = "name: fake\nrun: echo hello\n";
    let cluster = arguments.iter().skip_while(|argument| *argument != "-c").nth(1);
    let cluster = cluster.or_else(|| arguments.iter().find(|word| !word.starts_with('-')));
    let cluster = cluster.map_or("fake", String::as_str);
    json!({
        "env_vars": {
            "SKYPILOT_USER_ID": user_id(),
            "SKYPILOT_USER": role::read("SKYPILOT_USER").unwrap_or_else(|| "root".to_owned()),
            "SKYPILOT_USAGE_RUN_ID": Uuid::new_v4().to_string(),
        },
        "entrypoint": format!("sky.client.cli.command.{}", words.replace(' ', ".")),
        "entrypoint_command": format!("sky {words}"),
        "using_remote_api_server": false,
        "override_skypilot_config": {},
        "refresh": if words == "status" { json!("NONE") } else { json!(false) },
        "cluster_name": cluster,
        "task": dag,
        "dag": dag,
        "request_options": null,
        "job_id": 1,
    })
}

fn user_id() -> String {
    role::read("SKYPILOT_USER_ID").unwrap_or_else(|| DEFAULT_USER_ID.to_owned())
}
