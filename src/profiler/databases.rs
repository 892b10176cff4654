//! Sizes of the server's databases, by the files in its state directory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::units::ByteSize;

/// Directories with databases, relative to the state directory.
const DIRECTORIES: [&str; 3] = ["", "api_server", "serve"];

/// Sizes of all databases by name, write-ahead logs included; empty without a readable directory.
/// A file that goes away meanwhile is left out.
pub(super) fn sizes(state: &Path) -> BTreeMap<String, ByteSize> {
    let mut sizes = BTreeMap::new();
    for directory in DIRECTORIES {
        for path in files(&state.join(directory)) {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            // `state.db-wal` belongs to `state.db`.
            let database = name.strip_suffix("-wal").unwrap_or(name);
            if database.ends_with(".db")
                && let Ok(metadata) = fs::metadata(&path)
            {
                *sizes.entry(database.to_owned()).or_default() += ByteSize(metadata.len());
            }
        }
    }
    sizes
}

fn files(directory: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn write_ahead_logs_count_with_their_databases() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: usize| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, vec![0; bytes]).unwrap();
        };
        write("state.db", 100);
        write("config.yaml", 7);
        write("api_server/requests.db", 1000);
        write("api_server/requests.db-wal", 500);
        write("api_server/requests.db-shm", 32);
        let expected = [("requests.db", 1500), ("state.db", 100)];
        let expected = expected.map(|(name, bytes)| (name.to_owned(), ByteSize(bytes)));
        assert_eq!(sizes(folder.path()), expected.into());
        assert!(sizes(&folder.path().join("missing")).is_empty());
    }
}
