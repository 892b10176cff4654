//! Node image: files that SkyPilot installs on every new node, installed once.
//!
//! SkyPilot installs uv, a Python environment and the API server's wheel on a node, from the
//! internet, which takes minutes. The image has them prebuilt, and each new allocation links
//! them to the paths where SkyPilot looks (`site/task-prolog.sh`). SkyPilot compares the wheel's
//! hash, so the image has the same wheel as the API server.

mod wheel;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use host::progress::{Progress, Step};
use host::tools::lock::SetupLock;
use host::tools::python::Python;
use host::tools::run::run;
use host::tools::uv::Uv;
use host::tools::version::ToolVersion;
use host::tools::{remove_folder, shell_in};
use host::workspace::Workspace;
use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};
use skyload::record::{read_json, write_json};
use xshell::Shell;

use super::base_dir::{BaseDir, is_open_to_all, open_tree};
use crate::site::NODE_PATCHES;
use crate::skypilot::SkyPilot;
use wheel::Wheel;

const STAMP: &str = "skyload-ready.json";

/// Format of images, to be increased with every change of their contents.
const FORMAT: u32 = 1;

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
pub(crate) fn obstacle(sky: &SkyPilot) -> Option<String> {
    let Some(python) = &sky.python else {
        return Some(format!(
            "expected a Python program to build the node image from, got `{}`",
            sky.program.display()
        ));
    };
    let version = &sky.version;
    if let Some(obstacle) = obstacle_of_version(version) {
        return Some(obstacle);
    }
    let packages = site_packages(python.parent()?.parent()?).ok()?.join("sky/clouds");
    // Nightlies have version 1.0.0: an old one is recognized by the missing module.
    // A checkout that is installed in place is not there: building its wheel finds what is missing.
    let is_too_old = packages.is_dir() && !packages.join("slurm.py").exists();
    is_too_old.then(|| wheel::no_slurm(version))
}

/// Reason why a release cannot be used. SkyPilot 0.12.0 supports Slurm, but not several clusters
/// on one host: the clusters start, but their jobs fail.
fn obstacle_of_version(version: &str) -> Option<String> {
    let number = ToolVersion::find_in(version)?;
    (number < SINCE).then(|| {
        format!("the loopback Slurm cluster needs SkyPilot {SINCE} or newer, got {version}")
    })
}

impl Image {
    /// Image for `sky`, built if there is none.
    pub(crate) fn prepare(
        base_dir: &BaseDir,
        workspace: &Workspace,
        sky: &SkyPilot,
        progress: Progress,
    ) -> Result<Self> {
        let images = base_dir.images();
        // A SkyPilot that skyload has installed does not change. Another one may, so its wheel
        // is built, or found unchanged, each time.
        let is_ours = sky.program.starts_with(&workspace.state);
        if let Some(image) = finished(&images).into_iter().find(|it| is_ours && it.is_of(sky)) {
            write_patches(&image.folder)?;
            return Ok(image.into());
        }
        // Held until the stamp is written: a concurrent run would build into the same folder.
        let _lock = SetupLock::take(&workspace.state)?;
        let uv = Uv::find_or_install(&workspace.state, &progress)?
            .context("uv, which SkyPilot's nodes need, cannot be installed on this machine")?;
        let step = progress.step("Building SkyPilot's wheel for the nodes");
        let wheel = wheel::build(base_dir, workspace, sky, &uv, &step)?;
        let hash = wheel.hash.clone();
        let folder = images.join(format!("{}-{}", sky.version, short(&hash)));
        if let Some(image) = finished(&images).into_iter().find(|it| it.folder == folder) {
            step.done(format!("image found in {}", folder.display()));
            write_patches(&folder)?;
            return Ok(image.into());
        }
        step.done(&hash);
        let step = progress.step("Building the node image (once, about 20 s)");
        build(&folder, workspace, sky, &wheel, &uv, &step)?;
        let stamp = Stamp {
            format: FORMAT,
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

/// Stamps of the usable images in the folder `images`.
fn finished(images: &Path) -> Vec<Stamp> {
    let Ok(entries) = fs::read_dir(images) else { return Vec::new() };
    let stamps = entries.flatten().filter_map(|entry| {
        let stamp: Stamp = read_json(&entry.path().join(STAMP), "stamp").ok()?;
        // A link, which is broken if the distribution's Python was replaced since.
        let works = entry.path().join("skypilot-runtime/bin/python").exists();
        (stamp.format == FORMAT && stamp.folder == entry.path() && works).then_some(stamp)
    });
    stamps.collect()
}

fn short(hash: &str) -> &str {
    hash.get(..8).unwrap_or(hash)
}

fn build(
    folder: &Path,
    workspace: &Workspace,
    sky: &SkyPilot,
    wheel: &Wheel,
    uv: &Uv,
    step: &Step,
) -> Result<()> {
    let shell = shell_in(&workspace.state)?;
    let python = node_python(&shell)?;
    remove_folder(folder)?;
    fs::create_dir_all(folder).context("creating the image's folder")?;
    // SkyPilot keeps a wheel in a folder that is named by its hash.
    let wheels = folder.join("wheels").join(&wheel.hash);
    fs::create_dir_all(&wheels).context("creating a folder for the wheel")?;
    let name = wheel.path.file_name().context("finding the wheel's name")?;
    fs::copy(&wheel.path, wheels.join(name)).context("copying the wheel")?;
    fs::copy(uv.program(), folder.join("uv")).context("copying uv")?;

    let runtime = folder.join("skypilot-runtime");
    let make_venv = || uv.command(&shell).args(["venv", "--seed", "--python"]).arg(&python);
    run(make_venv().arg(&runtime), step)?.into_output()?;
    let requirement = format!("{}[slurm,remote]", wheel.path.display());
    // The same limit as for the API server, so that nodes get the same dependencies.
    let until = sky.resolved_as_of.as_deref().map(|date| ["--exclude-newer", date]);
    let what: Vec<&str> = until.into_iter().flatten().chain([requirement.as_str()]).collect();
    uv.install(&shell, &runtime.join("bin/python"), &what, step)?.into_output()?;
    // Environment of the user's jobs, separate from the runtime's.
    let user_venv = make_venv().args(["--relocatable", "--system-site-packages"]);
    run(user_venv.arg(folder.join("sky-user-env")), step)?.into_output()?;

    write_patches(folder)?;
    open_tree(folder)?;
    let site = site_packages(&runtime)?;
    if geteuid().is_root() {
        ensure!(
            is_open_to_all(folder) && is_open_to_all(&site.join("sky")),
            "node processes cannot read the image in `{}`\n  hint: make the folders above it \
             accessible to all users (`chmod o+x`)",
            folder.display()
        );
    }
    Ok(())
}

/// Writes the current patches into an image, which an earlier version of skyload may have built.
fn write_patches(folder: &Path) -> Result<()> {
    let site = site_packages(&folder.join("skypilot-runtime"))?;
    // A `.pth` file, since distributions have a `sitecustomize` of their own.
    for (name, content) in
        [("skyload_node.py", NODE_PATCHES), ("skyload_node.pth", "import skyload_node\n")]
    {
        let path = site.join(name);
        if fs::read_to_string(&path).is_ok_and(|there| there == content) {
            continue;
        }
        // Replaced atomically: running nodes may be reading the file.
        let new = path.with_extension("new");
        fs::write(&new, content)
            .and_then(|()| fs::set_permissions(&new, fs::Permissions::from_mode(0o644)))
            .and_then(|()| fs::rename(&new, &path))
            .with_context(|| format!("writing `{}`", path.display()))?;
    }
    Ok(())
}

/// Python that node processes can start: the distribution's if supported, else one on PATH.
fn node_python(shell: &Shell) -> Result<PathBuf> {
    // Other Pythons are often in a home directory, which the nodes' user cannot enter.
    let distributions = {
        let _path = shell.push_env("PATH", "/usr/bin:/usr/local/bin:/bin");
        Python::find(shell)
    };
    let python = distributions.or_else(|_| Python::find(shell))?.path;
    let real = python.canonicalize().context("finding the real path of Python")?;
    ensure!(
        !geteuid().is_root() || is_open_to_all(&real),
        "node processes cannot enter the folder of `{}`\n  hint: `apt-get install python3`",
        real.display()
    );
    Ok(python)
}

/// Folder `site-packages` of a Python environment.
fn site_packages(environment: &Path) -> Result<PathBuf> {
    let lib = environment.join("lib");
    let entries = fs::read_dir(&lib).with_context(|| format!("reading `{}`", lib.display()))?;
    let folders = entries.flatten().map(|entry| entry.path().join("site-packages"));
    let found = folders.into_iter().find(|folder| folder.is_dir());
    found.with_context(|| format!("finding Python's packages below `{}`", lib.display()))
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
}
