//! Search for secrets in everything that a run leaves or shows.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::{Finished, Running, Site};

/// Texts with their places.
pub(crate) struct Texts(Vec<(String, String)>);

impl Texts {
    /// Files of a run and the output of its command.
    pub(crate) fn of(run: &Finished) -> anyhow::Result<Self> {
        let mut texts = files_below(run.run_dir()?.path())?;
        texts.push(("stdout".to_owned(), String::from_utf8_lossy(&run.output.stdout).into_owned()));
        texts.push(("stderr".to_owned(), run.stderr()));
        Ok(Self(texts))
    }

    pub(crate) fn with_command_lines(mut self, lines: BTreeSet<String>) -> Self {
        self.0.extend(lines.into_iter().map(|line| ("a command line".to_owned(), line)));
        self
    }

    pub(crate) fn contain(&self, part: &str) -> bool {
        self.0.iter().any(|(_, text)| text.contains(part))
    }

    /// Asserts that a secret is in none of the texts: plain, percent-encoded or in Base64.
    #[track_caller]
    pub(crate) fn assert_absent(&self, secret: &str) {
        let encoded: String = secret
            .bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    char::from(byte).to_string()
                }
                _ => format!("%{byte:02X}"),
            })
            .collect();
        let base64 = BASE64_STANDARD.encode(secret);
        for form in [secret, &encoded, &encoded.to_lowercase(), &base64] {
            for (place, text) in &self.0 {
                assert!(!text.contains(form), "`{form}` is in {place}:\n{text}");
            }
        }
    }
}

/// Command lines of all processes of the site until the command has ended, except for the
/// command's own, which the user typed.
pub(crate) fn command_lines_until_the_end(site: &Site, running: &Running<'_>) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut typed = None;
    while !running.has_ended() {
        let processes = site.processes();
        // A process that has just ended has an empty one.
        let mut own = processes.iter().filter(|process| !process.command_line.is_empty());
        let own = own.find(|process| process.pid == running.pid());
        typed = own.map(|process| process.command_line.clone()).or(typed);
        seen.extend(processes.into_iter().map(|process| process.command_line));
        std::thread::sleep(Duration::from_millis(5));
    }
    // By text and not by pid: until its exec, a forked child has its parent's command line.
    seen.remove(&typed.expect("the command was seen before its end"));
    assert!(seen.iter().any(|line| line.contains("sky status")), "{seen:?}");
    seen
}

/// Files below a directory, as paths and texts.
fn files_below(folder: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else {
            let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
            files.push((path.display().to_string(), text));
        }
    }
    Ok(files)
}
