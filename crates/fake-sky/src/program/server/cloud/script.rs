//! Simulated shell script of a job: output and duration of its `run`, without a shell.
//!
//! `echo`, `sleep` and `exit` are interpreted, one after the other, and again from the beginning
//! in a script that begins with `while true; do`. Other commands take no time and print nothing.

use std::time::Duration;

/// Output and duration of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Script {
    /// Lines of output, each with its time since the start.
    pub(crate) lines: Vec<(Duration, String)>,
    /// Run time, or that of one round if the script repeats.
    pub(crate) duration: Duration,
    /// Exit code.
    pub(crate) code: u8,
    /// Whether the script begins again at its end, without limit.
    pub(crate) repeats: bool,
}

impl Script {
    /// Script of a `run`. One second of `sleep` takes the time `second`.
    pub(crate) fn of(run: &str, second: Duration) -> Self {
        let mut script = Self { repeats: run.starts_with("while true"), ..Self::default() };
        for command in commands(run) {
            let command = command.trim();
            let command = command.strip_prefix("do ").unwrap_or(command);
            let (word, rest) =
                command.split_once(char::is_whitespace).unwrap_or((command, Default::default()));
            match word {
                "echo" => script.lines.push((script.duration, unquoted(rest.trim()))),
                "sleep" => script.duration += sleep_time(rest.trim(), second),
                "exit" => {
                    script.code = rest.trim().parse().unwrap_or_default();
                    break;
                }
                _ => {}
            }
        }
        if script.repeats {
            // Rounds without a duration would print lines without limit.
            script.duration = script.duration.max(Duration::from_millis(1));
        }
        script
    }

    /// Time of the end after the start; `None` for a script that repeats.
    pub(crate) fn end(&self) -> Option<Duration> {
        (!self.repeats).then_some(self.duration)
    }

    /// Lines that are printed within `time` after the start.
    pub(crate) fn lines_until(&self, time: Duration) -> impl Iterator<Item = &str> {
        let rounds = match self.repeats {
            true => time.as_micros() / self.duration.as_micros().max(1) + 1,
            false => 1,
        };
        (0..u32::try_from(rounds).unwrap_or(u32::MAX)).flat_map(move |round| {
            let start = self.duration * round;
            let due = self.lines.iter().filter(move |(after, _)| start + *after <= time);
            due.map(|(_, text)| text.as_str())
        })
    }
}

/// Duration of a `sleep`: 0 if its argument is no number, at most a century (`infinity`).
fn sleep_time(seconds: &str, second: Duration) -> Duration {
    const CENTURY: f64 = 3.2e9;
    let seconds: f64 = seconds.parse().unwrap_or_default();
    Duration::try_from_secs_f64(seconds.min(CENTURY) * second.as_secs_f64()).unwrap_or_default()
}

/// Commands of a script, split at newlines, `;` and `&` outside of quotes.
fn commands(run: &str) -> Vec<String> {
    let mut commands = vec![String::new()];
    let mut quote = None;
    for letter in run.chars() {
        quote = match quote {
            None if matches!(letter, '\'' | '"') => Some(letter),
            Some(open) if open == letter => None,
            unchanged => unchanged,
        };
        if quote.is_none() && matches!(letter, '\n' | ';' | '&') {
            commands.push(String::new());
        } else if let Some(command) = commands.last_mut() {
            command.push(letter);
        }
    }
    commands
}

fn unquoted(words: &str) -> String {
    words.chars().filter(|letter| !matches!(letter, '\'' | '"')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_prints_sleeps_and_exits() {
        let run = "echo 'a; b'; sleep 2 && echo done\npython -m nothing\nexit 3; echo never";
        let script = Script::of(run, Duration::from_millis(10));
        let lines =
            [(Duration::ZERO, "a; b".to_owned()), (Duration::from_millis(20), "done".to_owned())];
        assert_eq!(script.lines, lines);
        assert_eq!((script.duration, script.code), (Duration::from_millis(20), 3));
    }

    #[test]
    fn a_script_that_repeats_prints_in_each_round_and_has_no_end() {
        let script = Script::of("while true; do echo a; sleep 5; done", Duration::from_millis(10));
        let lines = |millis| script.lines_until(Duration::from_millis(millis)).count();
        assert_eq!([0, 49, 50, 120].map(lines), [1, 1, 2, 3]);
        assert_eq!(script.end(), None);
        assert_eq!(
            Script::of("sleep 2", Duration::from_secs(1)).end(),
            Some(Duration::from_secs(2))
        );
    }

    #[test]
    fn a_sleep_accepts_any_argument() {
        let duration = |run| Script::of(run, Duration::from_secs(1)).duration;
        assert_eq!(duration("sleep 0.5"), Duration::from_millis(500));
        assert_eq!(duration("sleep -1"), Duration::ZERO);
        assert_eq!(duration("sleep soon"), Duration::ZERO);
        assert!(duration("sleep infinity") > Duration::from_secs(1_000_000_000));
    }
}
