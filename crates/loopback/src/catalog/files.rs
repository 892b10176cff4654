//! Files of catalogs in a folder.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use skyload::clock::Timestamp;
use skyload::hash::sha256;
use skyload::record::environment::{CatalogFacts, CatalogSource};

/// AWS's instance types with their zones and prices.
pub(super) const AWS_OFFERS: &str = "aws/vms.csv";

/// Catalogs that a server reads which has AWS, Kubernetes or Slurm enabled.
pub(super) const NAMES: [&str; 6] = [
    AWS_OFFERS,
    "aws/images.csv",
    "aws/instance_quota_mapping.csv",
    "common/accelerators.csv",
    "common/metadata.csv",
    "kubernetes/images.csv",
];

/// Facts of the catalogs in `folder`.
pub(super) fn facts(
    folder: &Path,
    source: CatalogSource,
    schema: String,
    date: Option<Timestamp>,
) -> Result<CatalogFacts> {
    let mut all = Vec::new();
    for name in NAMES.iter().filter(|name| folder.join(name).is_file()) {
        all.extend_from_slice(name.as_bytes());
        all.extend(read(folder, name)?);
    }
    let offers = read(folder, AWS_OFFERS)?;
    let lines = offers.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
    // The first line has the names of the columns.
    let rows = u64::try_from(lines.saturating_sub(1)).unwrap_or(u64::MAX);
    Ok(CatalogFacts { source, schema, date, hash: sha256(&all), rows })
}

fn read(folder: &Path, name: &str) -> Result<Vec<u8>> {
    let path = folder.join(name);
    fs::read(&path).with_context(|| format!("reading `{}`", path.display()))
}
