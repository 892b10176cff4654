//! Writing and reading the two kinds of file that a run has.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::{DeserializeOwned, Error as _};

use super::RecordError;
use super::format::{Document, Log, Readable, Versioned};

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

/// Reads a file that was written whole and has no version.
pub fn read_json<T: DeserializeOwned>(path: &Path, what: &'static str) -> Result<T, RecordError> {
    parse(path, what, &content(path)?)
}

/// Reads such a file, if it is there.
pub fn read_json_optional<T: DeserializeOwned>(
    path: &Path,
    what: &'static str,
) -> Result<Option<T>, RecordError> {
    if_there(read_json(path, what))
}

/// Reads a document of any version that this build knows.
pub fn read<T: Document>(path: &Path) -> Result<T, RecordError> {
    let text = content(path)?;
    let Versioned { version } = parse(path, T::KIND, &text)?;
    let format = |source| RecordError::Format { path: path.to_owned(), what: T::KIND, source };
    let found = version.ok_or_else(|| format(serde_json::Error::custom("it has no version")))?;
    if found == T::VERSION {
        return parse(path, T::KIND, &text);
    }
    let readable = Readable::of::<T>();
    if !readable.contains(found) {
        return Err(RecordError::Version { path: path.to_owned(), what: T::KIND, found, readable });
    }
    let mut content = T::upgrade(found, parse(path, T::KIND, &text)?);
    content["version"] = T::VERSION.into();
    serde_json::from_value(content).map_err(format)
}

/// Reads a document, if it is there.
pub fn read_optional<T: Document>(path: &Path) -> Result<Option<T>, RecordError> {
    if_there(read(path))
}

/// The lines of a file; what follows its last line break is one, unless nothing does.
fn lines_of(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|byte| *byte == b'\n')
}

fn content(path: &Path) -> Result<Vec<u8>, RecordError> {
    let io = |source| RecordError::Io { act: "read", path: path.to_owned(), source };
    fs::read(path).map_err(io)
}

fn parse<T: DeserializeOwned>(
    path: &Path,
    what: &'static str,
    text: &[u8],
) -> Result<T, RecordError> {
    let format = |source| RecordError::Format { path: path.to_owned(), what, source };
    serde_json::from_slice(text).map_err(format)
}

fn if_there<T>(read: Result<T, RecordError>) -> Result<Option<T>, RecordError> {
    match read {
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

/// Reads a log of any version that this build knows. A missing file has no lines; a broken
/// last line is left out and said; a broken line before the last is an error.
pub fn read_log<T: Log>(path: &Path) -> Result<Lines<T>, RecordError> {
    let text = match content(path) {
        Err(error) if error.is_not_found() => return Ok(Lines::default()),
        text => text?,
    };
    let format = |source| RecordError::Format { path: path.to_owned(), what: T::KIND, source };
    let first = lines_of(&text).next().map(serde_json::from_slice::<Versioned>);
    // A first line that is no JSON is dealt with as any other.
    let named = first.and_then(Result::ok).and_then(|first| first.version);
    let version = named.or(T::UNNAMED).unwrap_or(T::VERSION);
    let readable = Readable::of_log::<T>();
    if !readable.contains(version) {
        let (path, what) = (path.to_owned(), T::KIND);
        return Err(RecordError::Version { path, what, found: version, readable });
    }
    let value = |line: &[u8]| match version == T::VERSION {
        true => serde_json::from_slice(line),
        false => {
            let mut line = T::upgrade(version, serde_json::from_slice(line)?);
            if let Some(version) = line.get_mut("version") {
                *version = T::VERSION.into();
            }
            serde_json::from_value(line)
        }
    };
    let mut lines = Lines::default();
    let mut rest = lines_of(&text).peekable();
    while let Some(line) = rest.next() {
        match value(line) {
            Ok(value) => lines.values.push(value),
            Err(_) if rest.peek().is_none() => lines.cut_off = true,
            Err(source) => return Err(format(source)),
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde::Deserialize;
    use serde_json::Value;

    use super::*;
    use crate::record::format::Version;

    #[test]
    fn a_shorter_file_leaves_nothing_of_a_longer_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("value.json");
        write_json(&path, &vec![1; 100]).unwrap();
        write_json(&path, &vec![2]).unwrap();
        assert_eq!(read_json::<Vec<u8>>(&path, "list").unwrap(), [2]);
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Note {
        version: Version<3>,
        text: String,
    }

    impl Document for Note {
        const KIND: &'static str = "note";
        const VERSION: u32 = 3;
        const OLDEST: u32 = 2;

        fn upgrade(_version: u32, mut content: Value) -> Value {
            content["text"] = content["words"].take();
            content.as_object_mut().unwrap().remove("words");
            content
        }
    }

    fn note(text: &str) -> Result<Note, RecordError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("note.json");
        fs::write(&path, text).unwrap();
        read(&path)
    }

    #[test]
    fn a_document_of_an_earlier_version_is_read_in_todays_form() {
        let today = note(r#"{"version": 3, "text": "x"}"#).unwrap();
        assert_eq!(today, note(r#"{"version": 2, "words": "x"}"#).unwrap());
    }

    #[rstest]
    #[case::a_version_to_come(
        r#"{"version": 4, "text": "x"}"#,
        "has version 4 of a note, and this build reads versions 2 to 3"
    )]
    #[case::one_that_is_too_old(r#"{"version": 1}"#, "has version 1 of a note")]
    #[case::none(r#"{"text": "x"}"#, "is not a note")]
    #[case::no_object("[]", "is not a note")]
    #[case::no_json("{", "is not a note")]
    fn any_other_version_is_refused_with_one_line_that_names_it(
        #[case] text: &str,
        #[case] expected: &str,
    ) {
        let error = note(text).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains('\n'), "{error}");
    }

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
        const UNNAMED: Option<u32> = Some(2);

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
    fn a_line_cut_off_by_a_crash_is_left_out_and_said() {
        let text = b"{\"version\":3,\"value\":1}\n{\"value\":2}\n{\"val";
        assert_eq!(log(text).unwrap(), Lines { values: vec![1, 2], cut_off: true });
    }

    #[test]
    fn a_broken_line_in_the_middle_is_an_error() {
        assert!(log(b"{\"version\":3,\"value\":1}\n\xff\n{\"value\":3}\n").is_err());
    }

    #[test]
    fn a_log_of_an_earlier_version_is_read_in_todays_form() {
        assert_eq!(log(b"1\n2\n").unwrap().values, [1, 2]);
        let error = log(b"{\"version\":9,\"value\":1}\n").unwrap_err();
        assert_eq!(error.other_version(), Some(9));
    }
}
