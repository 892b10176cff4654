//! Reader of a log that is still being written.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::marker::PhantomData;
use std::path::PathBuf;

use super::format::Log;

/// Reader of the lines that are added to a log of this build.
#[derive(Debug)]
pub struct LogTail<T> {
    path: PathBuf,
    /// Bytes read so far.
    position: u64,
    /// Start of a line whose end was not written yet.
    begun: Vec<u8>,
    values: PhantomData<fn() -> T>,
}

impl<T: Log> LogTail<T> {
    /// Reader of a log from its first line on, whether or not it exists yet.
    pub const fn new(path: PathBuf) -> Self {
        Self { path, position: 0, begun: Vec::new(), values: PhantomData }
    }

    /// Values of the complete lines that were added since the last call. A line that is no `T` is
    /// left out.
    ///
    /// # Errors
    ///
    /// If the file exists and cannot be read.
    pub fn read_new(&mut self) -> io::Result<Vec<T>> {
        let mut file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            file => file?,
        };
        file.seek(SeekFrom::Start(self.position))?;
        let read = file.read_to_end(&mut self.begun)?;
        self.position += u64::try_from(read).unwrap_or(u64::MAX);
        let end = self.begun.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let rest = self.begun.split_off(end);
        let complete = std::mem::replace(&mut self.begun, rest);
        let lines = complete.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Number(u8);

    impl Log for Number {
        const KIND: &'static str = "list of numbers";
        const VERSION: u32 = 1;
    }

    #[test]
    fn each_line_is_read_once_and_only_when_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("numbers.jsonl");
        let mut tail = LogTail::<Number>::new(path.clone());
        assert_eq!(tail.read_new().unwrap(), [], "no file yet");
        let mut file = File::create(&path).unwrap();
        for (written, expected) in [
            ("1\n2", vec![Number(1)]),
            ("0", vec![]),
            ("\nno number\n3\n", vec![Number(20), Number(3)]),
            ("", vec![]),
        ] {
            file.write_all(written.as_bytes()).unwrap();
            assert_eq!(tail.read_new().unwrap(), expected, "{written}");
        }
    }
}
