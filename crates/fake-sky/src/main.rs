//! The program `fake-sky`: SkyPilot's command line, its server, and the
//! server's children, by how it is called. The library says why it exists.

mod program;

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    match program::run() {
        Ok(code) => code,
        Err(error) => {
            // For the server and its children this is the server's log.
            _ = writeln!(std::io::stderr(), "{error:#}");
            ExitCode::FAILURE
        }
    }
}
