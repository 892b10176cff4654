//! Responses that stay open until a request is finished, without a length. Their
//! end is the end of the body. `/api/stream` is made here, `/logs` in `follow`.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use futures_core::Stream;
use tokio::sync::mpsc;

use super::app::App;
use super::request::{Request, Status};
use crate::program::protocol::Queue;

/// The body of a stream of the request `id`, if it is there. A stream that
/// does not follow shows what there is and ends.
pub(crate) fn of_request(app: Arc<App>, id: String, follow: bool) -> Option<Body> {
    let (queue, name) = app.requests.look(&id, |request| (request.queue, request.name))?;
    let mut status = app.requests.watch(&id)?;
    let (lines, body) = open();
    tokio::spawn(async move {
        let begun = tokio::time::Instant::now();
        // Short requests print nothing while they wait a little.
        if queue == Queue::Long && !status.borrow().is_final() {
            let text = format!("[dim]Checking request: {id}[/dim]");
            _ = lines.send(spinner("rich_init", &text)).await;
            _ = lines.send(spinner("rich_start", &text)).await;
            _ = lines.send(spinner("rich_stop", "")).await;
        }
        if follow {
            // An error would mean that the request is gone, and none ever is.
            _ = status.wait_for(|status| status.is_final()).await;
            tokio::time::sleep_until(begun + app.settings.stream_floor).await;
        }
        for line in app.requests.look(&id, Request::log).unwrap_or_default() {
            _ = lines.send(format!("{line}\n")).await;
        }
        let ended = *status.borrow();
        if ended == Status::Cancelled {
            _ = lines.send(format!("'{name}' request {id} cancelled\n")).await;
        }
    });
    Some(body)
}

/// A body, and where its lines go in. It ends when that is dropped.
pub(crate) fn open() -> (mpsc::Sender<String>, Body) {
    let (sender, receiver) = mpsc::channel(16);
    (sender, Body::from_stream(Lines(receiver)))
}

/// One of the control lines that SkyPilot's client turns into a spinner.
fn spinner(kind: &str, text: &str) -> String {
    format!("<sky-payload>\"<{kind}>{text}</{kind}>\"</sky-payload>\n")
}

/// What comes through a channel, as a stream.
struct Lines(mpsc::Receiver<String>);

impl Stream for Lines {
    type Item = Result<String, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|line| line.map(Ok))
    }
}
