//! Reader of a profile that is still being written.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use skyload::record::profile::{ProfileLine, Sample};

/// Latest samples of a profile, oldest first; empty if the file cannot be read. The
/// profiler writes to the file about once a second.
pub(crate) fn last_samples(samples: &Path) -> Vec<Sample> {
    /// Bytes to read from the end of the file.
    const TAIL: u64 = 8 * 1024;
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(samples)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        Ok(text)
    };
    let text = read().unwrap_or_default();
    // The first line is likely incomplete, and so is the last one during a write: both are
    // skipped as no valid JSON.
    text.split(|&byte| byte == b'\n')
        .filter_map(|line| match serde_json::from_slice(line) {
            Ok(ProfileLine::Sample(sample)) => Some(sample),
            _ => None,
        })
        .collect()
}
