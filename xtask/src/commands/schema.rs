//! `cargo xtask schema`: JSON schemas of the results that are written as JSON, generated from the
//! types.

use std::fs;
use std::io::Write as _;

use anyhow::{Context, Result};
use host::print;
use host::workspace::Workspace;
use skyload::schema;

pub(crate) fn run() -> Result<()> {
    let root = Workspace::locate()?.root;
    for (file, schema) in schema::all() {
        let path = root.join(file);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)
                .with_context(|| format!("creating `{}`", folder.display()))?;
        }
        let mut text = serde_json::to_string_pretty(&schema).context("writing the schema")?;
        text.push('\n');
        fs::write(&path, text).with_context(|| format!("writing `{}`", path.display()))?;
        print::text("the name of the file", |out| writeln!(out, "Wrote {}", path.display()))?;
    }
    Ok(())
}
