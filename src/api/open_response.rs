//! Response of which the headers are there, and the body may still arrive.

use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Incoming};
use reqwest::header::HeaderMap;

use super::transport::SendError;

/// Response whose body has not been read to its end.
#[derive(Debug)]
pub(super) enum OpenResponse {
    /// Response to reqwest.
    Reqwest(reqwest::Response),
    /// Response of a server of this machine. As one of reqwest, it would need a URL and a body on
    /// the heap.
    Plain(http::Response<Incoming>),
}

impl OpenResponse {
    /// HTTP status.
    pub(super) fn status(&self) -> u16 {
        match self {
            Self::Reqwest(response) => response.status().as_u16(),
            Self::Plain(response) => response.status().as_u16(),
        }
    }

    /// Headers.
    pub(super) fn headers(&self) -> &HeaderMap {
        match self {
            Self::Reqwest(response) => response.headers(),
            Self::Plain(response) => response.headers(),
        }
    }

    /// Drops headers and extensions. They are slices of the connection's buffer, which would stay
    /// beside the next one.
    pub(super) fn drop_head(&mut self) {
        let (headers, extensions) = match self {
            Self::Reqwest(response) => {
                (std::mem::take(response.headers_mut()), std::mem::take(response.extensions_mut()))
            }
            Self::Plain(response) => {
                (std::mem::take(response.headers_mut()), std::mem::take(response.extensions_mut()))
            }
        };
        drop((headers, extensions));
    }

    /// Rest of the body, read to its end.
    pub(super) async fn bytes(self) -> Result<Vec<u8>, SendError> {
        Ok(match self {
            Self::Reqwest(response) => response.bytes().await?.into(),
            Self::Plain(response) => response.into_body().collect().await?.to_bytes().into(),
        })
    }

    /// Next data of the body; `None` at its end. May be cancelled.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, SendError> {
        match self {
            Self::Reqwest(response) => Ok(response.chunk().await?),
            Self::Plain(response) => loop {
                let Some(frame) = response.body_mut().frame().await else { return Ok(None) };
                // Others are trailers.
                if let Ok(data) = frame?.into_data() {
                    return Ok(Some(data));
                }
            },
        }
    }
}
