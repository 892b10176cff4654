//! Files that are written as a whole and replaced atomically.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::Serialize;
use serde::de::{DeserializeOwned, Error as _};

use super::RecordError;
use super::format::{Document, Readable, Versioned};

/// Writes `value` to a file as JSON.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), RecordError> {
    write_with(path, |out| {
        serde_json::to_writer_pretty(&mut *out, value)?;
        out.write_all(b"\n")
    })
}

/// Writes a file with any content: to a temporary file in the same directory, then renamed.
pub fn write_with(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), RecordError> {
    let io = |source| RecordError::Io { act: "write", path: path.to_owned(), source };
    // A rename is atomic only within one file system.
    let folder = path.parent().unwrap_or(Path::new("."));
    let file = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
    let (file, temporary) = file.into_parts();
    let mut out = BufWriter::new(file);
    content(&mut out).and_then(|()| out.flush()).map_err(io)?;
    temporary.persist(path).map_err(|error| io(error.error))?;
    Ok(())
}

/// Reads a JSON file without a version. `what` names the kind of file in errors.
pub fn read_json<T: DeserializeOwned>(path: &Path, what: &'static str) -> Result<T, RecordError> {
    parse(path, what, &content(path)?)
}

/// Reads a JSON file without a version; `None` if the file does not exist.
pub fn read_json_optional<T: DeserializeOwned>(
    path: &Path,
    what: &'static str,
) -> Result<Option<T>, RecordError> {
    optional(read_json(path, what))
}

/// Reads a document of any version that this build supports.
pub fn read<T: Document>(path: &Path) -> Result<T, RecordError> {
    let text = content(path)?;
    // Parsed alone first: the content of another version may not parse as `T`.
    let Versioned { version } = parse(path, T::KIND, &text)?;
    let format = |source| RecordError::Format { path: path.to_owned(), what: T::KIND, source };
    let found = version.ok_or_else(|| format(serde_json::Error::custom("missing `version`")))?;
    if found == T::VERSION {
        return parse(path, T::KIND, &text);
    }
    let readable = Readable::of::<T>();
    if !readable.contains(found) {
        return Err(RecordError::Version { path: path.to_owned(), what: T::KIND, found, readable });
    }
    let mut content = T::upgrade(found, parse(path, T::KIND, &text)?);
    // `upgrade` changes the content only, and `Version` accepts no other number.
    content["version"] = T::VERSION.into();
    serde_json::from_value(content).map_err(format)
}

/// Reads a document; `None` if the file does not exist.
pub fn read_optional<T: Document>(path: &Path) -> Result<Option<T>, RecordError> {
    optional(read(path))
}

pub(super) fn content(path: &Path) -> Result<Vec<u8>, RecordError> {
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

fn optional<T>(read: Result<T, RecordError>) -> Result<Option<T>, RecordError> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde::Deserialize;
    use serde_json::Value;

    use super::*;
    use crate::record::format::Version;

    #[test]
    fn a_shorter_file_replaces_a_longer_one_completely() {
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
    fn a_document_of_an_earlier_version_is_upgraded() {
        let current = note(r#"{"version": 3, "text": "x"}"#).unwrap();
        assert_eq!(current, note(r#"{"version": 2, "words": "x"}"#).unwrap());
    }

    #[rstest]
    #[case::newer(
        r#"{"version": 4, "text": "x"}"#,
        "expected note versions 2 to 3, found version 4"
    )]
    #[case::too_old(r#"{"version": 1}"#, "found version 1")]
    #[case::missing(r#"{"text": "x"}"#, "is not a valid note")]
    #[case::no_object("[]", "is not a valid note")]
    #[case::no_json("{", "is not a valid note")]
    fn an_unsupported_version_is_an_error_in_one_line_that_names_it(
        #[case] text: &str,
        #[case] expected: &str,
    ) {
        let error = note(text).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains('\n'), "{error}");
    }
}
