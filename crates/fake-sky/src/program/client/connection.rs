//! Connection of a client command to the API server: common request fields, waiting for
//! results, output.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, bail};
use fake_sky::{COMMIT, DEFAULT_USER_ID, VERSION, http};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::program::local_port::local_port;
use crate::program::role;

const ENDPOINT: &str = "SKYPILOT_API_SERVER_ENDPOINT";

/// Reachable server, and the output of the command that uses it.
pub(super) struct Connection<'a> {
    endpoint: String,
    command: &'static str,
    pub(super) out: &'a mut dyn Write,
}

/// Error of a request, as the server reports it.
#[derive(Debug)]
pub(super) struct RequestError {
    pub(super) kind: String,
    pub(super) message: String,
}

impl RequestError {
    /// Whether SkyPilot's client would catch the error as one of these classes.
    pub(super) fn is(&self, kinds: &[&str]) -> bool {
        kinds.contains(&self.kind.as_str())
    }
}

/// Return value of a request, or its error.
pub(super) type Returned = Result<Value, RequestError>;

impl<'a> Connection<'a> {
    /// Connects `command` to the server. SkyPilot's client would start a missing local
    /// server; skyload's clients disable that (`SKYPILOT_DISABLE_LOCAL_API_SERVER`).
    pub(super) fn open(command: &'static str, out: &'a mut dyn Write) -> anyhow::Result<Self> {
        Ok(Self { endpoint: reachable_endpoint()?, command, out })
    }

    /// Prints a line.
    pub(super) fn print(&mut self, line: impl AsRef<str>) -> anyhow::Result<()> {
        Ok(writeln!(self.out, "{}", line.as_ref())?)
    }

    /// Prints the error of a request, and returns the exit code for it.
    pub(super) fn print_error(&mut self, error: &RequestError) -> anyhow::Result<u8> {
        self.print(format!("{}: {}", error.kind, error.message))?;
        Ok(1)
    }

    /// Submits `POST path` with the common fields and `fields`, and returns the request id.
    pub(super) fn post(&mut self, path: &str, fields: &Value) -> anyhow::Result<String> {
        let response = http::post(&format!("{}{path}", self.endpoint), &self.body(fields))?;
        if response.status != 200 {
            bail!("POST {path}: HTTP {}\n{}", response.status, response.body);
        }
        Ok(response.request_id()?.to_owned())
    }

    /// Submits `GET path`, and returns the request id.
    pub(super) fn get(&mut self, path: &str) -> anyhow::Result<String> {
        let response = http::get(&format!("{}{path}", self.endpoint))?;
        if response.status != 200 {
            bail!("GET {path}: HTTP {}\n{}", response.status, response.body);
        }
        Ok(response.request_id()?.to_owned())
    }

    /// Waits for a request, and returns its result.
    pub(super) fn result(&mut self, id: &str) -> anyhow::Result<Returned> {
        let response = http::get(&format!("{}/api/get?request_id={id}", self.endpoint))?;
        let body = response.json()?;
        // SkyPilot puts return values and errors as JSON text into the JSON of the request.
        let inner = |text: &Value| serde_json::from_str(text.as_str().unwrap_or_default());
        if response.status != 200 {
            let error: Value = inner(&body["detail"]["error"]).unwrap_or_default();
            let text = |field: &str| error[field].as_str().unwrap_or_default().to_owned();
            return Ok(Err(RequestError { kind: text("type"), message: text("message") }));
        }
        if body["status"] == "CANCELLED" {
            let message = format!("Request {id} has been cancelled");
            return Ok(Err(RequestError { kind: "RequestCancelled".to_owned(), message }));
        }
        Ok(Ok(inner(&body["return_value"]).unwrap_or_default()))
    }

    /// Prints the log of a request until the request ends, and returns its result.
    pub(super) fn stream_and_get(&mut self, id: &str) -> anyhow::Result<Returned> {
        let query = format!("request_id={id}&follow=True&format=console");
        let url = format!("{}/api/stream?{query}", self.endpoint);
        self.print_stream(&url, None)?;
        self.result(id)
    }

    /// Submits `POST path`, then prints its log and returns its result.
    pub(super) fn post_and_stream(
        &mut self,
        path: &str,
        fields: &Value,
    ) -> anyhow::Result<Returned> {
        let id = self.post(path, fields)?;
        self.stream_and_get(&id)
    }

    /// Prints a job's log until the log ends, and returns the exit code of the job.
    pub(super) fn follow(&mut self, path: &str, fields: &Value) -> anyhow::Result<u8> {
        let url = format!("{}{path}", self.endpoint);
        let body = self.body(fields);
        let id = self.print_stream(&url, Some(&body))?;
        match self.result(&id)? {
            Ok(code) => Ok(code.as_u64().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)),
            Err(error) => self.print_error(&error),
        }
    }

    /// Prints that a request was submitted (`--async`), and returns the exit code.
    pub(super) fn print_submitted(&mut self, name: &str, id: &str) -> anyhow::Result<u8> {
        let short = id.get(..8).unwrap_or(id);
        self.print(format!("Submitted {name} request: {id}"))?;
        self.print(format!("├── Check logs with: sky api logs {short}"))?;
        self.print(format!("└── To cancel the request, run: sky api cancel {short}\n"))?;
        Ok(0)
    }

    /// Prints a stream as it arrives, without control lines, and returns the request id in
    /// the response's header.
    fn print_stream(&mut self, url: &str, body: Option<&Value>) -> anyhow::Result<String> {
        let out = &mut *self.out;
        let mut line = Vec::new();
        let response = http::stream(url, body, &mut |chunk| {
            for byte in chunk {
                // A chunk may end within a line, so lines are put together byte by byte.
                line.push(*byte);
                if *byte == b'\n' {
                    if !line.starts_with(b"<sky-payload>") {
                        out.write_all(&line)?;
                    }
                    line.clear();
                }
            }
            Ok(out.flush()?)
        })?;
        if response.status != 200 {
            bail!("{url}: HTTP {}\n{}", response.status, response.body);
        }
        Ok(response.request_id()?.to_owned())
    }

    fn body(&self, fields: &Value) -> Value {
        let mut body = json!({
            "env_vars": variables(),
            "entrypoint": format!("sky.client.cli.command.{}", self.command.replace(' ', "_")),
            "entrypoint_command": format!("sky {}", self.command),
            "using_remote_api_server": false,
            "override_skypilot_config": {},
            "override_skypilot_config_path": "[null, null]",
        });
        for (name, value) in fields.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        body
    }
}

/// Runs `sky api status`: prints the requests of the server.
pub(crate) fn api_status(out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let local = role::read(ENDPOINT).is_none();
    let Ok(endpoint) = reachable_endpoint() else {
        // For a local server SkyPilot first looks for its process, and exits with 0 if there
        // is none. An unreachable endpoint of the user's is an error.
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

/// Runs `sky api info`: prints the server's URL, version and status.
pub(crate) fn api_info(out: &mut impl Write) -> anyhow::Result<ExitCode> {
    writeln!(out, "SkyPilot client version: {VERSION}, commit: {COMMIT}")?;
    let endpoint = match reachable_endpoint() {
        Ok(endpoint) => endpoint,
        Err(error) => {
            // An unreachable server is a valid result of this command, not a failure.
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

fn reachable_endpoint() -> anyhow::Result<String> {
    let endpoint = match role::read(ENDPOINT) {
        Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
        None => format!("http://127.0.0.1:{}", local_port()?),
    };
    http::get(&format!("{endpoint}/api/health")).with_context(|| {
        format!(
            "Could not connect to SkyPilot API server at {endpoint}. Please ensure that the \
             server is running"
        )
    })?;
    Ok(endpoint)
}

/// Variables of this process that are sent with a request, as SkyPilot's client does.
fn variables() -> Map<String, Value> {
    let is_sent =
        |name: &str| name.starts_with("SKYPILOT_") && !name.starts_with("SKYPILOT_SERVER_");
    let own = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let mut variables: Map<String, Value> =
        own.filter(|(name, _)| is_sent(name)).map(|(name, value)| (name, value.into())).collect();
    let user = role::read("SKYPILOT_USER").unwrap_or_else(|| "root".to_owned());
    variables.insert("SKYPILOT_USER_ID".to_owned(), user_id().into());
    variables.insert("SKYPILOT_USER".to_owned(), user.into());
    let run = Uuid::new_v4().to_string();
    variables.insert("SKYPILOT_USAGE_RUN_ID".to_owned(), run.into());
    variables
}

fn user_id() -> String {
    role::read("SKYPILOT_USER_ID").unwrap_or_else(|| DEFAULT_USER_ID.to_owned())
}
