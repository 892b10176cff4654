//! The lines of a stream, as far as they matter to whoever may have to read it again.
//!
//! Logs and control messages come in one stream. Source: `decode_rich_status` in
//! `sky/utils/rich_utils.py`.

/// How far a stream has come, over all tries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Lines and control messages that came, those that came again too.
    pub(crate) messages: u64,
    /// Lines of the log in the try that came furthest.
    pub(crate) furthest: u64,
}

/// The server wants to be asked again: it restarts.
#[derive(Debug)]
pub(super) struct Interrupted;

/// One try at reading a stream.
pub(super) struct Lines<'a> {
    progress: &'a mut Progress,
    /// The beginning of the line under way.
    line: Vec<u8>,
    /// Lines of the log in this try.
    count: u64,
}

/// No control message that matters is longer.
const KEPT: usize = 4096;

impl<'a> Lines<'a> {
    pub(super) fn new(progress: &'a mut Progress) -> Self {
        Self { progress, line: Vec::new(), count: 0 }
    }

    /// Takes the next piece.
    pub(super) fn read(&mut self, piece: &[u8]) -> Result<(), Interrupted> {
        for part in piece.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            let room = KEPT.saturating_sub(self.line.len());
            self.line.extend_from_slice(&part[..part.len().min(room)]);
            if part.ends_with(b"\n") || part.ends_with(b"\r") {
                self.end_line()?;
            }
        }
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), Interrupted> {
        let line = String::from_utf8_lossy(&self.line);
        let is_control = line.contains("<sky-payload");
        let is_interrupted = is_control && line.contains("<retry>");
        self.line.clear();
        if is_interrupted {
            return Err(Interrupted);
        }
        self.progress.messages += 1;
        if !is_control {
            self.count += 1;
            self.progress.furthest = self.progress.furthest.max(self.count);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_wherever_pieces_end_and_control_messages_apart() {
        let mut progress = Progress::default();
        let mut lines = Lines::new(&mut progress);
        for piece in ["one\ntw", "o\n<sky-pay", "load>\"<heartbeat>\"</sky-payload>\n", "half"] {
            lines.read(piece.as_bytes()).unwrap();
        }
        assert_eq!(progress, Progress { messages: 3, furthest: 2 });
        Lines::new(&mut progress).read(b"one\n").unwrap();
        assert_eq!(progress, Progress { messages: 4, furthest: 2 });
    }

    #[test]
    fn a_server_that_restarts_interrupts_the_stream() {
        let mut progress = Progress::default();
        let retry = b"<sky-payload>\"<retry></retry>\"</sky-payload>\n";
        assert!(Lines::new(&mut progress).read(retry).is_err());
        assert!(Lines::new(&mut progress).read(b"echo '<retry>'\n").is_ok());
    }
}
