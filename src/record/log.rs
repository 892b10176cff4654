//! Files that grow line by line, with one JSON value per line.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::RecordError;
use super::file::content;
use super::format::{Log, Readable, Versioned};

/// Writer that appends values to a file, one JSON value per line.
#[derive(Debug)]
pub struct JsonLines<T> {
    path: PathBuf,
    writer: BufWriter<File>,
    values: PhantomData<fn(&T)>,
}

impl<T: Serialize> JsonLines<T> {
    /// Opens a file for appending; creates the file if it does not exist.
    pub fn append_to(path: &Path) -> Result<Self, RecordError> {
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(|source| {
            RecordError::Io { act: "open for appending", path: path.to_owned(), source }
        })?;
        Ok(Self { path: path.to_owned(), writer: BufWriter::new(file), values: PhantomData })
    }

    /// Appends one line to the buffer, which [`Self::flush`] writes to the file.
    pub fn push(&mut self, value: &T) -> Result<(), RecordError> {
        serde_json::to_writer(&mut self.writer, value)
            .map_err(io::Error::from)
            .and_then(|()| self.writer.write_all(b"\n"))
            .map_err(|source| RecordError::Io { act: "append to", path: self.path.clone(), source })
    }

    /// Writes buffered lines to the file.
    pub fn flush(&mut self) -> Result<(), RecordError> {
        self.writer.flush().map_err(|source| RecordError::Io {
            act: "append to",
            path: self.path.clone(),
            source,
        })
    }
}

/// Values of a file with one JSON value per line.
#[derive(Clone, Debug, PartialEq)]
pub struct Lines<T> {
    /// Values in the order of the file.
    pub values: Vec<T>,
    /// Whether the last line is incomplete, as after a kill of its writer.
    pub cut_off: bool,
}

impl<T> Default for Lines<T> {
    fn default() -> Self {
        Self { values: Vec::new(), cut_off: false }
    }
}

/// Reads a log of any version that this build supports. A missing file has no lines. An invalid
/// last line is left out and sets `cut_off`; any other invalid line is an error.
pub fn read_log<T: Log>(path: &Path) -> Result<Lines<T>, RecordError> {
    let text = match content(path) {
        Err(error) if error.is_not_found() => return Ok(Lines::default()),
        text => text?,
    };
    let format = format::<T>(path);
    let version = version_of::<T>(path, lines_of(&text).next().unwrap_or_default())?;
    let mut lines = Lines::default();
    let mut rest = lines_of(&text).peekable();
    while let Some(line) = rest.next() {
        match value(version, line) {
            Ok(value) => lines.values.push(value),
            Err(_) if rest.peek().is_none() => lines.cut_off = true,
            Err(source) => return Err(format(source)),
        }
    }
    Ok(lines)
}

/// Reads the first line of a log.
pub fn read_first<T: Log>(path: &Path) -> Result<T, RecordError> {
    let io = |source| RecordError::Io { act: "read", path: path.to_owned(), source };
    let mut line = Vec::new();
    let mut file = BufReader::new(File::open(path).map_err(io)?);
    file.read_until(b'\n', &mut line).map_err(io)?;
    value(version_of::<T>(path, &line)?, &line).map_err(format::<T>(path))
}

/// Version of a log, from its first line. A first line that is not JSON has the current version
/// here; parsing the line as a value reports the error.
fn version_of<T: Log>(path: &Path, first: &[u8]) -> Result<u32, RecordError> {
    let stated = serde_json::from_slice::<Versioned>(first).ok().and_then(|first| first.version);
    let found = stated.or(T::UNVERSIONED).unwrap_or(T::VERSION);
    let readable = Readable::of_log::<T>();
    match readable.contains(found) {
        true => Ok(found),
        false => {
            Err(RecordError::Version { path: path.to_owned(), what: T::KIND, found, readable })
        }
    }
}

/// Value of a line in a log of a supported version.
fn value<T: Log>(version: u32, line: &[u8]) -> serde_json::Result<T> {
    if version == T::VERSION {
        return serde_json::from_slice(line);
    }
    let mut line = T::upgrade(version, serde_json::from_slice(line)?);
    // Only the header has a version, which `Version` compares with the current one.
    if let Some(version) = line.get_mut("version") {
        *version = T::VERSION.into();
    }
    serde_json::from_value(line)
}

fn format<T: Log>(path: &Path) -> impl Fn(serde_json::Error) -> RecordError {
    move |source| RecordError::Format { path: path.to_owned(), what: T::KIND, source }
}

/// Lines of a file with their line breaks. Text after the last line break is a line too.
fn lines_of(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|byte| *byte == b'\n')
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde::Deserialize;
    use serde_json::Value;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Line {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<u32>,
        value: u8,
    }

    impl Log for Line {
        const KIND: &'static str = "list of lines";
        const VERSION: u32 = 3;
        const OLDEST: u32 = 2;
        const UNVERSIONED: Option<u32> = Some(2);

        fn upgrade(_version: u32, line: Value) -> Value {
            serde_json::json!({ "value": line })
        }
    }

    fn log(text: &[u8]) -> Result<Lines<u8>, RecordError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines.jsonl");
        fs::write(&path, text).unwrap();
        let lines: Lines<Line> = read_log(&path)?;
        let values = lines.values.into_iter().map(|line| line.value).collect();
        Ok(Lines { values, cut_off: lines.cut_off })
    }

    #[test]
    fn a_line_cut_off_by_a_crash_is_left_out_and_reported() {
        let text = b"{\"version\":3,\"value\":1}\n{\"value\":2}\n{\"val";
        assert_eq!(log(text).unwrap(), Lines { values: vec![1, 2], cut_off: true });
    }

    #[test]
    fn an_invalid_line_in_the_middle_is_an_error() {
        assert!(log(b"{\"version\":3,\"value\":1}\n\xff\n{\"value\":3}\n").is_err());
    }

    #[test]
    fn a_log_of_an_earlier_version_is_upgraded() {
        assert_eq!(log(b"1\n2\n").unwrap().values, [1, 2]);
        let error = log(b"{\"version\":9,\"value\":1}\n").unwrap_err();
        assert_eq!(error.unsupported_version(), Some(9));
    }
}
