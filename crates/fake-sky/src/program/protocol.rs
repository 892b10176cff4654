//! Line protocol between the server and an executor.
//!
//! Both directions use a socket pair, which is the executor's stdin. Stdout is not used:
//! its target is observable in SkyPilot, where a busy executor writes to the log of its
//! request.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use anyhow::bail;

/// Request queue of SkyPilot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Queue {
    /// Queue for requests that finish soon.
    Short,
    /// Queue for requests that take long, such as launches.
    Long,
}

impl Queue {
    /// Name of the queue in process titles and responses.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Long => "long",
        }
    }
}

/// Message of an executor that has its memory and takes orders.
pub(crate) const READY: &str = "ready";
/// Message of an executor that has run its request.
pub(crate) const DONE: &str = "done";

/// Order of the server to an executor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Order to run a request.
    Run {
        /// Request id, which is also the name of the request's log.
        request: String,
        /// Run time of the request.
        service: Duration,
        /// Memory that the request takes while it runs, in MiB.
        mib: usize,
    },
    /// Order to exit, for an executor beyond the pool after its one request.
    Exit,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run { request, service, mib } => {
                write!(f, "run {request} {} {mib}", service.as_millis())
            }
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
        let words: Vec<&str> = line.split(' ').collect();
        let ["run", request, millis, mib] = words[..] else {
            bail!("expected `run ID MILLIS MIB` or `exit`, got {line:?}");
        };
        let service = Duration::from_millis(millis.parse()?);
        Ok(Self::Run { request: request.to_owned(), service, mib: mib.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_parsed_from_its_line() {
        let service = Duration::from_millis(20);
        let run = Order::Run { request: "a-1".to_owned(), service, mib: 60 };
        for order in [run, Order::Exit] {
            assert_eq!(order.to_string().parse::<Order>().unwrap(), order);
        }
        assert!("walk a 1 0".parse::<Order>().is_err());
    }
}
