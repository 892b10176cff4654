//! Connections to a listener, accepted until the listener is shut down.

use std::io;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;

use super::log;

/// Pause after a failure, such as at the limit on open files: trying again at once would only take
/// CPU time.
const PAUSE: Duration = Duration::from_millis(100);

/// Gives each connection that `accept` returns to `serve`, until the listener, named `name` in the
/// log, is shut down or closed.
pub(super) fn accept_all<S>(
    name: &str,
    mut accept: impl FnMut() -> io::Result<S>,
    mut serve: impl FnMut(S),
) {
    let mut is_failing = false;
    loop {
        match accept() {
            Ok(connection) => {
                is_failing = false;
                serve(connection);
            }
            Err(error) if is_gone(&error) => return,
            Err(error) => {
                // Once: a lasting failure repeats ten times a second.
                if !is_failing {
                    log(&format!("accepting a connection to {name}: {error}; trying again"));
                }
                is_failing = true;
                thread::sleep(PAUSE);
            }
        }
    }
}

/// Whether `accept` has failed because the listener was shut down (`EINVAL`) or closed.
fn is_gone(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EINVAL | Errno::EBADF | Errno::ENOTSOCK))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn connections_after_a_failure_are_served() {
        let failed = |errno: Errno| Err(io::Error::from(errno));
        let mut results = [
            failed(Errno::EMFILE),
            Ok(1),
            failed(Errno::ECONNABORTED),
            Ok(2),
            failed(Errno::EINVAL),
        ]
        .into_iter();
        let mut served = Vec::new();
        accept_all("test", || results.next().unwrap(), |connection| served.push(connection));
        assert_eq!(served, [1, 2]);
        assert!(results.next().is_none(), "accepted after the end of the listener");
    }

    #[test]
    fn accepting_ends_when_the_listener_is_shut_down() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        rustix::net::shutdown(&listener, rustix::net::Shutdown::Both).unwrap();
        accept_all("test", || listener.accept(), |_| panic!("a connection"));
    }
}
