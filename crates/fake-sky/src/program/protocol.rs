//! The line protocol between the server and an executor.
//!
//! It runs over a socket pair that is the executor's stdin, in both
//! directions. Stdout is left alone, because where it leads to is a fact that
//! SkyPilot's executors show: the log of their request while they are busy.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context;

/// One of SkyPilot's two request queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Queue {
    /// Requests that answer soon.
    Short,
    /// Requests that provision, and the like.
    Long,
}

impl Queue {
    /// The word that stands in titles and in answers.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Long => "long",
        }
    }
}

/// What an executor says once it has its memory.
pub(crate) const READY: &str = "ready";
/// What an executor says when it has run its request.
pub(crate) const DONE: &str = "done";

/// What a server tells an executor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Run this request.
    Run {
        /// The request's id, which names its log.
        request: String,
        /// How long it takes.
        service: Duration,
    },
    /// End: this executor was there for one request.
    Exit,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run { request, service } => write!(f, "run {request} {}", service.as_millis()),
            Self::Exit => f.write_str("exit"),
        }
    }
}

impl FromStr for Order {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> anyhow::Result<Self> {
        if line == "exit" {
            return Ok(Self::Exit);
        }
        let order = line.strip_prefix("run ").and_then(|order| order.split_once(' '));
        let (request, millis) = order.with_context(|| format!("not an order: {line:?}"))?;
        let service = Duration::from_millis(millis.parse()?);
        Ok(Self::Run { request: request.to_owned(), service })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_survives_the_wire() {
        let run = Order::Run { request: "a-1".to_owned(), service: Duration::from_millis(20) };
        for order in [run, Order::Exit] {
            assert_eq!(order.to_string().parse::<Order>().unwrap(), order);
        }
        assert!("walk a 1".parse::<Order>().is_err());
    }
}
