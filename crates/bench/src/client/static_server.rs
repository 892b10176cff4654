//! Static server: answers the same bytes to every request, in a process of its own.
//!
//! What a client costs is then not hidden by what a server does. The responses have the form of
//! SkyPilot's, so that a scenario of skyload accepts them.

use std::io::{Read as _, Write as _, stdin};
use std::process::Command;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use fake_sky::title::THIS_PROGRAM;
use host::print;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use url::Url;

use crate::line_process::LineProcess;
use crate::runtime::runtime;

/// Response of `/api/health`.
const HEALTH: &str = concat!(
    r#"{"status":"healthy","api_version":"62","version":"0.14.1","version_on_disk":"0.14.1","#,
    r#""commit":"0000000000000000000000000000000000000000","basic_auth_enabled":false,"user":null}"#
);

/// Response of `/api/status`: a list with one request.
const REQUESTS: &str = concat!(
    r#"[{"request_id":"00000000-0000-0000-0000-000000000000","name":"sky.status","#,
    r#""status":"SUCCEEDED","created_at":1795490877.42,"user_id":"00000000","cluster_name":null}]"#
);

/// Running static server, which is stopped when dropped.
pub(crate) struct StaticServer {
    process: LineProcess,
    url: Url,
}

impl StaticServer {
    /// Starts the server on a free port.
    pub(crate) fn start() -> Result<Self> {
        let mut command = Command::new(THIS_PROGRAM);
        command.arg("static-server");
        let mut process = LineProcess::start(command, "static server")?;
        let url = process.next_line()?.context("the static server exited before its start")?;
        let url = url.parse().with_context(|| format!("reading the server's URL `{url}`"))?;
        Ok(Self { process, url })
    }

    /// URL of the server, without a path.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// Stops the server.
    pub(crate) fn finish(self) -> Result<()> {
        self.process.finish().context("stopping the static server")
    }
}

/// Runs the server until the end of standard input: its end is that of the process that started
/// the server.
pub(crate) fn run() -> Result<()> {
    let (end, ended) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        // An error of reading is an end as well.
        _ = stdin().read_to_end(&mut Vec::new());
        drop(end);
    });
    // One thread, so that a core is left for the client.
    runtime()?.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("binding a port")?;
        let address = listener.local_addr().context("reading the port")?;
        print::text("the server's URL", |out| writeln!(out, "http://{address}"))?;
        let json = |text: &'static str| {
            get(async move || ([(CONTENT_TYPE, "application/json")], text).into_response())
        };
        let app =
            Router::new().route("/api/health", json(HEALTH)).route("/api/status", json(REQUESTS));
        tokio::select! {
            served = async { axum::serve(listener, app).await } => served.context("serving"),
            _ = ended => Ok(()),
        }
    })
}
