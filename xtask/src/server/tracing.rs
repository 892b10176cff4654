//! Tracing of the executors of an isolated server, for `cargo xtask explain`.
//!
//! A `sitecustomize` on the PYTHONPATH of the server wraps two functions of SkyPilot in memory, and
//! writes a file for each trace. The installed SkyPilot is not changed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use loopback::{AFTER_IMPORT, SERVER_PATCHES_FILE};
use skyload::env;
use skyload::record::RunDir;

/// Module that traces executors, without its end, [`AFTER_IMPORT`].
const SITE: &str = include_str!("tracing/sitecustomize.py");

/// Subject of the traces of a server's executors. One server has one: tracemalloc takes several times
/// the memory that it traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Traced {
    /// Memory of requests and of the import of SkyPilot, with the costs of modules.
    Modules,
    /// Allocations of requests.
    Allocations,
}

impl Traced {
    const fn name(self) -> &'static str {
        match self {
            Self::Modules => "modules",
            Self::Allocations => "allocations",
        }
    }
}

/// Folder of the module, which is removed with the server.
fn folder(run: &RunDir) -> PathBuf {
    run.instance().join("tracing")
}

/// Writes the module, and creates the folder for traces.
pub(super) fn prepare(run: &RunDir) -> Result<()> {
    let write = |folder: &Path| {
        fs::create_dir_all(run.traces())?;
        fs::create_dir_all(folder)?;
        fs::write(folder.join(SERVER_PATCHES_FILE), [SITE, AFTER_IMPORT].concat())
    };
    write(&folder(run)).context("preparing the tracing of executors")
}

/// Variables of a server with traced executors, from those that it has otherwise. The module runs
/// the next `sitecustomize` of the PYTHONPATH, which has the patches for a local infra.
pub(super) fn variables(
    traced: Traced,
    run: &RunDir,
    others: Vec<(String, String)>,
) -> Vec<(String, String)> {
    const PATH: &str = "PYTHONPATH";
    let (paths, mut variables): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|(name, _)| name == PATH);
    let own = folder(run).display().to_string();
    let paths: Vec<String> =
        std::iter::once(own).chain(paths.into_iter().map(|(_, path)| path)).collect();
    variables.push((PATH.to_owned(), paths.join(":")));
    variables.push((env::TRACES.to_owned(), run.traces().display().to_string()));
    variables.push((env::TRACED.to_owned(), traced.name().to_owned()));
    variables
}

#[cfg(test)]
mod tests;
