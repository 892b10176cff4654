//! Log that is read while it grows, and not kept: a process holds thousands of them.

use super::lines::{Interrupted, is_control, is_retry};
use super::{ApiClient, OpenResponse, next_chunk, response};
use crate::record::outcome::Failure;
use crate::scenario::{Call, IterationNames};

/// Response whose body is a log that grows.
pub(crate) struct OpenLog {
    step: &'static str,
    response: OpenResponse,
    line: LineStart,
}

/// Data of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogData {
    /// Complete lines of the log, one at least.
    Line,
    /// Control messages, or part of a line.
    Other,
}

impl ApiClient {
    /// Sends a call whose response is a log, and returns once the response's headers are there.
    pub(crate) async fn open_log(
        &self,
        call: &'static Call,
        names: &IterationNames,
    ) -> Result<OpenLog, Failure> {
        let mut response = self.open(call.step, self.request(call, names)).await?;
        response.drop_head();
        Ok(OpenLog { step: call.step, response, line: LineStart::default() })
    }
}

impl OpenLog {
    /// Waits for more data; `None` at the end of the log. May be cancelled.
    pub(crate) async fn read(&mut self) -> Result<Option<LogData>, Failure> {
        match next_chunk(self.step, &mut self.response).await? {
            None => Ok(None),
            Some(chunk) => match self.line.read(chunk.as_ref()) {
                Ok(data) => Ok(Some(data)),
                Err(Interrupted) => Err(response::interrupted(self.step)),
            },
        }
    }
}

/// Beginning of the line that arrives: enough to tell a control message from a line of the log.
#[derive(Default)]
struct LineStart {
    bytes: [u8; Self::LENGTH],
    length: usize,
}

impl LineStart {
    /// Length of the longest control message that matters, in bytes.
    const LENGTH: usize = 32;

    /// Reads the next data of the log.
    fn read(&mut self, data: &[u8]) -> Result<LogData, Interrupted> {
        let mut found = LogData::Other;
        for part in data.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            let free = &mut self.bytes[self.length..];
            let kept = part.len().min(free.len());
            free[..kept].copy_from_slice(&part[..kept]);
            self.length += kept;
            if part.ends_with(b"\n") || part.ends_with(b"\r") {
                let line = String::from_utf8_lossy(&self.bytes[..self.length]);
                if is_retry(&line) {
                    return Err(Interrupted);
                }
                if !is_control(&line) {
                    found = LogData::Line;
                }
                self.length = 0;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const HEARTBEAT: &str = "<sky-payload>\"<heartbeat></heartbeat>\"</sky-payload>\n";

    #[rstest]
    #[case::in_one_chunk(&["one\n"], &[LogData::Line])]
    #[case::across_chunks(&["on", "e\n"], &[LogData::Other, LogData::Line])]
    #[case::a_heartbeat(&[HEARTBEAT], &[LogData::Other])]
    #[case::a_heartbeat_across_chunks(&["<sky-pay", "load>..\n"], &[LogData::Other; 2])]
    #[case::after_a_heartbeat(&[HEARTBEAT, "one\n"], &[LogData::Other, LogData::Line])]
    #[case::progress_bar(&["10 %\r"], &[LogData::Line])]
    fn a_line_of_the_log_is_no_control_message(
        #[case] chunks: &[&str],
        #[case] expected: &[LogData],
    ) {
        let mut line = LineStart::default();
        let found = chunks.iter().map(|chunk| line.read(chunk.as_bytes()).unwrap());
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_long_line_is_not_kept() {
        let mut line = LineStart::default();
        let long = [b'x'; 100_000];
        assert_eq!(line.read(&long).unwrap(), LogData::Other);
        assert_eq!(line.length, LineStart::LENGTH);
        assert_eq!(line.read(b"\n").unwrap(), LogData::Line);
        assert_eq!(line.length, 0);
    }

    #[test]
    fn a_server_that_restarts_interrupts_the_log() {
        let retry = b"<sky-payload>\"<retry></retry>\"</sky-payload>\n";
        assert!(LineStart::default().read(retry).is_err());
    }
}
