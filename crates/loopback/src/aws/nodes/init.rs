//! Init of a node, outside of the node, by pidfd and by the open folder of its process. Its pid may
//! belong to another process once the init has ended.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::process;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use skyload::poll;
use skyload::process::look_up;

/// Namespaces of a node but the user namespace: options of `nsenter`, and names in `/proc/PID/ns`.
const NAMESPACES: [(&str, &str); 5] =
    [("--mount", "mnt"), ("--pid", "pid"), ("--net", "net"), ("--uts", "uts"), ("--ipc", "ipc")];

/// User namespace of a node.
const USER_NAMESPACE: (&str, &str) = ("--user", "user");

/// Error of a node that the keeper no longer starts.
pub(super) const ENDING: &str = "the keeper of nodes is ending";

/// Interval at which the wait for an init checks whether it is over.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Init of a node that has started.
pub(super) struct Init {
    process: OwnedFd,
    /// `/proc/PID`: nothing is found in it once the init has ended, whichever process has the pid.
    folder: File,
    network: Arc<File>,
}

impl Init {
    /// Running init with this pid, which is a child of the process `parent`.
    pub(super) fn of(pid: u32, parent: u32) -> Result<Self> {
        let finding = || format!("finding the node's init (pid {pid})");
        let process = i32::try_from(pid).ok().and_then(Pid::from_raw).with_context(finding)?;
        let process = pidfd_open(process, PidfdFlags::empty()).with_context(finding)?;
        let folder = File::open(format!("/proc/{pid}")).with_context(finding)?;
        let network = File::open(format!("/proc/{pid}/ns/net")).with_context(finding)?;
        let init = Self { process, folder, network: Arc::new(network) };
        // Checked last: if the pid is the init's now, it was when the files were opened.
        let is_child = look_up(pid).is_some_and(|found| found.parent == parent && !found.zombie);
        ensure!(is_child, "expected the node's init, got another process with pid {pid}");
        Ok(init)
    }

    /// Kills the init, and so all processes of its pid namespace.
    pub(super) fn kill(&self) {
        // Fails if the init has ended.
        _ = pidfd_send_signal(&self.process, Signal::KILL);
    }

    /// Network namespace of the node.
    pub(super) fn network(&self) -> Arc<File> {
        Arc::clone(&self.network)
    }

    /// Options of `nsenter` for the node's namespaces, with the user namespace if `with_user`. They
    /// can be used while this process runs and has not dropped the init.
    pub(super) fn entry(&self, with_user: bool) -> Vec<String> {
        let folder = format!("/proc/{}/fd/{}/ns", process::id(), self.folder.as_raw_fd());
        let user = with_user.then_some(USER_NAMESPACE);
        let namespaces = user.into_iter().chain(NAMESPACES);
        namespaces.map(|(option, name)| format!("{option}={folder}/{name}")).collect()
    }
}

/// Pid in the first line of an init's output, once `ready` is in the second. The wait ends with an
/// error once `is_over`.
pub(super) fn wait_for_ready(
    output: impl Read + Send + 'static,
    within: Duration,
    is_over: impl Fn() -> bool,
) -> Result<u32> {
    let (sender, lines) = mpsc::channel();
    // Ends with the init, which the caller kills after an error.
    let read = move || {
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        // Fails after the time limit, when the lines are no longer waited for.
        _ = sender.send((lines.next(), lines.next()));
    };
    thread::Builder::new()
        .name("node-start".to_owned())
        .spawn(read)
        .context("starting a thread")?;
    let received = poll::during(within, Duration::ZERO, || {
        ensure!(!is_over(), ENDING);
        Ok(lines.recv_timeout(POLL_INTERVAL.min(within)).ok())
    });
    let Some((pid, state)) = received? else {
        bail!("init has not written `ready` after {} s", within.as_secs_f64());
    };
    let pid = pid.and_then(|pid| pid.parse().ok());
    match (pid, state.as_deref()) {
        (Some(pid), Some("ready")) => Ok(pid),
        _ => bail!("init ended before it has written `ready`"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::Command;

    use rstest::rstest;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn only_the_init_itself_is_killed() {
        let mut child = Command::new("sleep").arg("605").spawn().unwrap();
        let init = Init::of(child.id(), process::id()).unwrap();
        let entry = init.entry(false);
        let (_, namespace) = entry[0].split_once('=').unwrap();
        assert!(File::open(namespace).is_ok());
        init.kill();
        assert!(!child.wait().unwrap().success());
        // Reaped: the pid is free.
        init.kill();
        assert!(File::open(namespace).is_err(), "no namespace of a later process");
    }

    #[test]
    fn a_process_with_the_pid_of_an_init_that_has_ended_is_not_taken_for_it() {
        let error = Init::of(process::id(), process::id()).err().unwrap().to_string();
        assert!(error.contains("got another process with pid"), "{error}");
    }

    #[test]
    fn the_pid_is_known_when_the_init_is_ready() {
        let (output, mut input) = std::io::pipe().unwrap();
        input.write_all(b"42\nready\n").unwrap();
        // Still open, as that of a running init.
        assert_eq!(wait_for_ready(output, LONG, || false).unwrap(), 42);
    }

    #[rstest]
    #[case::silent("", "init has not written `ready` after 0.05 s")]
    #[case::hangs("42\n", "init has not written `ready` after 0.05 s")]
    fn an_init_that_hangs_is_an_error(#[case] text: &str, #[case] expected: &str) {
        let (output, mut input) = std::io::pipe().unwrap();
        input.write_all(text.as_bytes()).unwrap();
        let error = wait_for_ready(output, Duration::from_millis(50), || false).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn the_end_of_the_keeper_ends_the_wait_for_an_init() {
        let (output, _input) = std::io::pipe().unwrap();
        let error = wait_for_ready(output, LONG, || true).unwrap_err();
        assert_eq!(error.to_string(), ENDING);
    }

    #[rstest]
    #[case::no_pid("mount: failed\nready\n")]
    #[case::not_ready("42\n")]
    fn an_init_that_ends_is_an_error(#[case] text: &'static str) {
        let error = wait_for_ready(text.as_bytes(), LONG, || false).unwrap_err();
        assert_eq!(error.to_string(), "init ended before it has written `ready`");
    }
}
