//! Command `__node-ssh SOCKET ADDRESS`: ssh's `ProxyCommand`, which hands its standard streams
//! over to the keeper.
//!
//! The process is a descendant of the API server and counts as the server's memory, so it only
//! waits: sshd reads and writes ssh's pipes itself.

use std::ffi::OsString;
use std::io::{Read as _, Write as _, stderr};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use super::{SSH_COMMAND, streams};

/// Exit code of ssh for its own errors.
const FAILED: u8 = 255;

/// Runs the command `__node-ssh` if `args`, the program's arguments, ask for it.
pub fn ssh(args: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut args = args.into_iter().skip(1);
    if args.next()? != SSH_COMMAND {
        return None;
    }
    let args: Vec<OsString> = args.collect();
    Some(match connect(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A closed terminal must not change the exit code.
            _ = writeln!(stderr(), "{error:#}");
            ExitCode::from(FAILED)
        }
    })
}

/// Hands the standard streams over and waits until the session ends.
fn connect(args: &[OsString]) -> Result<()> {
    let [socket, address] = args else {
        bail!("expected `{SSH_COMMAND} SOCKET ADDRESS`, got {} arguments", args.len());
    };
    let address = address.to_str().context("reading the node's address")?;
    let mut keeper = UnixStream::connect(socket).with_context(|| {
        format!("connecting to the keeper of nodes at `{}`", socket.to_string_lossy())
    })?;
    streams::send(&keeper, address)?;
    let mut answer = String::new();
    keeper.read_to_string(&mut answer).context("waiting for the end of the session")?;
    match answer.trim() {
        "" => Ok(()),
        error => bail!("{error}"),
    }
}
