//! Copies of the user's cloud credentials, where they are asked for: they go into the
//! isolated server's home and are removed with it.

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

/// It imports what it needs of SkyPilot, and asks no cloud; a plug-in may.
const WITHIN: Duration = Duration::from_secs(120);

const LIST: &str = include_str!("credentials.py");

/// Copies what SkyPilot needs for these clouds from the user's home to `home`.
pub(super) fn copy(
    sky: &SkyInstallation,
    clouds: &[String],
    home: &Path,
    signals: &Signals,
) -> Result<()> {
    let python = sky.python.as_deref().with_context(|| {
        format!("finding the Python of `{}`, which knows of credentials", sky.sky.display())
    })?;
    let mut command = Command::new(python);
    Environment::of(For::ServerOn(clouds)).apply(&mut command);
    command.current_dir("/").args(["-c", LIST]).args(clouds);
    let ran = command::run(&mut command, WITHIN, || signals.interrupted())
        .with_context(|| format!("running `{}`", python.display()))?;
    let asking = "asking SkyPilot where credentials stand";
    let output = match ran {
        Ran::Ended(status, output) if status.success() => output,
        Ran::Ended(status, output) => {
            bail!("{asking} failed ({status}):\n{}", String::from_utf8_lossy(&output))
        }
        Ran::TimedOut(output) => {
            let within = humantime::format_duration(WITHIN);
            let said = String::from_utf8_lossy(&output);
            bail!("{asking} did not end within {within}:\n{said}")
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

/// Pairs of a path below the new home and the file to be copied there.
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
    fn credentials_come_from_the_users_home_and_go_below_the_new_one() {
        let list = "~/.aws/credentials\t~/.aws/credentials\n/etc/key\t/etc/key\nnoise\n";
        let pairs = parse(list, Path::new("/home/u"));
        assert_eq!(
            pairs,
            [(PathBuf::from(".aws/credentials"), PathBuf::from("/home/u/.aws/credentials"))]
        );
    }
}
