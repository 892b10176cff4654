//! The node image: what SkyPilot installs on every new node, installed once.
//!
//! A node of SkyPilot gets uv, a Python and the API server's own wheel from the
//! internet, which takes minutes. Here they are prepared, and each new allocation
//! finds them where SkyPilot looks (`site/task-prolog.sh`). SkyPilot compares the
//! wheel's hash, so the image is of that very wheel.

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

use super::place::{Place, is_open, open_all};
use crate::site::NODE_SITE;
use crate::skypilot::SkyPilot;
use wheel::Wheel;

const STAMP: &str = "skyload-ready.json";

/// To be raised with every change of what an image holds.
const FORMAT: u32 = 1;

/// A finished image.
#[derive(Clone, Debug)]
pub(super) struct Image {
    pub(super) folder: PathBuf,
    /// The hash of the wheel in it, which SkyPilot compares.
    pub(super) hash: String,
}

/// What says that an image is complete, written last.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Stamp {
    format: u32,
    /// An environment does not work elsewhere than where it was made.
    folder: PathBuf,
    sky: PathBuf,
    version: String,
    commit: Option<String>,
    hash: String,
}

/// The first release whose jobs run on the nodes of one host.
const SINCE: ToolVersion = ToolVersion(0, 14, 0);

/// Why there can't be an image for `sky`, as far as that is seen without starting it.
pub(super) fn obstacle(sky: &SkyPilot) -> Option<String> {
    let Some(python) = &sky.python else {
        return Some(format!(
            "`{}` is no Python program, and so has nothing for nodes",
            sky.program.display()
        ));
    };
    let version = &sky.version;
    if let Some(obstacle) = obstacle_of_version(version) {
        return Some(obstacle);
    }
    let packages = site_packages(python.parent()?.parent()?).ok()?.join("sky/clouds");
    let is_too_old = packages.is_dir() && !packages.join("slurm.py").exists();
    is_too_old.then(|| wheel::no_slurm(version))
}

/// Clusters of 0.12.0 come up, and their jobs fail: it knows Slurm, but not several
/// clusters on one host.
fn obstacle_of_version(version: &str) -> Option<String> {
    let number = ToolVersion::find_in(version)?;
    (number < SINCE).then(|| {
        format!("SkyPilot {version} cannot run jobs on Slurm's nodes here; {SINCE} and newer can")
    })
}

impl Image {
    /// The image for `sky`: found, or built.
    pub(super) fn prepare(
        place: &Place,
        workspace: &Workspace,
        sky: &SkyPilot,
        progress: Progress,
    ) -> Result<Self> {
        let images = place.images();
        // What we installed ourselves does not change. Anything else may, and is
        // asked for its wheel each time.
        let is_ours = sky.program.starts_with(&workspace.state);
        if let Some(image) = finished(&images).into_iter().find(|it| is_ours && it.is_of(sky)) {
            adapt(&image.folder)?;
            return Ok(image.into());
        }
        let _lock = SetupLock::take(&workspace.state)?;
        let uv = Uv::find_or_install(&workspace.state, &progress)?
            .context("there is no `uv` for this machine, which SkyPilot's nodes need")?;
        let step = progress.step("Building SkyPilot's wheel for the nodes");
        let wheel = wheel::build(place, workspace, sky, &uv, &step)?;
        let hash = wheel.hash.clone();
        let folder = images.join(format!("{}-{}", sky.version, short(&hash)));
        if let Some(image) = finished(&images).into_iter().find(|it| it.folder == folder) {
            step.done(format!("its image is in {}", folder.display()));
            adapt(&folder)?;
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

    /// What belongs to the API server's `~/.sky/wheels`.
    pub(super) fn wheels(&self) -> PathBuf {
        self.folder.join("wheels")
    }
}

impl Stamp {
    fn is_of(&self, sky: &SkyPilot) -> bool {
        self.sky == sky.program && self.version == sky.version && self.commit == sky.commit
    }
}

impl From<Stamp> for Image {
    fn from(stamp: Stamp) -> Self {
        Self { folder: stamp.folder, hash: stamp.hash }
    }
}

fn finished(images: &Path) -> Vec<Stamp> {
    let Ok(entries) = fs::read_dir(images) else { return Vec::new() };
    let stamps = entries.flatten().filter_map(|entry| {
        let stamp: Stamp = read_json(&entry.path().join(STAMP), "stamp").ok()?;
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
    fs::create_dir_all(folder).context("making the image's folder")?;
    let wheels = folder.join("wheels").join(&wheel.hash);
    fs::create_dir_all(&wheels).context("making a folder for the wheel")?;
    let name = wheel.path.file_name().context("finding the wheel's name")?;
    fs::copy(&wheel.path, wheels.join(name)).context("copying the wheel")?;
    fs::copy(uv.program(), folder.join("uv")).context("copying uv")?;

    let runtime = folder.join("skypilot-runtime");
    let make = || uv.command(&shell).args(["venv", "--seed", "--python"]).arg(&python);
    run(make().arg(&runtime), step)?.into_output()?;
    let requirement = format!("{}[slurm,remote]", wheel.path.display());
    let until = sky.resolved_as_of.as_deref().map(|date| ["--exclude-newer", date]);
    let what: Vec<&str> = until.into_iter().flatten().chain([requirement.as_str()]).collect();
    uv.install(&shell, &runtime.join("bin/python"), &what, step)?.into_output()?;
    let user = make().args(["--relocatable", "--system-site-packages"]);
    run(user.arg(folder.join("sky-user-env")), step)?.into_output()?;

    adapt(folder)?;
    open_all(folder)?;
    let site = site_packages(&runtime)?;
    if geteuid().is_root() {
        ensure!(
            is_open(folder) && is_open(&site.join("sky")),
            "node processes can't read the image in `{}`\n  hint: see that everybody may enter the folders above it",
            folder.display()
        );
    }
    Ok(())
}

/// Lays the changes for nodes into an image: those of now, also where it was built
/// by an earlier version of this program.
fn adapt(folder: &Path) -> Result<()> {
    let site = site_packages(&folder.join("skypilot-runtime"))?;
    // Distributions have a `sitecustomize` of their own, hence a file of a path.
    for (name, content) in
        [("skyload_node.py", NODE_SITE), ("skyload_node.pth", "import skyload_node\n")]
    {
        let path = site.join(name);
        if fs::read_to_string(&path).is_ok_and(|there| there == content) {
            continue;
        }
        // Whole, or not at all: nodes that are up may be reading it.
        let new = path.with_extension("new");
        fs::write(&new, content)
            .and_then(|()| fs::set_permissions(&new, fs::Permissions::from_mode(0o644)))
            .and_then(|()| fs::rename(&new, &path))
            .with_context(|| format!("writing `{}`", path.display()))?;
    }
    Ok(())
}

/// A Python that node processes can start: the distribution's before any other.
fn node_python(shell: &Shell) -> Result<PathBuf> {
    let systems = {
        let _path = shell.push_env("PATH", "/usr/bin:/usr/local/bin:/bin");
        Python::find(shell)
    };
    let python = systems.or_else(|_| Python::find(shell))?.path;
    let real = python.canonicalize().context("finding the real path of Python")?;
    ensure!(
        !geteuid().is_root() || is_open(&real),
        "node processes can't start `{}`, which is out of their reach\n  hint: `apt-get install \
         python3`",
        real.display()
    );
    Ok(python)
}

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
    fn releases_whose_jobs_fail_on_one_host_are_an_obstacle_and_nightlies_are_not() {
        assert!(obstacle_of_version("0.12.0").unwrap().contains("0.14.0 and newer can"));
        assert_eq!(obstacle_of_version("0.14.1"), None);
        assert_eq!(obstacle_of_version("1.0.0.dev20261027"), None);
    }
}
