//! Download of the public catalogs, from the address that SkyPilot downloads them from, and
//! names of the images that SkyPilot looks for in a catalog.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use host::progress::{Progress, Step};
use host::tools::python::for_installers;
use host::tools::run::run;
use host::tools::shell_in;
use serde::{Deserialize, Serialize};
use skyload::clock::Timestamp;
use skyload::env;
use skyload::record::environment::{CatalogFacts, CatalogSource};
use skyload::record::{read_json, write_json};
use xshell::cmd;

use super::files::{self, AWS_OFFERS, NAMES};
use super::generated::Images;
use crate::skypilot::SkyPilot;

const SCRIPT: &str = include_str!("download.py");

/// Source of the public catalogs, as a SkyPilot has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    /// Version of the catalogs' format, a folder name.
    pub(super) schema: String,
    /// URLs of the folder with the catalogs, the preferred one first.
    addresses: Vec<String>,
    /// Images that SkyPilot starts instances and pods from, for generated catalogs.
    pub(super) images: Images,
}

impl Source {
    /// Source of `sky`, remembered in the state directory if skyload has installed `sky`.
    pub(super) fn of(sky: &SkyPilot, state: &Path, progress: &Progress) -> Result<Self> {
        let file = state.join("catalogs/sources.json");
        let mut known: BTreeMap<String, Self> = read_json(&file, "sources").unwrap_or_default();
        let key = format!("{} {}", sky.program.display(), sky.version);
        if let Some(source) = known.get(&key) {
            return Ok(source.clone());
        }
        let step = progress.step("Asking SkyPilot for the source of its catalogs");
        let source = Self::ask(sky, state, &step)?;
        step.done(&source.schema);
        // Another SkyPilot may change while its path and version stay.
        if sky.program.starts_with(state) {
            known.insert(key, source.clone());
            let folder = state.join("catalogs");
            fs::create_dir_all(&folder)
                .with_context(|| format!("creating `{}`", folder.display()))?;
            write_json(&file, &known).context("remembering the source of catalogs")?;
        }
        Ok(source)
    }

    fn ask(sky: &SkyPilot, state: &Path, step: &Step) -> Result<Self> {
        let output = run_script(sky, state, &["addresses".to_owned()], step)
            .context("asking SkyPilot for the source of its catalogs")?;
        // SkyPilot may print other lines before.
        let last = output.lines().rfind(|line| line.starts_with('{')).unwrap_or(&output);
        let source: Self = serde_json::from_str(last)
            .with_context(|| format!("reading the source of catalogs from `{last}`"))?;
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        ensure!(
            !source.schema.is_empty() && source.schema.chars().all(fits),
            "expected a version of SkyPilot's catalogs, got `{}`",
            source.schema
        );
        Ok(source)
    }

    /// Downloads the catalogs into `folder`.
    pub(super) fn download(
        &self,
        sky: &SkyPilot,
        state: &Path,
        folder: &Path,
        step: &Step,
    ) -> Result<()> {
        let mut args = vec!["download".to_owned(), folder.display().to_string()];
        args.extend(self.addresses.iter().cloned());
        args.push("--".to_owned());
        args.extend(NAMES.map(str::to_owned));
        run_script(sky, state, &args, step).context("downloading SkyPilot's catalogs")?;
        ensure!(folder.join(AWS_OFFERS).is_file(), "`{AWS_OFFERS}` not found where SkyPilot looks");
        Ok(())
    }

    /// Facts of the catalogs in `folder`.
    pub(super) fn facts(
        &self,
        folder: &Path,
        source: CatalogSource,
        date: Option<Timestamp>,
    ) -> Result<CatalogFacts> {
        files::facts(folder, source, self.schema.clone(), date)
    }
}

fn run_script(sky: &SkyPilot, state: &Path, args: &[String], step: &Step) -> Result<String> {
    let python = sky.python.as_ref().with_context(|| {
        format!("expected a Python program to ask for catalogs, got `{}`", sky.program.display())
    })?;
    let shell = shell_in(state)?;
    let home = tempfile::tempdir().context("creating a temporary home")?;
    // The environment of installers, whose proxies and certificates a download needs.
    let script = for_installers(cmd!(shell, "{python} -c {SCRIPT} {args...}").quiet())
        .env("HOME", home.path())
        .env(env::NO_USAGE, "1");
    run(script, step)?.into_output()
}
