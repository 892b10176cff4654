//! Samples by the rule of upstream's tool (SkyPilot's `tests/load_tests`), for comparison.
//!
//! Every 0.2 s upstream's tool takes all processes of the machine with one of two keywords
//! anywhere in their command line, and reports the largest and the mean resident memory.
//! This counts executors of other servers, and any process that mentions the keyword. It
//! misses executors without a title, and everything between two samples.
//!
//! The samples are taken in a thread of their own: reading a command line blocks while the
//! process changes its address space, which must not delay the profiler's own samples.

use std::io;
use std::sync::mpsc::{Receiver, TryIter, channel};
use std::thread;
use std::time::Duration;

use super::source::{Listed, ProcessSource, Reading};
use super::{ProfilerError, plain_source};
use crate::clock::Timeline;
use crate::record::profile::{KeywordMemory, UpstreamSample};
use crate::units::ByteSize;

/// Pause of upstream's tool between two samples.
const PAUSE: Duration = Duration::from_millis(200);

const SHORT: &[u8] = b"SkyPilot:executor:short";
const LONG: &[u8] = b"SkyPilot:executor:long";

/// Thread that samples until this value is dropped.
pub(super) struct UpstreamSampler(Receiver<UpstreamSample>);

impl UpstreamSampler {
    /// Starts the thread.
    pub(super) fn start(timeline: Timeline) -> Result<Self, ProfilerError> {
        let (sender, samples) = channel();
        thread::Builder::new()
            .name("upstream".to_owned())
            .spawn(move || {
                // If this fails, so does the source of the profiler's own samples, which reports
                // the error.
                let Ok(source) = plain_source() else { return };
                let mut scan = KeywordScan::new(source);
                // If the list fails here, it fails in the profiler's own samples as well,
                // which report the error.
                while let Ok((short, long)) = scan.scan() {
                    let sample = UpstreamSample { at: timeline.now(), short, long };
                    if sender.send(sample).is_err() {
                        // The profile has ended and dropped the receiver.
                        return;
                    }
                    // A pause after each scan, not a fixed rate: upstream's tool slows down in the
                    // same way.
                    thread::sleep(PAUSE);
                }
            })
            .map_err(ProfilerError::Thread)?;
        Ok(Self(samples))
    }

    /// Samples taken since the last call.
    pub(super) fn new_samples(&self) -> TryIter<'_, UpstreamSample> {
        self.0.try_iter()
    }
}

/// Scan of all processes of the machine, with reused buffers.
struct KeywordScan<S> {
    source: S,
    listed: Vec<Listed>,
    command_line: Vec<u8>,
}

impl<S: ProcessSource> KeywordScan<S> {
    fn new(source: S) -> Self {
        Self { source, listed: Vec::new(), command_line: Vec::new() }
    }

    /// Scans for short and long executors by upstream's rule.
    fn scan(&mut self) -> io::Result<(KeywordMemory, KeywordMemory)> {
        self.source.list(&mut self.listed)?;
        let (mut short, mut long) = (KeywordMemory::default(), KeywordMemory::default());
        for listed in &self.listed {
            if !self.source.command_line(listed.pid, &mut self.command_line) {
                continue;
            }
            for (keyword, total) in [(SHORT, &mut short), (LONG, &mut long)] {
                if !contains(&self.command_line, keyword) {
                    continue;
                }
                let mut handle = self.source.open(listed.pid);
                if let Reading::Memory(memory) = self.source.read(&mut handle) {
                    let rss = ByteSize(memory.rss);
                    total.count += 1;
                    total.rss_sum += rss;
                    total.rss_max = total.rss_max.max(rss);
                }
            }
        }
        Ok((short, long))
    }
}

fn contains(command_line: &[u8], keyword: &[u8]) -> bool {
    command_line.windows(keyword.len()).any(|window| window == keyword)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profiler::fake::FakeMachine;

    #[test]
    fn processes_with_the_keyword_anywhere_are_counted() {
        let machine = FakeMachine::default();
        machine.start(10, 1, "SkyPilot:executor:short:10", 100);
        machine.start(11, 1, "vi notes-on-SkyPilot:executor:short.txt", 20);
        machine.start(12, 1, "SkyPilot:executor:long:12", 200);
        machine.start(13, 1, "python -c from_multiprocessing.spawn", 400);
        let (short, long) = KeywordScan::new(machine).scan().unwrap();
        let expected =
            KeywordMemory { count: 2, rss_sum: ByteSize::mib(120), rss_max: ByteSize::mib(100) };
        assert_eq!(short, expected);
        assert_eq!(short.mean(), Some(ByteSize::mib(60)));
        assert_eq!((long.count, long.rss_max), (1, ByteSize::mib(200)));
    }

    #[test]
    fn without_a_match_there_is_no_mean() {
        let (short, long) = KeywordScan::new(FakeMachine::default()).scan().unwrap();
        assert_eq!((short.count, short.mean(), long.mean()), (0, None, None));
    }
}
