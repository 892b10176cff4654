//! Contents of node images, built from SkyPilot's wheel.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, lchown};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use host::progress::Step;
use host::tools::run::run;
use host::tools::uv::Uv;
use host::tools::{remove_folder, shell_in};
use host::workspace::Workspace;
use nix::unistd::geteuid;

use super::wheel::Wheel;
use super::{ImageKind, home, python};
use crate::account::UBUNTU;
use crate::base_dir::{is_open_to_all, open_tree};
use crate::site::NODE_PATCHES;
use crate::skypilot::SkyPilot;

/// Folders that SkyPilot's setup of a node makes, or expects to be there.
const HOME_FOLDERS: [&str; 5] =
    [".local/bin", ".sky/sky_app", ".sky/wheels", "sky_logs", "sky_workdir"];

/// Builds an image into `folder`, whose old contents are removed.
pub(super) fn build(
    kind: ImageKind,
    folder: &Path,
    workspace: &Workspace,
    sky: &SkyPilot,
    wheel: &Wheel,
    uv: Uv,
    step: &Step,
) -> Result<()> {
    let shell = shell_in(&workspace.state)?;
    let ray = (kind == ImageKind::Aws).then(|| wheel.ray()).transpose()?;
    let python = python::find(&shell, ray)?;
    remove_folder(folder)?;
    fs::create_dir_all(folder).context("creating the image's folder")?;
    // SkyPilot keeps a wheel in a folder that is named by its hash.
    let wheels = folder.join("wheels").join(&wheel.hash);
    fs::create_dir_all(&wheels).context("creating a folder for the wheel")?;
    let name = wheel.path.file_name().context("finding the wheel's name")?;
    fs::copy(&wheel.path, wheels.join(name)).context("copying the wheel")?;

    let (uv, inner) = match kind {
        ImageKind::Slurm => (uv, folder.to_owned()),
        // A node's user owns the files, so they must not be links into uv's cache.
        ImageKind::Aws => (uv.copying(), home(folder)),
    };
    let uv_copy = match kind {
        ImageKind::Slurm => folder.join("uv"),
        ImageKind::Aws => {
            fill_home(&inner, wheel)?;
            inner.join(".local/bin/uv")
        }
    };
    fs::copy(uv.program(), uv_copy).context("copying uv")?;

    let runtime = kind.runtime(folder);
    let make_venv = || uv.command(&shell).args(["venv", "--seed", "--python"]).arg(&python);
    let make_runtime = match kind {
        ImageKind::Slurm => make_venv(),
        // The image is mounted at another path than it is built at.
        ImageKind::Aws => make_venv().arg("--relocatable"),
    };
    run(make_runtime.arg(&runtime), step)?.into_output()?;
    let extras = match kind {
        ImageKind::Slurm => "slurm,remote",
        ImageKind::Aws => "aws,remote",
    };
    let requirement = format!("{}[{extras}]", wheel.path.display());
    // The same limit as for the API server, so that nodes get the same dependencies.
    let until = sky.resolved_as_of.as_deref().map(|date| ["--exclude-newer", date]);
    let of_nodes = wheel.requirements.iter().filter(|_| kind == ImageKind::Aws);
    let what: Vec<&str> = until
        .into_iter()
        .flatten()
        .chain(of_nodes.map(String::as_str))
        .chain([requirement.as_str()])
        .collect();
    uv.install(&shell, &runtime.join("bin/python"), &what, step)?.into_output()?;
    // Environment of the user's jobs, separate from the runtime's.
    let user_venv = make_venv().args(["--relocatable", "--system-site-packages"]);
    run(user_venv.arg(inner.join("sky-user-env")), step)?.into_output()?;

    refresh(kind, folder)?;
    open_tree(folder)?;
    if geteuid().is_root() {
        let site = site_packages(&runtime)?;
        ensure!(
            is_open_to_all(folder) && is_open_to_all(&site.join("sky")),
            "node processes cannot read the image in `{}`\n  hint: make the folders above it \
             accessible to all users (`chmod o+x`)",
            folder.display()
        );
        if kind == ImageKind::Aws {
            give_to(UBUNTU, &inner)?;
        }
    }
    Ok(())
}

/// Brings an image that an earlier version of skyload may have built up to date.
pub(super) fn refresh(kind: ImageKind, folder: &Path) -> Result<()> {
    match kind {
        ImageKind::Slurm => write_patches(folder),
        // SkyPilot on these nodes is not patched.
        ImageKind::Aws => Ok(()),
    }
}

/// Files of a new user, and those by which SkyPilot sees that the wheel is installed.
fn fill_home(home: &Path, wheel: &Wheel) -> Result<()> {
    let filling = || format!("filling `{}`", home.display());
    for folder in HOME_FOLDERS {
        fs::create_dir_all(home.join(folder)).with_context(filling)?;
    }
    fs::write(home.join(".sky/wheels/current_sky_wheel_hash"), format!("{}\n", wheel.hash))
        .with_context(filling)?;
    // Missing on some machines.
    for entry in fs::read_dir("/etc/skel").into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_file()) {
            fs::copy(entry.path(), home.join(entry.file_name())).with_context(filling)?;
        }
    }
    Ok(())
}

/// Makes a user the owner of a folder and all that is in it.
fn give_to(user: u32, path: &Path) -> Result<()> {
    let changing = || format!("changing the owner of `{}`", path.display());
    lchown(path, Some(user), Some(user)).with_context(changing)?;
    if path.is_dir() && !path.is_symlink() {
        for entry in fs::read_dir(path).with_context(changing)? {
            give_to(user, &entry.with_context(changing)?.path())?;
        }
    }
    Ok(())
}

/// Writes the current patches into an image, which an earlier version of skyload may have built.
fn write_patches(folder: &Path) -> Result<()> {
    let site = site_packages(&ImageKind::Slurm.runtime(folder))?;
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

/// Folder `site-packages` of a Python environment.
pub(super) fn site_packages(environment: &Path) -> Result<PathBuf> {
    let lib = environment.join("lib");
    let entries = fs::read_dir(&lib).with_context(|| format!("reading `{}`", lib.display()))?;
    let folders = entries.flatten().map(|entry| entry.path().join("site-packages"));
    let found = folders.into_iter().find(|folder| folder.is_dir());
    found.with_context(|| format!("finding Python's packages below `{}`", lib.display()))
}
