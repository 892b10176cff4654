//! Traces of executors, as `cargo xtask explain` orders them by two variables. Here a `sitecustomize`
//! has no effect: the executor itself writes the files, with made-up sites and modules.

use std::fs;
use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};

use super::role;

/// Folder for traces.
const FOLDER: &str = "SKYLOAD_TRACES";
/// Subject of the traces: `modules` or `allocations`.
const TRACED: &str = "SKYLOAD_TRACED";

/// Writes the trace of the import, if modules are traced.
pub(crate) fn of_import(queue: &str, mib: usize) -> anyhow::Result<()> {
    match role::read(FOLDER) {
        Some(folder) if !traces_allocations() => write(Path::new(&folder), queue, None, mib),
        _ => Ok(()),
    }
}

/// Writes the trace of a request, if executors are traced.
pub(crate) fn of_request(queue: &str, request: &str, mib: usize) -> anyhow::Result<()> {
    match role::read(FOLDER) {
        Some(folder) => write(Path::new(&folder), queue, Some(request), mib),
        None => Ok(()),
    }
}

fn traces_allocations() -> bool {
    role::read(TRACED).as_deref() == Some("allocations")
}

fn write(folder: &Path, queue: &str, request: Option<&str>, mib: usize) -> anyhow::Result<()> {
    let pid = std::process::id();
    let name = format!("{}-{pid}.json", request.unwrap_or("import"));
    let temporary = folder.join(format!(".{name}"));
    fs::write(&temporary, content(pid, queue, request, mib).to_string())
        .and_then(|()| fs::rename(&temporary, folder.join(&name)))
        .with_context(|| format!("writing the trace {name}"))
}

fn content(pid: u32, queue: &str, request: Option<&str>, mib: usize) -> Value {
    let taken = mib << 20;
    let frame = json!({"file": "/w/target/skyload/sky/0.14.1/lib/python3.11/site-packages/sky/core.py", "line": 100});
    let site = json!({"size": taken / 2, "count": 1, "frames": [frame]});
    let allocations = traces_allocations().then(|| {
        json!({
            "peak": taken / 2,
            "after": 0,
            "at-sites": taken / 2,
            "site-count": 1,
            "sites": [site],
        })
    });
    json!({
        "pid": pid,
        "queue": queue,
        "request": request,
        "earlier-requests": 0,
        "is-whole": request.is_none_or(|id| !id.ends_with("-daemon")),
        "seconds": 0.5,
        "rss-before": 8 << 20,
        "rss-after": (8 << 20) + taken,
        "mark-before": 8 << 20,
        "mark-after": (8 << 20) + taken,
        "modules": [{
            "name": "pandas",
            "imported-by": "sky.core",
            "rss": taken / 2,
            "seconds": 0.25,
            "rss-with-imports": taken / 2,
            "seconds-with-imports": 0.25,
        }],
        "allocations": allocations,
    })
}
