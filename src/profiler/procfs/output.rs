//! Request that an executor runs: the file behind its file descriptor 1.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, openat, readlinkat};
use rustix::io::Errno;

use crate::record::profile::{Output, UnreadOutput};

/// Names of the directories of requests' logs: since release 0.12, and before.
const LOG_DIRECTORIES: [&str; 2] = ["request_logs", "requests"];

/// Length of a path that is read without another allocation, in bytes.
const PATH_CAPACITY: usize = 256;

/// Link of a process's file descriptor 1. It stays open itself, so that its path is walked once and
/// not for each reading: in `/proc` that costs more than the reading.
pub(super) struct OutputLink(OwnedFd);

impl OutputLink {
    /// Link of a process, or why it cannot be read; `None` if the process has exited.
    pub(super) fn of(pid: u32) -> Option<Result<Self, UnreadOutput>> {
        // The link, and not the file that it leads to.
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(CWD, format!("/proc/{pid}/fd/1"), flags, Mode::empty()) {
            Ok(link) => Some(Ok(Self(link))),
            Err(error) => Some(Err(unread(error)?)),
        }
    }

    /// Reads where the link leads now. `None` for a process that has exited.
    pub(super) fn read(&self) -> Option<Output> {
        // The empty path is the open link.
        match readlinkat(&self.0, c"", Vec::with_capacity(PATH_CAPACITY)) {
            Ok(file) => Some(of_file(Path::new(OsStr::from_bytes(file.to_bytes())))),
            Err(error) => unread(error).map(Output::Unread),
        }
    }
}

/// Reason for which a link cannot be read; `None` if its process has exited.
fn unread(error: Errno) -> Option<UnreadOutput> {
    matches!(error, Errno::ACCESS | Errno::PERM).then_some(UnreadOutput::NotPermitted)
}

fn of_file(file: &Path) -> Output {
    // The kernel marks a file that was deleted meanwhile.
    let name = file.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let id = name.strip_suffix(" (deleted)").unwrap_or(name).strip_suffix(".log");
    let directory = file.parent().and_then(Path::file_name).and_then(OsStr::to_str);
    match (directory, id) {
        (Some(directory), Some(id)) if LOG_DIRECTORIES.contains(&directory) => {
            Output::Request(id.to_owned())
        }
        _ => Output::NoRequest,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use rstest::rstest;

    use super::*;
    use crate::poll::{Probe, wait_until};

    #[rstest]
    #[case::request("/h/.sky/api_server/request_logs/7f-1.log", Some("7f-1"))]
    #[case::daemon(
        "/h/.sky/api_server/request_logs/skypilot-x-daemon.log",
        Some("skypilot-x-daemon")
    )]
    #[case::deleted("/h/.sky/api_server/request_logs/7f-1.log (deleted)", Some("7f-1"))]
    #[case::release_0_9("/h/sky_logs/api_server/requests/7f-1.log", Some("7f-1"))]
    #[case::servers_log("/h/.sky/api_server/server.log", None)]
    #[case::another_file("/h/.sky/api_server/request_logs/7f-1", None)]
    #[case::pipe("pipe:[4711]", None)]
    #[case::root("/", None)]
    fn the_log_of_a_request_names_the_request(#[case] file: &str, #[case] id: Option<&str>) {
        assert_eq!(of_file(Path::new(file)).request(), id);
    }

    #[test]
    fn the_output_of_a_process_is_read_until_its_exit() {
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("request_logs");
        std::fs::create_dir(&logs).unwrap();
        let log = std::fs::File::create(logs.join("7f-1.log")).unwrap();
        let mut command = Command::new("/bin/sh");
        let command = command.args(["-c", "read x"]).stdin(Stdio::piped()).stdout(log);
        let mut child = command.spawn().unwrap();
        let link = OutputLink::of(child.id()).unwrap().unwrap();
        assert_eq!(link.read(), Some(Output::Request("7f-1".to_owned())));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(link.read(), None);
        assert!(OutputLink::of(child.id()).is_none());
    }

    #[test]
    fn an_open_link_leads_to_what_was_redirected_since() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("request_logs")).unwrap();
        let redirections =
            ["exec >request_logs/7f-1.log", "exec >&-", "exec >request_logs/7f-2.log"];
        let script = redirections.map(|redirection| format!("read x; {redirection}; ")).concat();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &format!("{script} read x")]).current_dir(folder.path());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let link = OutputLink::of(child.id()).unwrap().unwrap();
        assert_eq!(link.read(), Some(Output::NoRequest));
        let request = |id: &str| Some(Output::Request(id.to_owned()));
        for expected in [request("7f-1"), None, request("7f-2")] {
            writeln!(child.stdin.as_mut().unwrap()).unwrap();
            wait_until(Duration::from_secs(30), Duration::from_millis(5), || {
                let output = link.read();
                Probe::of(output == expected, &format!("{output:?}, and not {expected:?}"))
            })
            .unwrap();
        }
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}
