//! Lines by which a script marks its steps, as those of SkyPilot's own benchmark do:
//! `##BENCH_START NAME TIME` and `##BENCH_END NAME CODE TIME`, with times in seconds since 1970.

use std::collections::HashMap;
use std::time::Duration;

/// Step of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BenchStep {
    /// Name that the script gives the step.
    pub(super) name: String,
    /// Time from the beginning to the end; `None` without a beginning.
    pub(super) took: Option<Duration>,
    /// Exit code; 0 is a success, and negative the number of the signal that ended the step.
    pub(super) code: i64,
}

/// Steps in a script's output, and the step that it had begun last and not ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct BenchSteps {
    /// Steps that ended, in the order of their ends.
    pub(super) ended: Vec<BenchStep>,
    /// Step that did not end; `None` if all did.
    pub(super) unfinished: Option<String>,
}

impl BenchSteps {
    /// Steps that a script's output marks. Lines of other forms are no marks.
    pub(super) fn of(output: &str) -> Self {
        let (mut begun, mut steps) = (HashMap::new(), Self::default());
        for line in output.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["##BENCH_START", name, time, ..] if is_name(name) => {
                    let Some(time) = seconds(time) else { continue };
                    begun.insert((*name).to_owned(), time);
                    steps.unfinished = Some((*name).to_owned());
                }
                ["##BENCH_END", name, code, time, ..] if is_name(name) => {
                    let (Ok(code), Some(time)) = (code.parse(), seconds(time)) else { continue };
                    // A clock that was set back in between makes a step of no length.
                    let took = begun.remove(*name).map(|start| time.saturating_sub(start));
                    steps.unfinished.take_if(|unfinished| unfinished == name);
                    steps.ended.push(BenchStep { name: (*name).to_owned(), took, code });
                }
                _ => {}
            }
        }
        steps
    }
}

/// Whether a word can be the name of a step: short, and without anything that would end a line of a
/// report.
fn is_name(word: &str) -> bool {
    const LONGEST: usize = 80;
    word.len() <= LONGEST && !word.contains(char::is_control)
}

/// Time of a mark, since 1970.
fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_read_from_the_lines_between_others() {
        let output = "++ date\n##BENCH_START sky_launch 100.5\nhello\n##BENCH_END sky_launch 0 102.75\n\
                      ##BENCH_START sky_exec 103\n##BENCH_END sky_exec 1 104\n##BENCH_START sky_logs 105\n";
        let step = |name: &str, millis, code| BenchStep {
            name: name.to_owned(),
            took: Some(Duration::from_millis(millis)),
            code,
        };
        let steps = BenchSteps::of(output);
        assert_eq!(steps.ended, [step("sky_launch", 2250, 0), step("sky_exec", 1000, 1)]);
        assert_eq!(steps.unfinished.as_deref(), Some("sky_logs"));
    }

    #[test]
    fn the_code_of_a_step_that_a_signal_ended_is_negative() {
        // Python's `returncode` of a killed process.
        let steps = BenchSteps::of("##BENCH_START launch 1\n##BENCH_END launch -9 2\n");
        let took = Some(Duration::from_secs(1));
        assert_eq!(steps.ended, [BenchStep { name: "launch".to_owned(), took, code: -9 }]);
        assert_eq!(steps.unfinished, None);
    }

    #[test]
    fn other_lines_are_no_steps() {
        let output = "##BENCH_START a\n##BENCH_END a b 1\n+ echo '##BENCH_END a 0 1'\n##BENCH_END\n\
                      ##BENCH_END a 0 -1\n##BENCH_END a 0 nan\n##BENCH_WORKLOAD_DONE\n";
        assert_eq!(BenchSteps::of(output), BenchSteps::default());
    }

    #[test]
    fn no_output_is_too_odd_to_be_read() {
        let output = b"##BENCH_START a 1.5\n##BENCH_END a 0 2.5\n";
        crate::changes::try_changes(output, |output| {
            _ = BenchSteps::of(&String::from_utf8_lossy(output));
        });
    }
}
