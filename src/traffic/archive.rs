//! Working directory that sessions send to the server: a file of 10 MB that cannot be compressed, and
//! the zip file of it, each made once per process.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use crate::scenario::UPLOADED_WORKDIR;

/// Size of the file, as in SkyPilot's own benchmark.
const SIZE: usize = 10 * 1000 * 1000;

/// Name of the file.
const NAME: &str = "data.bin";

/// Content of the file: the same in every run.
static CONTENT: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut content = vec![0; SIZE];
    fastrand::Rng::with_seed(1).fill(&mut content);
    content
});

/// Zip file with the working directory.
static ZIPPED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let name = format!("{}/{NAME}", UPLOADED_WORKDIR.trim_start_matches('/'));
    zip_of(&name, &CONTENT)
});

/// Zip file with the working directory.
pub(super) fn zipped() -> &'static [u8] {
    &ZIPPED
}

/// Working directory on disk, removed when dropped.
pub(super) struct Workdir(PathBuf);

impl Workdir {
    /// Creates the directory with its file.
    pub(super) fn create(path: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&path)?;
        let workdir = Self(path);
        fs::write(workdir.0.join(NAME), &*CONTENT)?;
        Ok(workdir)
    }

    /// Path of the directory.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Workdir {
    fn drop(&mut self) {
        // What stays is a file of the run's own directory.
        _ = fs::remove_dir_all(&self.0);
    }
}

/// Zip file with one stored (uncompressed) file. Source of the format: PKWARE's APPNOTE, sections 4.3.7,
/// 4.3.12 and 4.3.16. Names and contents are shorter than 4 GiB, so no field overflows.
#[expect(clippy::cast_possible_truncation, reason = "name and content are short constants")]
fn zip_of(name: &str, content: &[u8]) -> Vec<u8> {
    const LOCAL_HEADER: [u8; 4] = *b"PK\x03\x04";
    const CENTRAL_HEADER: [u8; 4] = *b"PK\x01\x02";
    const END: [u8; 4] = *b"PK\x05\x06";
    /// Version that is needed to extract (1.0), no flags, stored, 1980-01-01 0:00.
    const METHOD_AND_TIME: [u8; 10] = [10, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
    let size = (content.len() as u32).to_le_bytes();
    let name_length = (name.len() as u16).to_le_bytes();
    // Checksum, both sizes and both lengths are the same in either header.
    let common =
        [&METHOD_AND_TIME[..], &crc32(content).to_le_bytes(), &size, &size, &name_length, &[0; 2]]
            .concat();
    let local = [&LOCAL_HEADER[..], &common, name.as_bytes(), content].concat();
    // Regular file of mode 644, made on Unix; the file is at the beginning.
    let attributes = (0o100_644_u32 << 16).to_le_bytes();
    let central =
        [&CENTRAL_HEADER[..], &[10, 3], &common, &[0; 6], &attributes, &[0; 4], name.as_bytes()]
            .concat();
    let (central_size, offset) = (central.len() as u32, local.len() as u32);
    let end = [
        &END[..],
        &[0, 0, 0, 0, 1, 0, 1, 0],
        &central_size.to_le_bytes(),
        &offset.to_le_bytes(),
        &[0; 2],
    ]
    .concat();
    [local, central, end].concat()
}

/// CRC-32 of ISO 3309, as zip files have it.
fn crc32(content: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0xedb8_8320;
    let mut table = [0_u32; 256];
    for (value, entry) in (0..).zip(&mut table) {
        *entry = (0..8).fold(value, |crc: u32, _| (crc >> 1) ^ (POLYNOMIAL * (crc & 1)));
    }
    let next = |crc: u32, byte: &u8| (crc >> 8) ^ table[usize::from(crc.to_le_bytes()[0] ^ byte)];
    !content.iter().fold(!0, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_zip_files() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn a_zip_file_has_its_headers_and_one_file() {
        // Read by Python's `zipfile`, which found the name and the content.
        let expected = "504b03040a000000000000002100ac2a93d8020000000200000003000000612f626869504b01\
                        020a030a000000000000002100ac2a93d80200000002000000030000000000000000000000a4\
                        8100000000612f62504b0506000000000100010031000000230000000000";
        let zip: String = zip_of("a/b", b"hi").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(zip, expected);
    }

    #[test]
    fn a_working_directory_is_removed_after_its_use() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("workdir");
        let workdir = Workdir::create(path.clone()).unwrap();
        let length = std::fs::metadata(workdir.path().join(NAME)).unwrap().len();
        assert_eq!(length, SIZE as u64);
        drop(workdir);
        assert!(!path.exists());
    }
}
