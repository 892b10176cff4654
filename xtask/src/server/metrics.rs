//! Setup of an isolated server that exports its own metrics.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use skyload::env;

use super::ports::{self, PortPair};

/// Port and directory of the metrics of an isolated server.
pub(super) struct MetricsSetup {
    pub(super) port: u16,
    directory: PathBuf,
}

impl MetricsSetup {
    /// Names of the variables of a server with metrics.
    pub(super) const NAMES: [&str; 2] = [env::SERVER_METRICS, env::METRICS_DIR];

    /// Finds a port, and creates the directory in the server's instance, with which it is removed.
    pub(super) fn prepare(instance: &Path, ports: PortPair) -> Result<Self> {
        let directory = instance.join("metrics");
        fs::create_dir_all(&directory).with_context(|| {
            format!("creating the directory of the server's metrics `{}`", directory.display())
        })?;
        Ok(Self { port: ports::find_free_for_metrics(ports)?, directory })
    }

    /// Variables of the server.
    pub(super) fn variables(&self) -> [(String, String); 2] {
        let directory = self.directory.display().to_string();
        [
            (env::SERVER_METRICS.to_owned(), "true".to_owned()),
            (env::METRICS_DIR.to_owned(), directory),
        ]
    }
}
