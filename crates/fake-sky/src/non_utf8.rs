//! Process with a name that is not valid UTF-8, for tests of readers of `/proc`.
//!
//! The kernel truncates names to 15 bytes, even inside a character. Code that reads `/proc`
//! as UTF-8 text misses such a process.

use std::io::{self, Read as _};
use std::os::unix::fs::symlink;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// File name of the program: the 15th byte is the first of an `ö`'s two.
const NAME: &str = "process-name-töööö";

/// Shell with a process name that is not valid UTF-8; killed on drop.
#[derive(Debug)]
pub struct NonUtf8Process {
    child: Child,
    _folder: TempDir,
}

impl NonUtf8Process {
    /// Starts the process, and waits until it has its name.
    ///
    /// # Errors
    ///
    /// When the process cannot be started.
    pub fn start() -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let program = folder.path().join(NAME);
        symlink("/bin/sh", &program)?;
        let mut command = Command::new(program);
        command.args(["-c", "echo; read _"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        // The first output shows that `exec` is done, and with it the name is set.
        if let Some(output) = &mut child.stdout {
            output.read_exact(&mut [0])?;
        }
        Ok(Self { child, _folder: folder })
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for NonUtf8Process {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
