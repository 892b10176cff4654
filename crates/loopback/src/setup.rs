//! Settings of an API server that launches on an infra of this machine.

use std::path::PathBuf;

/// Settings of an API server that launches on an infra of this machine.
#[derive(Clone, Debug)]
pub struct ServerSetup {
    /// Value of SkyPilot's `--infra`.
    pub infra: String,
    /// Content of `~/.sky/config.yaml`.
    pub config: String,
    /// Further files below the server's home.
    pub home_files: Vec<HomeFile>,
    /// Folder to copy to `~/.sky/wheels`, so that the server finds the nodes' wheel built. The
    /// copies must have the time of copying: SkyPilot builds a new wheel if its own files are
    /// newer than the wheel.
    pub wheels: PathBuf,
    /// Modifications for loopback: one statement for each difference from an unmodified
    /// SkyPilot.
    pub modifications: Vec<String>,
    /// Folder to put first on the server's PATH, if programs are missing there.
    pub programs: Option<PathBuf>,
    /// Folder with the `sitecustomize` that patches the API server.
    pub(crate) site: PathBuf,
}

/// File below a home directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeFile {
    /// Path relative to the home.
    pub path: PathBuf,
    /// Content of the file.
    pub content: String,
    /// Mode bits of the file.
    pub mode: u32,
}

impl ServerSetup {
    /// Environment variables of the API server, PATH excepted (see [`Self::path`]). Clients of
    /// the server need none.
    pub fn variables(&self) -> Vec<(String, String)> {
        vec![("PYTHONPATH".to_owned(), self.site.display().to_string())]
    }

    /// Value of PATH for the API server: `path`, with the missing programs first.
    pub fn path(&self, path: &str) -> String {
        match &self.programs {
            Some(programs) => format!("{}:{path}", programs.display()),
            None => path.to_owned(),
        }
    }
}
