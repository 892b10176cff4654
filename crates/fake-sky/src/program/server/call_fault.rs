//! Faults injected into single HTTP calls, like those of a load balancer: no server
//! available, or a connection that closes before or within the response.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::{StatusCode, header};
use axum::response::Response;
use futures_core::Stream;

use super::app::App;
use super::replies;

/// Fault of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallFault {
    /// Response 503.
    Unavailable,
    /// Connection closed without a response.
    Reset,
    /// Connection closed within the response.
    Cut,
}

impl CallFault {
    /// Counts a call of `path`, and returns the fault to inject into it, if any.
    pub(crate) fn of(app: &App, path: &str) -> Option<Self> {
        let settings = &app.settings;
        let count = app.count_call(path);
        let faults = [
            (&settings.unavailable, Self::Unavailable),
            (&settings.reset, Self::Reset),
            (&settings.cut, Self::Cut),
        ];
        faults.into_iter().find(|(faults, _)| faults.hit(path, count)).map(|(_, fault)| fault)
    }
}

/// Response 503, with SkyPilot's text for an exhausted thread pool. A load balancer without
/// a server responds with the same status.
pub(crate) fn unavailable() -> Response {
    replies::detail(
        StatusCode::SERVICE_UNAVAILABLE,
        "The server has exhausted its concurrent worker limit. Please try again or scale the \
         server if the load persists.",
    )
}

/// Closes the connection by unwinding its task.
pub(crate) fn reset() -> ! {
    // Unlike `panic!`, this does not call the panic hook, which would write to the log.
    std::panic::resume_unwind(Box::new("injected fault: close the connection"))
}

/// Response that ends after its first chunk with an error, which closes the connection.
pub(crate) fn cut(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    // The body no longer has the full length.
    parts.headers.remove(header::CONTENT_LENGTH);
    let cut = CutShort { body: body.into_data_stream(), begun: false, sent: false };
    Response::from_parts(parts, Body::from_stream(cut))
}

/// Body that fails after its first chunk.
struct CutShort {
    body: BodyDataStream,
    begun: bool,
    sent: bool,
}

impl Stream for CutShort {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let cut = || io::Error::other("injected fault: close the connection");
        if self.sent {
            return Poll::Ready(Some(Err(cut())));
        }
        if self.begun {
            // Pending makes hyper flush the first chunk before the error.
            self.sent = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let first = Pin::new(&mut self.body).poll_next(context);
        first.map(|chunk| {
            self.begun = true;
            Some(chunk.unwrap_or_else(|| Ok(Bytes::new())).map_err(|_| cut()))
        })
    }
}
