//! A look into a profile that is still being written.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use skyload::record::profile::{ProfileLine, Sample};

/// The latest ticks of the profile, which reaches the disk about once a second.
pub(crate) fn last_ticks(samples: &Path) -> Vec<Sample> {
    const ENOUGH: u64 = 8 * 1024;
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(samples)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(ENOUGH)))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        Ok(text)
    };
    let text = read().unwrap_or_default();
    // The first line is most likely cut off at its beginning.
    text.split(|&byte| byte == b'\n')
        .filter_map(|line| match serde_json::from_slice(line) {
            Ok(ProfileLine::Sample(tick)) => Some(tick),
            _ => None,
        })
        .collect()
}
