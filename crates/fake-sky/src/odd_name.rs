//! A process whose name, as the kernel keeps it, is no text.
//!
//! The kernel cuts names off after 15 bytes, also within a character: whoever reads
//! `/proc` as text overlooks such a process.

use std::io::{self, Read as _};
use std::os::unix::fs::symlink;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// Its 15th byte is the first of the two of an `ö`.
const NAME: &str = "process-name-töööö";

/// A shell of that name, which lives until this is dropped.
#[derive(Debug)]
pub struct OddlyNamed {
    child: Child,
    _folder: TempDir,
}

impl OddlyNamed {
    /// Starts it, and waits until it has its name.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn start() -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let program = folder.path().join(NAME);
        symlink("/bin/sh", &program)?;
        let mut command = Command::new(program);
        command.args(["-c", "echo; read _"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        if let Some(output) = &mut child.stdout {
            output.read_exact(&mut [0])?;
        }
        Ok(Self { child, _folder: folder })
    }

    /// Its pid.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for OddlyNamed {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
