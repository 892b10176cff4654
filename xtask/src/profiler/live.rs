//! Reader of a profile that is still being written.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use skyload::record::profile::{ProfileLine, Sample};

/// Latest samples of a profile, oldest first; empty if the file cannot be read. The
/// profiler writes to the file about once a second.
pub(crate) fn last_samples(samples: &Path) -> Vec<Sample> {
    let lines = last_lines(samples).into_iter();
    lines
        .filter_map(|line| if let ProfileLine::Sample(sample) = line { Some(sample) } else { None })
        .collect()
}

/// Lines at the end of a profile, oldest first: so many that there is a sample among them. Empty if
/// the file cannot be read.
pub(crate) fn last_lines(samples: &Path) -> Vec<ProfileLine> {
    /// Bytes to read from the end of the file at first.
    const TAIL: u64 = 8 * 1024;
    let mut tail = TAIL;
    loop {
        let Ok((text, is_whole)) = read_tail(samples, tail) else { return Vec::new() };
        // The first line is likely incomplete, and so is the last one during a write: both are
        // skipped as no valid JSON.
        let lines: Vec<ProfileLine> = text
            .split(|&byte| byte == b'\n')
            .filter_map(|line| serde_json::from_slice(line).ok())
            .collect();
        // Readings of hundreds of processes are longer, and a profile of hours has a minute of them
        // after its last sample.
        if is_whole || lines.iter().any(|line| matches!(line, ProfileLine::Sample(_))) {
            return lines;
        }
        tail = tail.saturating_mul(8);
    }
}

/// Reads the end of a file. Returns whether that is all of it, too.
fn read_tail(path: &Path, tail: u64) -> io::Result<(Vec<u8>, bool)> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(tail)))?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    Ok((text, length <= tail))
}
