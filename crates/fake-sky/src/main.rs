//! Program `fake-sky`: SkyPilot's command line, its API server, and the server's child
//! processes. Its command line and environment select the role; see the library's docs.

mod program;

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    match program::run() {
        Ok(code) => code,
        Err(error) => {
            // In the server and its children, stderr is the server's log.
            _ = writeln!(std::io::stderr(), "{error:#}");
            ExitCode::FAILURE
        }
    }
}
