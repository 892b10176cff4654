//! Copies of the user's cloud credentials (`--copy-credentials`), in the isolated server's home
//! and removed with it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use host::environment::{Environment, For};
use host::process::command::{self, Ran};
use host::signals::{Interrupted, Signals};
use skyload::env;

use super::copies::{copy_folder, copy_secret};
use crate::sky::SkyInstallation;

/// Time limit of the script. It imports SkyPilot and contacts no cloud, but a plug-in may.
const TIMEOUT: Duration = Duration::from_secs(120);

const SCRIPT: &str = include_str!("credentials.py");

/// Copies the credential files of these clouds from the user's home to `home`.
pub(super) fn copy(
    sky: &SkyInstallation,
    clouds: &[String],
    home: &Path,
    signals: &Signals,
) -> Result<()> {
    let python = sky.python.as_deref().with_context(|| {
        format!("finding the Python of `{}`, to list credential files", sky.sky.display())
    })?;
    let mut command = Command::new(python);
    Environment::of(For::ServerOn(clouds)).apply(&mut command);
    // With `-c`, Python looks for modules in the working directory first.
    command.current_dir("/").args(["-c", SCRIPT]).args(clouds);
    let ran = command::run(&mut command, TIMEOUT, || signals.interrupted())
        .with_context(|| format!("running `{}`", python.display()))?;
    let listing = "listing SkyPilot's credential files";
    let output = match ran {
        Ran::Ended(status, output) if status.success() => output,
        Ran::Ended(status, output) => {
            bail!("{listing} failed ({status}):\n{}", String::from_utf8_lossy(&output))
        }
        Ran::TimedOut(output) => {
            let timeout = humantime::format_duration(TIMEOUT);
            let output = String::from_utf8_lossy(&output);
            bail!("{listing} timed out after {timeout}:\n{output}")
        }
        Ran::Interrupted => return Err(Interrupted.into()),
    };
    let users_home = env::path("HOME").context("finding the home directory: HOME is not set")?;
    for (target, source) in parse(&String::from_utf8_lossy(&output), &users_home) {
        let target = home.join(target);
        if source.is_dir() {
            copy_folder(&source, &target)?;
        } else if source.is_file() {
            copy_secret(&source, &target)?;
        }
    }
    Ok(())
}

/// Pairs of a path below the server's home and the file to copy there. Files outside of a home
/// directory are left out.
fn parse(list: &str, users_home: &Path) -> Vec<(PathBuf, PathBuf)> {
    let pairs = list.lines().filter_map(|line| line.split_once('\t'));
    let expand = |path: &str| match path.strip_prefix("~/") {
        Some(rest) => users_home.join(rest),
        None => PathBuf::from(path),
    };
    pairs
        .filter_map(|(target, source)| Some((target.strip_prefix("~/")?.into(), expand(source))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_list_is_too_odd_to_be_read() {
        let list = "~/.aws/credentials\t~/.aws/credentials\n/etc/key\t/etc/key\nnoise\n";
        crate::changes::try_changes(list.as_bytes(), |list| {
            _ = parse(&String::from_utf8_lossy(list), Path::new("/home/u"));
        });
    }

    #[test]
    fn credentials_are_copied_from_the_users_home_to_the_servers() {
        let list = "~/.aws/credentials\t~/.aws/credentials\n/etc/key\t/etc/key\nnoise\n";
        let pairs = parse(list, Path::new("/home/u"));
        assert_eq!(
            pairs,
            [(PathBuf::from(".aws/credentials"), PathBuf::from("/home/u/.aws/credentials"))]
        );
    }
}
