//! Faults injected into one call on its way, as behind a load balancer: it finds no server, it is
//! cut off before its answer, or within it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::{StatusCode, header};
use axum::response::Response;
use futures_core::Stream;

use super::app::App;
use super::replies;

/// A fault of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallFault {
    /// It is answered 503.
    Unavailable,
    /// Its connection ends without an answer.
    Reset,
    /// Its connection ends within the answer.
    Cut,
}

impl CallFault {
    /// The fault that is injected into the next call of `path`, if any.
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

/// What SkyPilot answers when its threads are used up, and a load balancer without a server.
pub(crate) fn unavailable() -> Response {
    replies::detail(
        StatusCode::SERVICE_UNAVAILABLE,
        "The server has exhausted its concurrent worker limit. Please try again or scale the \
         server if the load persists.",
    )
}

/// Ends the task of the connection, and with it the connection. Not a panic in words: nothing
/// has gone wrong here.
pub(crate) fn reset() -> ! {
    std::panic::resume_unwind(Box::new("the connection is to end"))
}

/// The answer up to its first piece, and then the end of the connection.
pub(crate) fn cut(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    // A length would have to be kept.
    parts.headers.remove(header::CONTENT_LENGTH);
    let cut = CutShort { body: body.into_data_stream(), begun: false, sent: false };
    Response::from_parts(parts, Body::from_stream(cut))
}

/// A body that breaks after its first piece.
struct CutShort {
    body: BodyDataStream,
    begun: bool,
    sent: bool,
}

impl Stream for CutShort {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let cut = || io::Error::other("the connection is to end");
        if self.sent {
            return Poll::Ready(Some(Err(cut())));
        }
        if self.begun {
            // The piece is sent when there is nothing more at the moment.
            self.sent = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let first = Pin::new(&mut self.body).poll_next(context);
        first.map(|piece| {
            self.begun = true;
            Some(piece.unwrap_or_else(|| Ok(Bytes::new())).map_err(|_| cut()))
        })
    }
}
