//! HTTP clients that are compared: skyload, oha, wrk, and a loop in Python.
//!
//! Each is a process that sends the same request on several connections for a time, on each
//! connection the next one after the response.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use skyload::record::request::LoadRequest;
use url::Url;

use super::measured::{self, ProcessCost};
use super::scenario::Target;
use crate::flags::ToolFlags;

const SESSION_LOOP: &str = include_str!("session_loop.py");

/// Path of the request that all clients send: the one of `api:api_status`.
const PATH: &str = "/api/status?all_status=False";

/// Kind of an HTTP client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ClientKind {
    /// Scenario `api:api_status` of skyload.
    Skyload,
    /// Program `oha`, written in Rust with hyper.
    Oha,
    /// Program `wrk`, written in C.
    Wrk,
    /// Threads that share a session of Python's requests.
    PythonSession,
}

impl fmt::Display for ClientKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Skyload => "skyload",
            Self::Oha => "oha",
            Self::Wrk => "wrk",
            Self::PythonSession => "Python session",
        })
    }
}

/// HTTP client that is there.
#[derive(Clone, Debug)]
pub(crate) struct HttpClient {
    pub(crate) kind: ClientKind,
    /// Program of the tool, or the Python interpreter; not used by skyload.
    program: PathBuf,
}

/// Numbers of responses, and what they cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ClientRun {
    pub(crate) requests: Requests,
    pub(crate) cost: ProcessCost,
}

/// Numbers of requests by their result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Requests {
    /// Number of responses with status 200.
    #[serde(rename = "requests")]
    pub(crate) succeeded: u64,
    /// Number of other responses and of requests without one.
    pub(crate) failed: u64,
}

impl HttpClient {
    /// Clients that are there, skyload first.
    pub(crate) fn all(tools: &ToolFlags) -> Vec<Self> {
        let tool =
            |kind, program: &Option<PathBuf>| program.clone().map(|program| Self { kind, program });
        let skyload = Self { kind: ClientKind::Skyload, program: PathBuf::new() };
        let tools = [
            tool(ClientKind::Oha, &tools.oha),
            tool(ClientKind::Wrk, &tools.wrk),
            tool(ClientKind::PythonSession, &tools.session_python),
        ];
        [skyload].into_iter().chain(tools.into_iter().flatten()).collect()
    }

    /// Sends requests to the static server for `window`.
    pub(crate) fn run(&self, target: &Target, users: u32, window: Duration) -> Result<ClientRun> {
        let endpoint = &target.client().endpoint;
        let url = endpoint.join(PATH).context("building the URL of the static server")?;
        let run = match self.kind {
            ClientKind::Skyload => run_skyload(target, users, window),
            ClientKind::Oha => self.run_oha(&url, users, window),
            ClientKind::Wrk => self.run_wrk(&url, users, window),
            ClientKind::PythonSession => self.run_session(&url, users, window),
        };
        let run = run.with_context(|| format!("measuring {}", self.kind))?;
        ensure!(run.requests.succeeded > 0, "{}: no request succeeded", self.kind);
        Ok(run)
    }

    fn run_oha(&self, url: &Url, users: u32, window: Duration) -> Result<ClientRun> {
        let mut command = measured::command(&self.program);
        command.args(["--no-tui", "--output-format", "json", "-c", &users.to_string()]);
        command.args(["-z", &format!("{}ms", window.as_millis()), url.as_str()]);
        let measured = measured::run(command)?;
        Ok(ClientRun { requests: Requests::of_oha(&measured.output)?, cost: measured.cost })
    }

    fn run_wrk(&self, url: &Url, users: u32, window: Duration) -> Result<ClientRun> {
        let mut command = measured::command(&self.program);
        // wrk takes whole seconds, and skyload has one thread as well.
        let seconds = window.as_secs().max(1).to_string();
        command.args(["-t", "1", "-c", &users.to_string(), "-d", &seconds, url.as_str()]);
        let measured = measured::run(command)?;
        Ok(ClientRun { requests: Requests::of_wrk(&measured.output)?, cost: measured.cost })
    }

    fn run_session(&self, url: &Url, users: u32, window: Duration) -> Result<ClientRun> {
        let mut command = measured::command(&self.program);
        // With `-c`, Python imports modules from the current directory before installed ones.
        command.current_dir("/").args(["-c", SESSION_LOOP, url.as_str()]);
        command.args([users.to_string(), window.as_secs_f64().to_string()]);
        let measured = measured::run(command)?;
        let requests = serde_json::from_str(&measured.output).context("reading the counts")?;
        Ok(ClientRun { requests, cost: measured.cost })
    }
}

/// Runs a closed loop of skyload's scenario, each of whose iterations is one request.
pub(crate) fn run_skyload(target: &Target, users: u32, window: Duration) -> Result<ClientRun> {
    let finished = target.run(LoadRequest {
        users: Some(users.to_string()),
        time: Some(humantime::format_duration(window).to_string()),
        ..api_status()
    })?;
    let finished = finished.expect_success()?;
    let requests = Requests { succeeded: finished.succeeded(), failed: finished.failed() };
    let cost = finished.cost;
    Ok(ClientRun { requests, cost })
}

/// Request for a load of the scenario that sends one request per iteration.
pub(crate) fn api_status() -> LoadRequest {
    LoadRequest { api: vec!["api_status".to_owned()], ..LoadRequest::default() }
}

impl Requests {
    /// Counts in the JSON that oha prints.
    fn of_oha(output: &str) -> Result<Self> {
        /// Requests that are active at the end of the time, which every client has.
        const ACTIVE: &str = "aborted due to deadline";
        let result: Value = serde_json::from_str(output).context("reading the result of oha")?;
        let counts = |name: &str| -> Vec<(String, u64)> {
            let counts = result[name].as_object().into_iter().flatten();
            counts.filter_map(|(name, count)| Some((name.clone(), count.as_u64()?))).collect()
        };
        let (statuses, errors) = (counts("statusCodeDistribution"), counts("errorDistribution"));
        let sum = |counts: &[(String, u64)], is_wanted: &dyn Fn(&str) -> bool| -> u64 {
            counts.iter().filter(|(name, _)| is_wanted(name)).map(|(_, count)| count).sum()
        };
        Ok(Self {
            succeeded: sum(&statuses, &|status| status == "200"),
            failed: sum(&statuses, &|status| status != "200")
                + sum(&errors, &|error| error != ACTIVE),
        })
    }

    /// Counts in the text that wrk prints.
    fn of_wrk(output: &str) -> Result<Self> {
        let number = |text: &str| text.trim().parse::<u64>().ok();
        let all = output.lines().find_map(|line| number(line.split_once(" requests in ")?.0));
        let all = all.context("finding the number of requests in the output of wrk")?;
        let other = output.lines().find_map(|line| number(line.split_once("3xx responses:")?.1));
        // `Socket errors: connect 0, read 1, write 0, timeout 0`
        let errors = output.lines().find_map(|line| line.split_once("Socket errors:"));
        let errors: u64 = errors.map_or(0, |(_, errors)| {
            errors.split([' ', ',']).filter_map(|word| word.parse::<u64>().ok()).sum()
        });
        let other = other.unwrap_or(0);
        Ok(Self { succeeded: all.saturating_sub(other), failed: other + errors })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_oha_aborts_at_its_end_have_not_failed() {
        let output = r#"{"summary": {"total": 1.0},
            "statusCodeDistribution": {"200": 9000, "503": 3},
            "errorDistribution": {"aborted due to deadline": 10, "connection refused": 2}}"#;
        let requests = Requests::of_oha(output).unwrap();
        assert_eq!(requests, Requests { succeeded: 9000, failed: 5 });
        assert!(Requests::of_oha("usage: oha").is_err());
    }

    #[test]
    fn failed_requests_of_wrk_are_in_two_lines() {
        let output = "Running 1s test @ http://127.0.0.1:1/\n  1 threads and 10 connections\n\
                        34567 requests in 1.00s, 8.00MB read\n";
        let good = Requests::of_wrk(output).unwrap();
        assert_eq!(good, Requests { succeeded: 34567, failed: 0 });
        let output = format!(
            "{output}  Socket errors: connect 0, read 4, write 0, timeout 1\n  \
             Non-2xx or 3xx responses: 67\n"
        );
        let bad = Requests::of_wrk(&output).unwrap();
        assert_eq!(bad, Requests { succeeded: 34500, failed: 72 });
        assert!(Requests::of_wrk("unable to connect to 127.0.0.1:1").is_err());
    }
}
