//! What the original tool looked at, so that its figures can be had beside ours.
//!
//! Each 0.2 s it took all processes of the machine whose command line held one of two
//! keywords anywhere, and of those the largest and the mean resident memory. That
//! counts other servers' executors and whoever merely mentions the keyword, and
//! overlooks workers without a title and whatever happens between two looks.
//!
//! A thread of its own looks: reading command lines may block for as long as a process
//! changes its address space, and our ticks must not wait for that.

use std::io;
use std::sync::mpsc::{Receiver, TryIter, channel};
use std::thread;
use std::time::Duration;

use super::source::{Listed, ProcessSource, Reading};
use super::{ProfilerError, plain_source};
use crate::clock::Timeline;
use crate::record::profile::{KeywordMemory, UpstreamSample};
use crate::units::ByteSize;

/// How long the original slept between two looks.
const PAUSE: Duration = Duration::from_millis(200);

const SHORT: &[u8] = b"SkyPilot:executor:short";
const LONG: &[u8] = b"SkyPilot:executor:long";

/// Looks that go on until this is dropped.
pub(super) struct OriginalLooks(Receiver<UpstreamSample>);

impl OriginalLooks {
    /// Begins to look.
    pub(super) fn start(timeline: Timeline) -> Result<Self, ProfilerError> {
        let (sender, looks) = channel();
        thread::Builder::new()
            .name("original".to_owned())
            .spawn(move || {
                let Ok(source) = plain_source() else { return };
                let mut machine = Machine::new(source);
                // A list that fails once ends the profile by its own ticks.
                while let Ok((short, long)) = machine.look() {
                    let look = UpstreamSample { at: timeline.now(), short, long };
                    if sender.send(look).is_err() {
                        return;
                    }
                    thread::sleep(PAUSE);
                }
            })
            .map_err(ProfilerError::Thread)?;
        Ok(Self(looks))
    }

    /// What was seen since the last call.
    pub(super) fn news(&self) -> TryIter<'_, UpstreamSample> {
        self.0.try_iter()
    }
}

/// All processes of the machine.
struct Machine<S> {
    source: S,
    listed: Vec<Listed>,
    command_line: Vec<u8>,
}

impl<S: ProcessSource> Machine<S> {
    fn new(source: S) -> Self {
        Self { source, listed: Vec::new(), command_line: Vec::new() }
    }

    /// Short and long executors, by the original's rule.
    fn look(&mut self) -> io::Result<(KeywordMemory, KeywordMemory)> {
        self.source.list(&mut self.listed)?;
        let (mut short, mut long) = (KeywordMemory::default(), KeywordMemory::default());
        for listed in &self.listed {
            if !self.source.command_line(listed.pid, &mut self.command_line) {
                continue;
            }
            for (keyword, sum) in [(SHORT, &mut short), (LONG, &mut long)] {
                if !holds(&self.command_line, keyword) {
                    continue;
                }
                let mut handle = self.source.open(listed.pid);
                if let Reading::Memory(memory) = self.source.read(&mut handle) {
                    let rss = ByteSize(memory.rss);
                    sum.count += 1;
                    sum.rss_sum += rss;
                    sum.rss_max = sum.rss_max.max(rss);
                }
            }
        }
        Ok((short, long))
    }
}

fn holds(command_line: &[u8], keyword: &[u8]) -> bool {
    command_line.windows(keyword.len()).any(|window| window == keyword)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profiler::fake::FakeMachine;

    #[test]
    fn whoever_has_the_keyword_anywhere_counts_and_nobody_else() {
        let machine = FakeMachine::default();
        machine.start(10, 1, "SkyPilot:executor:short:10", 100);
        machine.start(11, 1, "vi notes-on-SkyPilot:executor:short.txt", 20);
        machine.start(12, 1, "SkyPilot:executor:long:12", 200);
        machine.start(13, 1, "python -c from_multiprocessing.spawn", 400);
        let (short, long) = Machine::new(machine).look().unwrap();
        let expected =
            KeywordMemory { count: 2, rss_sum: ByteSize::mib(120), rss_max: ByteSize::mib(100) };
        assert_eq!(short, expected);
        assert_eq!(short.mean(), Some(ByteSize::mib(60)));
        assert_eq!((long.count, long.rss_max), (1, ByteSize::mib(200)));
    }

    #[test]
    fn where_nobody_has_it_there_is_no_mean() {
        let (short, long) = Machine::new(FakeMachine::default()).look().unwrap();
        assert_eq!((short.count, short.mean(), long.mean()), (0, None, None));
    }
}
