//! Writing and reading the two kinds of file that a run has.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::RecordError;

/// Writes a file whole.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), RecordError> {
    write_with(path, |out| {
        serde_json::to_writer_pretty(&mut *out, value)?;
        out.write_all(b"\n")
    })
}

/// Writes a file whole that is not JSON.
pub fn write_with(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), RecordError> {
    let io = |source| RecordError::Io { act: "write", path: path.to_owned(), source };
    let folder = path.parent().unwrap_or(Path::new("."));
    let file = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
    let (file, temporary) = file.into_parts();
    let mut out = BufWriter::new(file);
    content(&mut out).and_then(|()| out.flush()).map_err(io)?;
    temporary.persist(path).map_err(|error| io(error.error))?;
    Ok(())
}

/// Reads a file that was written whole.
pub fn read_json<T: DeserializeOwned>(path: &Path, what: &'static str) -> Result<T, RecordError> {
    let text = fs::read(path).map_err(|source| RecordError::Io {
        act: "read",
        path: path.to_owned(),
        source,
    })?;
    serde_json::from_slice(&text).map_err(|source| RecordError::Format {
        path: path.to_owned(),
        what,
        source,
    })
}

/// Reads a file that was written whole, if it is there.
pub fn read_optional<T: DeserializeOwned>(
    path: &Path,
    what: &'static str,
) -> Result<Option<T>, RecordError> {
    match read_json(path, what) {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// A file to which values are appended, one JSON value a line.
#[derive(Debug)]
pub struct JsonLines<T> {
    path: PathBuf,
    writer: BufWriter<File>,
    values: PhantomData<fn(&T)>,
}

impl<T: Serialize> JsonLines<T> {
    /// Opens the file at its end, creating it if need be.
    pub fn append_to(path: &Path) -> Result<Self, RecordError> {
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(|source| {
            RecordError::Io { act: "open for appending", path: path.to_owned(), source }
        })?;
        Ok(Self { path: path.to_owned(), writer: BufWriter::new(file), values: PhantomData })
    }

    /// Appends one line; it reaches the disk at the next flush.
    pub fn push(&mut self, value: &T) -> Result<(), RecordError> {
        serde_json::to_writer(&mut self.writer, value)
            .map_err(io::Error::from)
            .and_then(|()| self.writer.write_all(b"\n"))
            .map_err(|source| RecordError::Io { act: "append to", path: self.path.clone(), source })
    }

    /// Hands what was pushed to the operating system.
    pub fn flush(&mut self) -> Result<(), RecordError> {
        self.writer.flush().map_err(|source| RecordError::Io {
            act: "append to",
            path: self.path.clone(),
            source,
        })
    }
}

/// The values of a line file, and whether anything in it could not be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Lines<T> {
    /// The values, in the order of the file.
    pub values: Vec<T>,
    /// The last line broke off, as it does when its writer was killed.
    pub cut_off: bool,
}

impl<T> Default for Lines<T> {
    fn default() -> Self {
        Self { values: Vec::new(), cut_off: false }
    }
}

/// Reads a line file. A missing file has no lines; a broken last line is left
/// out and said; a broken line before the last is an error.
pub fn read_lines<T: DeserializeOwned>(
    path: &Path,
    what: &'static str,
) -> Result<Lines<T>, RecordError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Lines::default()),
        Err(source) => {
            return Err(RecordError::Io { act: "read", path: path.to_owned(), source });
        }
    };
    let mut lines = Lines::default();
    let mut rest = text.lines().peekable();
    while let Some(line) = rest.next() {
        match serde_json::from_str(line) {
            Ok(value) => lines.values.push(value),
            Err(_) if rest.peek().is_none() => lines.cut_off = true,
            Err(source) => {
                return Err(RecordError::Format { path: path.to_owned(), what, source });
            }
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shorter_file_leaves_nothing_of_a_longer_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("value.json");
        write_json(&path, &vec![1; 100]).unwrap();
        write_json(&path, &vec![2]).unwrap();
        assert_eq!(read_json::<Vec<u8>>(&path, "list").unwrap(), [2]);
    }

    #[test]
    fn a_line_cut_off_by_a_crash_is_left_out_and_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines.jsonl");
        fs::write(&path, "1\n2\n{\"a\":").unwrap();
        let lines: Lines<u8> = read_lines(&path, "number").unwrap();
        assert_eq!(lines, Lines { values: vec![1, 2], cut_off: true });
    }

    #[test]
    fn a_broken_line_in_the_middle_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines.jsonl");
        fs::write(&path, "1\nx\n3\n").unwrap();
        assert!(read_lines::<u8>(&path, "number").is_err());
    }
}
