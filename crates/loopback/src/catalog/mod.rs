//! SkyPilot's catalogs of clouds: instance types with their zones and prices, and images.
//!
//! SkyPilot downloads a catalog when it needs one. Here all of them are in the server's home
//! before the server starts, so that no run depends on the network:
//!
//! * [`download`]: the public catalogs, once for each version of their format.
//! * [`generated`]: made-up ones with the images of a SkyPilot, where the public ones cannot be
//!   downloaded.
//! * [`files`]: the files of a folder, with their hash and number of rows.

mod download;
mod files;
mod generated;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use host::progress::Progress;
use host::signals::Interrupted;
use host::tools::lock::SetupLock;
use host::tools::remove_folder;
use serde::{Deserialize, Serialize};
use skyload::clock::Timestamp;
use skyload::record::environment::{CatalogFacts, CatalogSource};
use skyload::record::{read_json, write_json};

use crate::setup::HomeFolder;
use crate::skypilot::SkyPilot;
use files::AWS_OFFERS;

/// Format of stamps and of generated catalogs, to be increased with every change of either.
const FORMAT: u32 = 4;

/// Time after which a download is tried again where an earlier one failed.
const RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Catalogs in a folder.
#[derive(Clone, Debug)]
pub(crate) struct Catalog {
    folder: PathBuf,
    pub(crate) facts: CatalogFacts,
}

/// Stamp of complete catalogs in the state directory, written last.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Stamp {
    format: u32,
    /// Time of the download, or of the one that failed.
    tried: Timestamp,
    facts: CatalogFacts,
}

impl Catalog {
    /// Catalogs of the folder `given`, else downloaded ones, else generated ones.
    pub(crate) fn prepare(
        sky: &SkyPilot,
        state: &Path,
        given: Option<&Path>,
        progress: Progress,
    ) -> Result<Self> {
        let source = download::Source::of(sky, state, &progress)?;
        match given {
            Some(folder) => Self::given(folder, source.schema),
            None => Self::cached(&source, sky, state, progress),
        }
    }

    /// Folder to copy into the home of an API server.
    pub(crate) fn home_folder(&self) -> HomeFolder {
        let to = Path::new(".sky/catalogs").join(&self.facts.schema);
        HomeFolder { from: self.folder.clone(), to }
    }

    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        let (source, schema) = (CatalogSource::Generated, "v8".to_owned());
        let facts = CatalogFacts { source, schema, date: None, hash: "ab".to_owned(), rows: 1 };
        Self { folder: "/catalogs/v8".into(), facts }
    }

    /// Catalogs in a folder that the command line names, which was checked with the flags.
    fn given(folder: &Path, schema: String) -> Result<Self> {
        let folder = folder
            .canonicalize()
            .with_context(|| format!("finding the catalogs in `{}`", folder.display()))?;
        let facts = files::facts(&folder, CatalogSource::Given, schema, None)?;
        Ok(Self { folder, facts })
    }

    /// Catalogs in the state directory, downloaded or generated if missing.
    fn cached(
        source: &download::Source,
        sky: &SkyPilot,
        state: &Path,
        progress: Progress,
    ) -> Result<Self> {
        let public = state.join("catalogs").join(&source.schema);
        // Versions of SkyPilot share a format, but not the images that they look for.
        let made_up = state.join("catalogs").join(format!(
            "{}-generated-{}",
            source.schema,
            source.images.key()
        ));
        let usable = || [&public, &made_up].into_iter().find_map(|folder| usable(folder));
        if let Some(catalog) = usable() {
            return Ok(catalog);
        }
        let _lock = SetupLock::take(state)?;
        // Another process may have filled it meanwhile, and be using it.
        if let Some(catalog) = usable() {
            return Ok(catalog);
        }
        let step = progress.step("Downloading SkyPilot's catalogs (once, 4 MB)");
        // Filled under another name: a run that was killed leaves no incomplete catalogs.
        let new = public.with_extension("new");
        remove_folder(&new)?;
        let now = now();
        let (folder, facts) = match source.download(sky, state, &new, &step) {
            Ok(()) => {
                let facts = source.facts(&new, CatalogSource::Downloaded, Some(now))?;
                step.done(format!("{} offers of AWS", facts.rows));
                (public, facts)
            }
            Err(error) if error.is::<Interrupted>() => return Err(error),
            Err(error) => {
                remove_folder(&new)?;
                generated::write(&new, &source.images)
                    .with_context(|| format!("generating catalogs, since {}", last_line(&error)))?;
                let facts = source.facts(&new, CatalogSource::Generated, None)?;
                step.done(format!(
                    "warning: {}; using generated catalogs of the same size ({} offers of AWS)",
                    last_line(&error),
                    facts.rows
                ));
                (made_up, facts)
            }
        };
        remove_folder(&folder)?;
        fs::rename(&new, &folder).context("moving the catalogs to their folder")?;
        let content = Stamp { format: FORMAT, tried: now, facts: facts.clone() };
        write_json(&stamp_of(&folder), &content).context("writing the catalogs' stamp")?;
        Ok(Self { folder, facts })
    }
}

/// Complete catalogs in a folder; `None` if there are none, or if a download is to be tried again.
fn usable(folder: &Path) -> Option<Catalog> {
    let Stamp { format, tried, facts } = read_json(&stamp_of(folder), "stamp").ok()?;
    let is_final = facts.source == CatalogSource::Downloaded || now().since(tried) < RETRY_AFTER;
    (format == FORMAT && is_final && folder.join(AWS_OFFERS).is_file())
        .then(|| Catalog { folder: folder.to_owned(), facts })
}

fn stamp_of(folder: &Path) -> PathBuf {
    folder.with_extension("json")
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(0).plus(since)
}

/// Last line of a tool's failure, its message, without the indentation.
fn last_line(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    let mut lines = text.lines().map(str::trim);
    lines.rfind(|line| !line.starts_with("hint: ")).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
