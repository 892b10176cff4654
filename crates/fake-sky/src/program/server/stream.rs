//! Streamed response bodies. `/api/stream` is here, `/logs` is in `follow`.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use fake_sky::settings::Settings;
use futures_core::Stream;
use tokio::sync::mpsc;
use tokio::time::Sleep;

use super::app::App;
use super::request::{Request, Status};
use crate::program::protocol::Queue;

/// Body with the log of request `id`; `None` if there is no such request. Without `follow`,
/// it does not wait for the end of the request.
pub(crate) fn of_request(app: Arc<App>, id: String, follow: bool) -> Option<Body> {
    let (queue, name) = app.requests.inspect(&id, |request| (request.queue, request.name))?;
    let mut status = app.requests.watch(&id)?;
    let (lines, body) = open(&app.settings);
    tokio::spawn(async move {
        let begun = tokio::time::Instant::now();
        // In SkyPilot, a short request prints no spinner during a short wait.
        if queue == Queue::Long && !status.borrow().is_final() {
            let text = format!("[dim]Checking request: {id}[/dim]");
            _ = lines.send(spinner("rich_init", &text)).await;
            _ = lines.send(spinner("rich_start", &text)).await;
            _ = lines.send(spinner("rich_stop", "")).await;
        }
        if follow && app.requests.inspect(&id, Request::is_daemon).unwrap_or_default() {
            return send_daemon_log(&app, &lines).await;
        }
        if follow {
            // An error would mean that the request was removed, and requests never are.
            _ = status.wait_for(|status| status.is_final()).await;
            tokio::time::sleep_until(begun + app.settings.stream_floor).await;
        }
        for line in app.requests.inspect(&id, Request::log).unwrap_or_default() {
            _ = lines.send(format!("{line}\n")).await;
        }
        let ended = *status.borrow();
        if ended == Status::Cancelled {
            _ = lines.send(format!("'{name}' request {id} cancelled\n")).await;
        }
    });
    Some(body)
}

/// Sends the log of a daemon request, which grows for the lifetime of the server.
async fn send_daemon_log(app: &App, lines: &mpsc::Sender<String>) {
    let line = "=== Refreshing cluster status ===\n";
    // An error means that the client has disconnected.
    while lines.send(line.to_owned()).await.is_ok() {
        tokio::select! {
            () = tokio::time::sleep(app.settings.daemon_line) => {}
            () = lines.closed() => {}
        }
    }
}

/// Sender of lines, and the body that they form. The body ends when the sender is dropped, or by
/// an injected fault.
pub(crate) fn open(settings: &Settings) -> (mpsc::Sender<String>, Body) {
    let (sender, receiver) = mpsc::channel(16);
    let end = settings.drop_streams.map(|after| Box::pin(tokio::time::sleep(after)));
    (sender, Body::from_stream(Lines { receiver, end }))
}

/// Control line, which SkyPilot's client shows as a spinner.
fn spinner(kind: &str, text: &str) -> String {
    format!("<sky-payload>\"<{kind}>{text}</{kind}>\"</sky-payload>\n")
}

/// Stream of the lines of a channel.
struct Lines {
    receiver: mpsc::Receiver<String>,
    /// End by an injected fault; `None` without one.
    end: Option<Pin<Box<Sleep>>>,
}

impl Stream for Lines {
    type Item = Result<String, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(end) = &mut self.end
            && end.as_mut().poll(context).is_ready()
        {
            // Closed, so that the sender sees the end as well.
            self.receiver.close();
            return Poll::Ready(None);
        }
        self.receiver.poll_recv(context).map(|line| line.map(Ok))
    }
}
