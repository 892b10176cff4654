//! Node images: files that SkyPilot installs on every new node, installed once.
//!
//! SkyPilot installs uv, a Python environment and the API server's wheel on a node, from the
//! internet, which takes minutes. An image has them prebuilt. On Slurm, each new allocation
//! links them to the paths where SkyPilot looks (`site/task-prolog.sh`). On emulated AWS, a
//! folder of the image is the home of each new node. SkyPilot compares the wheel's hash, so an
//! image has the same wheel as the API server.

mod contents;
mod python;
mod wheel;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use host::progress::Progress;
use host::tools::lock::SetupLock;
use host::tools::uv::Uv;
use host::tools::version::ToolVersion;
use host::workspace::Workspace;
use serde::{Deserialize, Serialize};
use skyload::record::{read_json, write_json};

use super::base_dir::BaseDir;
use crate::skypilot::SkyPilot;

const STAMP: &str = "skyload-ready.json";

/// Format of images, to be increased with every change of their contents.
const FORMAT: u32 = 1;

/// Infra whose nodes an image is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ImageKind {
    /// Loopback Slurm cluster.
    #[default]
    Slurm,
    /// Emulated AWS.
    Aws,
}

/// Complete node image.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) folder: PathBuf,
    /// Hash of the wheel, by SkyPilot.
    pub(crate) hash: String,
}

/// Stamp of a complete image, written last.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Stamp {
    format: u32,
    /// Absent for Slurm, as in the images of earlier versions.
    #[serde(default, skip_serializing_if = "ImageKind::is_slurm")]
    kind: ImageKind,
    /// Folder that the image was built in: Python environments cannot be moved.
    folder: PathBuf,
    sky: PathBuf,
    version: String,
    commit: Option<String>,
    hash: String,
}

/// First release of SkyPilot whose jobs run on nodes that share a host.
const SINCE: ToolVersion = ToolVersion(0, 14, 0);

/// Reason why there cannot be an image for `sky`, as far as known without running `sky`.
pub(crate) fn obstacle(kind: ImageKind, sky: &SkyPilot) -> Option<String> {
    let Some(python) = &sky.python else {
        return Some(format!(
            "expected a Python program to build the node image from, got `{}`",
            sky.program.display()
        ));
    };
    let packages = || contents::site_packages(python.parent()?.parent()?).ok();
    match kind {
        ImageKind::Slurm => obstacle_of_version(&sky.version).or_else(|| {
            // Nightlies have version 1.0.0: an old one is recognized by the missing module.
            // A checkout that is installed in place is not there: building its wheel finds what
            // is missing.
            let clouds = packages()?.join("sky/clouds");
            let is_too_old = clouds.is_dir() && !clouds.join("slurm.py").exists();
            is_too_old.then(|| wheel::no_slurm(&sky.version))
        }),
        ImageKind::Aws => python::obstacle(&packages()?),
    }
}

/// Reason why a release cannot be used. SkyPilot 0.12.0 supports Slurm, but not several clusters
/// on one host: the clusters start, but their jobs fail.
fn obstacle_of_version(version: &str) -> Option<String> {
    let number = ToolVersion::find_in(version)?;
    (number < SINCE).then(|| {
        format!("the loopback Slurm cluster needs SkyPilot {SINCE} or newer, got {version}")
    })
}

impl ImageKind {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_slurm(&self) -> bool {
        *self == Self::Slurm
    }

    /// Name of the folder of an image.
    fn folder_name(self, version: &str, hash: &str) -> String {
        let hash = hash.get(..8).unwrap_or(hash);
        match self {
            Self::Slurm => format!("{version}-{hash}"),
            Self::Aws => format!("aws-{version}-{hash}"),
        }
    }

    /// Python environment of SkyPilot's own programs on nodes.
    fn runtime(self, image: &Path) -> PathBuf {
        match self {
            Self::Slurm => image.join("skypilot-runtime"),
            Self::Aws => home(image).join("skypilot-runtime"),
        }
    }
}

/// Home of a new node of emulated AWS.
fn home(image: &Path) -> PathBuf {
    image.join("home")
}

impl Image {
    /// Image for `sky`, built if there is none.
    pub(crate) fn prepare(
        kind: ImageKind,
        base_dir: &BaseDir,
        workspace: &Workspace,
        sky: &SkyPilot,
        progress: Progress,
    ) -> Result<Self> {
        let images = base_dir.images();
        // A SkyPilot that skyload has installed does not change. Another one may, so its wheel
        // is built, or found unchanged, each time.
        let is_ours = sky.program.starts_with(&workspace.state);
        if let Some(image) = finished(kind, &images).into_iter().find(|it| is_ours && it.is_of(sky))
        {
            contents::refresh(kind, &image.folder)?;
            return Ok(image.into());
        }
        // Held until the stamp is written: a concurrent run would build into the same folder.
        let _lock = SetupLock::take(&workspace.state)?;
        let uv = Uv::find_or_install(&workspace.state, &progress)?
            .context("uv, which SkyPilot's nodes need, cannot be installed on this machine")?;
        let step = progress.step("Building SkyPilot's wheel for the nodes");
        let wheel = wheel::build(kind, base_dir, workspace, sky, &uv, &step)?;
        let hash = wheel.hash.clone();
        let folder = images.join(kind.folder_name(&sky.version, &hash));
        if let Some(image) = finished(kind, &images).into_iter().find(|it| it.folder == folder) {
            step.done(format!("image found in {}", folder.display()));
            contents::refresh(kind, &folder)?;
            return Ok(image.into());
        }
        step.done(&hash);
        let step = progress.step(match kind {
            ImageKind::Slurm => "Building the node image (once, about 20 s)",
            ImageKind::Aws => "Building the node image of emulated AWS (once, about 40 s)",
        });
        contents::build(kind, &folder, workspace, sky, &wheel, uv, &step)?;
        let stamp = Stamp {
            format: FORMAT,
            kind,
            folder: folder.clone(),
            sky: sky.program.clone(),
            version: sky.version.clone(),
            commit: sky.commit.clone(),
            hash,
        };
        write_json(&folder.join(STAMP), &stamp)?;
        step.done(format!("in {}", folder.display()));
        Ok(stamp.into())
    }

    /// Folder with the content of the API server's `~/.sky/wheels`.
    pub(crate) fn wheels(&self) -> PathBuf {
        self.folder.join("wheels")
    }

    /// Home of a new node, in an image for emulated AWS.
    pub(crate) fn home(&self) -> PathBuf {
        home(&self.folder)
    }
}

impl Stamp {
    /// Whether the image was built for `sky`.
    fn is_of(&self, sky: &SkyPilot) -> bool {
        self.sky == sky.program && self.version == sky.version && self.commit == sky.commit
    }
}

impl From<Stamp> for Image {
    fn from(stamp: Stamp) -> Self {
        Self { folder: stamp.folder, hash: stamp.hash }
    }
}

/// Stamps of the usable images of a kind in the folder `images`.
fn finished(kind: ImageKind, images: &Path) -> Vec<Stamp> {
    let Ok(entries) = fs::read_dir(images) else { return Vec::new() };
    let stamps = entries.flatten().filter_map(|entry| {
        let stamp: Stamp = read_json(&entry.path().join(STAMP), "stamp").ok()?;
        // A link, which is broken if the distribution's Python was replaced since.
        let works = kind.runtime(&entry.path()).join("bin/python").exists();
        let is_usable = stamp.format == FORMAT && stamp.kind == kind;
        (is_usable && stamp.folder == entry.path() && works).then_some(stamp)
    });
    stamps.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_before_0_14_are_an_obstacle_and_nightlies_are_not() {
        assert!(obstacle_of_version("0.12.0").unwrap().contains("0.14.0 or newer, got 0.12.0"));
        assert_eq!(obstacle_of_version("0.14.1"), None);
        assert_eq!(obstacle_of_version("1.0.0.dev20261027"), None);
    }

    #[test]
    fn an_image_is_found_only_for_its_kind_of_nodes() {
        let images = tempfile::tempdir().unwrap();
        let folder = images.path().join("0.14.1-ab");
        fs::create_dir_all(folder.join("skypilot-runtime/bin/python")).unwrap();
        // As in images of earlier versions, without a kind.
        let stamp = format!(
            "{{\"format\": 1, \"folder\": \"{}\", \"sky\": \"/sky\", \"version\": \"0.14.1\", \
             \"commit\": null, \"hash\": \"ab\"}}",
            folder.display()
        );
        fs::write(folder.join(STAMP), stamp).unwrap();
        assert_eq!(finished(ImageKind::Slurm, images.path()).len(), 1);
        assert!(finished(ImageKind::Aws, images.path()).is_empty());
    }
}
