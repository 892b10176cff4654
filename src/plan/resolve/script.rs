//! Program of `--script`, or of the plan's key `script`.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use super::Resolver;
use super::settings::LONGEST_TIME;
use crate::hash::sha256_of;
use crate::plan::{Script, ScriptStart};

/// Default maximum time of a run, as in SkyPilot's own benchmark.
const TIMEOUT: Duration = Duration::from_secs(60 * 60);

impl Resolver<'_> {
    /// Program that users run; `None` without one. Its file is read.
    pub(super) fn script(&mut self) -> Option<Script> {
        let (request, settings) = (self.request, self.settings);
        let timeout = self.script_timeout();
        let (place, path) = match (&request.script, &settings.script) {
            (Some(path), _) => ("--script", path),
            // The plan's script is one of the plan's scenarios.
            (None, Some(path)) if !self.names_scenarios() => ("script", path),
            (None, _) => {
                if request.script_timeout.is_some() {
                    self.error(
                        "--script-timeout: only with --script; add it, or remove it".to_owned(),
                    );
                }
                return None;
            }
        };
        match (start_of(path), File::open(path).and_then(sha256_of)) {
            (Ok(start), Ok(sha256)) => Some(Script { path: path.clone(), sha256, start, timeout }),
            (Err(error), _) | (_, Err(error)) => {
                self.error(format!("{place}: cannot run `{}`: {error}", path.display()));
                None
            }
        }
    }

    fn script_timeout(&mut self) -> Duration {
        let typed = self.request.script_timeout.as_deref();
        let place = if typed.is_some() { "--script-timeout" } else { "script-timeout" };
        let time = match typed.map(humantime::parse_duration) {
            None => self.settings.script_timeout.unwrap_or(TIMEOUT),
            Some(Ok(time)) => time,
            Some(Err(error)) => {
                self.error(format!("{place}: {error}"));
                return TIMEOUT;
            }
        };
        if time.is_zero() || time > LONGEST_TIME {
            let longest = humantime::format_duration(LONGEST_TIME);
            let time = humantime::format_duration(time);
            self.error(format!("{place}: expected more than 0s and at most {longest}, got {time}"));
        }
        time
    }
}

/// Way of starting a program: by itself if it is executable, and otherwise by bash if it is a shell
/// script.
fn start_of(path: &Path) -> io::Result<ScriptStart> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::other("expected a file"));
    }
    let mut beginning = Vec::new();
    File::open(path)?.take(256).read_to_end(&mut beginning)?;
    let first_line = beginning.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let first_line = String::from_utf8_lossy(first_line);
    let is_executable = metadata.permissions().mode() & 0o111 != 0;
    let is_shell_script = path.extension().is_some_and(|it| it == "sh")
        || (first_line.starts_with("#!") && first_line.trim_end().ends_with("sh"));
    match (is_executable, first_line.starts_with("#!"), is_shell_script) {
        (true, true, _) | (true, _, false) => Ok(ScriptStart::Itself),
        // Without a first line that names its shell, the kernel does not run a script.
        (_, _, true) => Ok(ScriptStart::Bash),
        (false, _, false) => Err(io::Error::other(
            "expected an executable file or a shell script\n  hint: use chmod +x",
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::a_shell_script("a.sh", "echo", 0o644, Some(ScriptStart::Bash))]
    #[case::an_executable_one_without_a_shell("a.sh", "echo", 0o755, Some(ScriptStart::Bash))]
    #[case::an_executable_one("a.sh", "#!/bin/zsh\necho", 0o755, Some(ScriptStart::Itself))]
    #[case::a_script_by_its_first_line(
        "a",
        "#!/usr/bin/env bash\n",
        0o644,
        Some(ScriptStart::Bash)
    )]
    #[case::an_executable_program("a", "\x7fELF", 0o755, Some(ScriptStart::Itself))]
    #[case::another_language("a.py", "#!/usr/bin/env python3\n", 0o644, None)]
    #[case::a_text("a.txt", "hello", 0o644, None)]
    fn a_program_is_started_by_the_kernel_or_by_bash(
        #[case] name: &str,
        #[case] content: &str,
        #[case] mode: u32,
        #[case] expected: Option<ScriptStart>,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        assert_eq!(start_of(&path).ok(), expected);
    }
}
