//! What a job does: as much of its `run` as is understood without a shell.
//!
//! That is `echo`, `sleep` and `exit`, one after the other; any other command
//! takes no time and prints nothing.

use std::time::Duration;

/// A job's output and its end, as times after its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Script {
    /// What it prints, and when.
    pub(crate) lines: Vec<(Duration, String)>,
    /// How long it takes.
    pub(crate) length: Duration,
    /// What it exits with.
    pub(crate) code: u8,
}

impl Script {
    /// Reads a `run`, in which a `second` of sleep takes so long.
    pub(crate) fn of(run: &str, second: Duration) -> Self {
        let mut script = Self::default();
        for command in commands(run) {
            let command = command.trim();
            let (word, rest) =
                command.split_once(char::is_whitespace).unwrap_or((command, Default::default()));
            match word {
                "echo" => script.lines.push((script.length, unquoted(rest.trim()))),
                "sleep" => script.length += nap(rest.trim(), second),
                "exit" => {
                    script.code = rest.trim().parse().unwrap_or_default();
                    break;
                }
                _ => {}
            }
        }
        script
    }
}

/// A sleep that cannot be read takes no time; one that never ends, a century.
fn nap(seconds: &str, second: Duration) -> Duration {
    const CENTURY: f64 = 3.2e9;
    let seconds: f64 = seconds.parse().unwrap_or_default();
    Duration::try_from_secs_f64(seconds.min(CENTURY) * second.as_secs_f64()).unwrap_or_default()
}

/// The commands between newlines, `;` and `&`, as far as those are not quoted.
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
        assert_eq!((script.length, script.code), (Duration::from_millis(20), 3));
    }

    #[test]
    fn a_sleep_may_be_anything() {
        let length = |run| Script::of(run, Duration::from_secs(1)).length;
        assert_eq!(length("sleep 0.5"), Duration::from_millis(500));
        assert_eq!(length("sleep -1"), Duration::ZERO);
        assert_eq!(length("sleep soon"), Duration::ZERO);
        assert!(length("sleep infinity") > Duration::from_secs(1_000_000_000));
    }
}
