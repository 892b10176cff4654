//! Line counts of a log stream, by which retries of a broken stream are limited.
//!
//! Log lines and control messages share one stream. Source: `decode_rich_status` in
//! `sky/utils/rich_utils.py`.

use tokio::time::Instant;

/// Progress of reading a stream, over all tries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Number of lines and control messages received in all tries, repeated ones included.
    pub(crate) messages: u64,
    /// Number of log lines received in the try that received most.
    pub(crate) furthest: u64,
    /// Time at which the first log line was complete; `None` without one.
    pub(crate) first_line: Option<Instant>,
}

/// Control message by which a restarting server requests a retry.
#[derive(Debug)]
pub(super) struct Interrupted;

/// Line counter of one try at reading a stream.
pub(super) struct Lines<'a> {
    progress: &'a mut Progress,
    /// Beginning of the current line.
    line: Vec<u8>,
    /// Number of log lines in this try.
    count: u64,
}

/// Maximum length of a line that is kept, in bytes: enough for every relevant control message.
const MAX_LINE: usize = 4096;

impl<'a> Lines<'a> {
    pub(super) fn new(progress: &'a mut Progress) -> Self {
        Self { progress, line: Vec::new(), count: 0 }
    }

    /// Counts the lines of the next chunk.
    pub(super) fn read(&mut self, chunk: &[u8]) -> Result<(), Interrupted> {
        // Lines of progress bars end with a carriage return.
        for part in chunk.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            // The rest of a longer line is dropped: output without line ends would fill the memory.
            let room = MAX_LINE.saturating_sub(self.line.len());
            self.line.extend_from_slice(&part[..part.len().min(room)]);
            if part.ends_with(b"\n") || part.ends_with(b"\r") {
                self.end_line()?;
            }
        }
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), Interrupted> {
        let line = String::from_utf8_lossy(&self.line);
        let (is_control, is_interrupted) = (is_control(&line), is_retry(&line));
        self.line.clear();
        if is_interrupted {
            // Not counted as a message: for the SDK, a request to retry is no progress.
            return Err(Interrupted);
        }
        self.progress.messages += 1;
        if !is_control {
            self.count += 1;
            self.progress.furthest = self.progress.furthest.max(self.count);
            self.progress.first_line.get_or_insert_with(Instant::now);
        }
        Ok(())
    }
}

/// Whether a line is a control message.
pub(super) fn is_control(line: &str) -> bool {
    line.contains("<sky-payload")
}

/// Whether a line is the control message of a restarting server. A log line may contain the same
/// text.
pub(super) fn is_retry(line: &str) -> bool {
    is_control(line) && line.contains("<retry>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_wherever_chunks_end_and_control_messages_separately() {
        let mut progress = Progress::default();
        let mut lines = Lines::new(&mut progress);
        for chunk in ["one\ntw", "o\n<sky-pay", "load>\"<heartbeat>\"</sky-payload>\n", "half"] {
            lines.read(chunk.as_bytes()).unwrap();
        }
        assert_eq!((progress.messages, progress.furthest), (3, 2));
        let first = progress.first_line;
        assert!(first.is_some());
        Lines::new(&mut progress).read(b"one\n").unwrap();
        assert_eq!((progress.messages, progress.furthest), (4, 2));
        assert_eq!(progress.first_line, first, "a later try repeats the line");
    }

    #[test]
    fn a_control_message_is_no_first_line() {
        let mut progress = Progress::default();
        let heartbeat = b"<sky-payload>\"<heartbeat></heartbeat>\"</sky-payload>\n";
        Lines::new(&mut progress).read(heartbeat).unwrap();
        assert_eq!((progress.messages, progress.first_line), (1, None));
    }

    #[test]
    fn a_server_that_restarts_interrupts_the_stream() {
        let mut progress = Progress::default();
        let retry = b"<sky-payload>\"<retry></retry>\"</sky-payload>\n";
        assert!(Lines::new(&mut progress).read(retry).is_err());
        assert!(Lines::new(&mut progress).read(b"echo '<retry>'\n").is_ok());
    }
}
