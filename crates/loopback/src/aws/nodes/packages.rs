//! Programs that a node has and this machine may lack: installed ones, or Debian packages that
//! are unpacked into a folder of skyload and copied into each node.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use host::progress::Progress;
use host::tools::lock::SetupLock;
use host::tools::{debian, is_program, remove_folder};
use skyload::env;
use xshell::Shell;

use crate::base_dir::BaseDir;
use crate::client::{self, ClientFiles, NODE_CLIENTS};

/// Paths in a node at which SkyPilot and the keeper expect programs.
const PROGRAMS: [&str; 5] =
    ["/usr/sbin/sshd", "/usr/bin/ssh", "/usr/bin/ssh-keygen", "/usr/bin/sudo", "/usr/bin/rsync"];

/// Programs that print their version and exit, and the option for it. `sudo` is left out: it starts
/// only where it belongs to root.
const ANSWERING: [(&str, &str); 3] =
    [("usr/sbin/sshd", "-V"), ("usr/bin/ssh", "-V"), ("usr/bin/rsync", "--version")];

/// Debian packages with the programs.
const WANTED: [&str; 4] = ["openssh-server", "openssh-client", "sudo", "rsync"];

/// Folders at the root that are links to folders in `/usr` on current distributions.
const MERGED: [&str; 4] = ["bin", "lib", "lib64", "sbin"];

/// Folders of packages that no program reads.
const NOT_COPIED: [&str; 3] = ["usr/share/doc", "usr/share/locale", "usr/share/man"];

/// Programs of nodes.
#[derive(Clone, Debug)]
pub(crate) struct NodePackages {
    /// Folder with unpacked packages; `None` if the programs are installed.
    pub(crate) folder: Option<PathBuf>,
}

/// Reason why this machine cannot have the programs.
pub(super) fn obstacle() -> Option<String> {
    let shell = Shell::new().ok()?;
    if are_below(Path::new("/")) || debian::is_available(&shell) {
        return None;
    }
    let names = WANTED.join(" ");
    Some(format!(
        "nodes need sshd and sudo, which are not installed and cannot be downloaded without \
         apt-get and dpkg (packages: {names})"
    ))
}

impl NodePackages {
    /// Installed programs if complete, else the unpacked ones of an earlier run, else newly
    /// downloaded and unpacked ones.
    pub(crate) fn prepare(base_dir: &BaseDir, state: &Path, progress: Progress) -> Result<Self> {
        if env::text(env::UNPACK_ALWAYS).is_none() && are_below(Path::new("/")) {
            return Ok(Self { folder: None });
        }
        let folder = base_dir.node_packages();
        if !(debian::is_unpacked(&folder) && start(&folder)) {
            let _lock = SetupLock::take(state)?;
            let step = progress.step("Downloading sshd and sudo for nodes (once, 4 MB)");
            let count = debian::unpack(&WANTED, &folder, state, &step)?;
            step.done(format!("{count} packages, in {}", folder.display()));
        }
        // Also after an interrupted first time: the folder is complete before.
        merge(&folder, Path::new("/"))?;
        for name in NOT_COPIED {
            remove_folder(&folder.join(name))?;
        }
        anyhow::ensure!(
            are_below(&folder),
            "`{}` lacks a program of nodes\n  hint: remove the folder",
            folder.display()
        );
        Ok(Self { folder: Some(folder) })
    }

    /// Packages for an API server, which wants ssh and rsync even for a dry run: none where the
    /// machine has both.
    pub(crate) fn for_server(base_dir: &BaseDir, state: &Path, progress: Progress) -> Result<Self> {
        match client::missing(&NODE_CLIENTS)?.is_empty() {
            true => Ok(Self { folder: None }),
            false => Self::prepare(base_dir, state, progress),
        }
    }

    /// Programs that an API server needs and that are only in the unpacked packages.
    pub(crate) fn missing_programs(&self) -> Result<Vec<&'static str>> {
        match self.folder {
            Some(_) => client::missing(&NODE_CLIENTS),
            None => Ok(Vec::new()),
        }
    }

    /// Adds [`Self::missing_programs`] to the files of an API server.
    pub(crate) fn add_programs(&self, client: &ClientFiles) -> Result<()> {
        let Some((programs, libraries)) = self.unpacked() else { return Ok(()) };
        self.missing_programs()?
            .into_iter()
            .try_for_each(|name| client.add_unpacked(name, &programs.join(name), &libraries))
    }

    /// Folder with unpacked programs, and their value of `LD_LIBRARY_PATH`, for programs that
    /// this machine itself lacks.
    fn unpacked(&self) -> Option<(PathBuf, String)> {
        let folder = self.folder.as_ref()?;
        Some((folder.join("usr/bin"), library_path(folder)))
    }
}

/// Value of `LD_LIBRARY_PATH` for programs of packages in a folder.
fn library_path(folder: &Path) -> String {
    // Libraries are in a folder with the name of the architecture.
    let entries = ["usr/lib", "lib"].map(|name| fs::read_dir(folder.join(name)));
    let entries = entries.into_iter().flatten().flatten().flatten();
    let folders = entries.map(|entry| entry.path()).filter(|path| path.is_dir());
    folders.map(|path| path.display().to_string()).collect::<Vec<_>>().join(":")
}

/// Whether the programs of packages in a folder find their libraries on this machine.
fn start(folder: &Path) -> bool {
    let libraries = library_path(folder);
    let starts = |(name, option): (&str, &str)| {
        debian::ensure_starts(&folder.join(name), option, &libraries).is_ok()
    };
    ANSWERING.into_iter().all(starts)
}

fn are_below(root: &Path) -> bool {
    PROGRAMS.iter().all(|program| is_program(&root.join(program.trim_start_matches('/'))))
}

/// Moves folders of packages to where `root` has them: it may have a link `lib` to `usr/lib`.
fn merge(folder: &Path, root: &Path) -> Result<()> {
    for name in MERGED {
        let from = folder.join(name);
        if from.is_dir() && root.join(name).is_symlink() {
            move_into(&from, &folder.join("usr").join(name))
                .with_context(|| format!("moving `{}` into `usr`", from.display()))?;
        }
    }
    Ok(())
}

/// Moves the contents of a folder into another one, and removes the folder.
fn move_into(from: &Path, to: &Path) -> std::io::Result<()> {
    match fs::create_dir(to) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => move_into(&entry.path(), &target)?,
            false => fs::rename(entry.path(), target)?,
        }
    }
    fs::remove_dir(from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::script;

    #[test]
    fn packages_whose_programs_lack_a_library_are_not_used() {
        let folder = tempfile::tempdir().unwrap();
        for program in ["usr/sbin/sshd", "usr/bin/ssh"] {
            script(&folder.path().join(program), "");
        }
        fs::create_dir_all(folder.path().join("usr/lib/riscv64-linux-gnu")).unwrap();
        let with_libraries = "case $LD_LIBRARY_PATH in */riscv64-linux-gnu) ;; *) exit 127 ;; esac";
        script(&folder.path().join("usr/bin/rsync"), with_libraries);
        assert!(start(folder.path()));
        script(&folder.path().join("usr/sbin/sshd"), "exit 127");
        assert!(!start(folder.path()));
    }

    #[test]
    fn a_link_of_the_machine_is_not_hidden_by_a_folder_of_the_packages() {
        let folder = tempfile::tempdir().unwrap();
        let (packages, root) = (folder.path().join("packages"), folder.path().join("root"));
        fs::create_dir_all(&root).unwrap();
        std::os::unix::fs::symlink("usr/lib", root.join("lib")).unwrap();
        for file in ["lib/a/x", "usr/lib/a/y", "bin/z"] {
            let file = packages.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        merge(&packages, &root).unwrap();
        merge(&packages, &root).unwrap();
        assert!(!packages.join("lib").exists());
        assert!(packages.join("usr/lib/a/x").exists() && packages.join("usr/lib/a/y").exists());
        assert!(packages.join("bin/z").exists(), "`bin` of the root is no link");
    }
}
