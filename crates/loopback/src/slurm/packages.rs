//! Programs of Slurm and of a login node: installed ones, or Debian packages that are unpacked
//! into a folder of skyload, without installing them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use host::progress::Progress;
use host::tools::lock::SetupLock;
use host::tools::{debian, is_program};
use skyload::env;
use xshell::Shell;

use crate::base_dir::{BaseDir, open_tree};

/// Locations of the programs, their libraries and plugins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packages {
    /// Folders with programs, in search order.
    pub(super) programs: Vec<PathBuf>,
    /// Folders with libraries for `LD_LIBRARY_PATH`; empty for installed programs.
    pub(super) libraries: Vec<PathBuf>,
    /// Folder for Slurm's `PluginDir`; `None` if the default is right.
    pub(super) plugins: Option<PathBuf>,
    /// Path of `libnss_wrapper.so`.
    pub(super) nss_wrapper: PathBuf,
    /// Folder that packages were unpacked into; `None` for installed programs.
    root: Option<PathBuf>,
}

/// Programs that must all be found.
const PROGRAMS: [&str; 10] = [
    "slurmctld",
    "slurmd",
    "sbatch",
    "squeue",
    "scancel",
    "sinfo",
    "munged",
    "sshd",
    "ssh",
    "rsync",
];

/// Debian packages with the programs.
const WANTED: [&str; 8] = [
    "slurmctld",
    "slurmd",
    "slurm-client",
    "munge",
    "openssh-server",
    "openssh-client",
    "rsync",
    "libnss-wrapper",
];

/// Reason why this machine cannot have the programs.
pub(super) fn obstacle() -> Option<String> {
    let shell = Shell::new().ok()?;
    if installed(&system_folders()).is_some() || debian::is_available(&shell) {
        return None;
    }
    let names = WANTED.join(" ");
    Some(format!(
        "Slurm is not installed, and cannot be downloaded without apt-get and dpkg (packages: \
         {names})"
    ))
}

impl Packages {
    /// Installed programs if complete, else the unpacked ones of an earlier run, else newly
    /// downloaded and unpacked ones.
    pub(super) fn prepare(base_dir: &BaseDir, state: &Path, progress: Progress) -> Result<Self> {
        if env::text(env::UNPACK_ALWAYS).is_none()
            && let Some(installed) = installed(&system_folders())
        {
            return Ok(installed);
        }
        let folder = base_dir.packages();
        if let Some(unpacked) = unpacked(&folder) {
            return Ok(unpacked);
        }
        let _lock = SetupLock::take(state)?;
        let step =
            progress.step("Downloading Slurm from the distribution's packages (once, 10 MB)");
        let count = debian::unpack(&WANTED, &folder, state, &step)?;
        open_tree(&folder)?;
        let found = unpacked(&folder).context("finding Slurm in the unpacked packages")?;
        step.done(format!("{count} packages, in {}", folder.display()));
        Ok(found)
    }

    /// Path of the program `name`.
    pub(super) fn program(&self, name: &str) -> Result<PathBuf> {
        self.find(name).with_context(|| format!("finding `{name}` in {}", shown(&self.programs)))
    }

    /// Whether the programs were unpacked by skyload, so that they need `LD_LIBRARY_PATH`.
    pub(super) fn is_unpacked(&self) -> bool {
        self.root.is_some()
    }

    /// Path of `slurmstepd` for slurmd's option `-d`; `None` for installed programs.
    pub(super) fn step_daemon(&self) -> Option<PathBuf> {
        self.root.as_ref().and_then(|_| self.find("slurmstepd"))
    }

    #[cfg(test)]
    pub(super) fn for_tests(plugins: Option<PathBuf>) -> Self {
        let (programs, libraries) = (Vec::new(), Vec::new());
        Self { programs, libraries, plugins, nss_wrapper: PathBuf::new(), root: None }
    }

    fn find(&self, name: &str) -> Option<PathBuf> {
        let folders = self.programs.iter();
        // Debian's packages contain `NAME-wlm`; the installation adds links without the suffix.
        folders
            .flat_map(|folder| [folder.join(format!("{name}-wlm")), folder.join(name)])
            .find(|program| is_program(program))
    }
}

/// Packages in the system's folders; `None` if a program is missing.
fn installed(folders: &[PathBuf]) -> Option<Packages> {
    let packages = Packages {
        programs: folders.to_vec(),
        libraries: Vec::new(),
        plugins: None,
        nss_wrapper: nss_wrapper(Path::new("/usr/lib"))?,
        root: None,
    };
    PROGRAMS.iter().all(|name| packages.find(name).is_some()).then_some(packages)
}

/// Packages in a folder that they were unpacked into; `None` if incomplete.
fn unpacked(folder: &Path) -> Option<Packages> {
    if !debian::is_unpacked(folder) {
        return None;
    }
    let nss_wrapper = nss_wrapper(&folder.join("usr/lib"))?;
    let libraries = nss_wrapper.parent()?.to_owned();
    let plugins = libraries.join("slurm-wlm");
    let packages = Packages {
        programs: ["usr/bin", "usr/sbin"].map(|part| folder.join(part)).to_vec(),
        libraries: vec![libraries.clone(), plugins.clone(), libraries.join("pmix2/lib")],
        // Not unpacked if the plugins' package is installed: Slurm's default folder is right then.
        plugins: plugins.is_dir().then_some(plugins),
        nss_wrapper,
        root: Some(folder.to_owned()),
    };
    PROGRAMS.iter().all(|name| packages.find(name).is_some()).then_some(packages)
}

/// Path of `libnss_wrapper.so` in a subfolder of `libraries`, which has the name of the
/// machine's architecture.
fn nss_wrapper(libraries: &Path) -> Option<PathBuf> {
    const NAME: &str = "libnss_wrapper.so";
    let below = fs::read_dir(libraries).ok()?.flatten().map(|entry| entry.path());
    below.map(|folder| folder.join(NAME)).find(|library| library.is_file())
}

/// Folders of PATH, and those of daemons, which an ordinary user's PATH may lack.
fn system_folders() -> Vec<PathBuf> {
    let path = env::path("PATH").unwrap_or_default();
    let daemons = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(daemons).collect()
}

fn shown(folders: &[PathBuf]) -> String {
    folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::script;

    fn unpack(folder: &Path) {
        for program in PROGRAMS {
            let name = if program.starts_with("slurm") {
                format!("{program}-wlm")
            } else {
                program.into()
            };
            script(&folder.join("usr/sbin").join(name), "");
        }
        let libraries = folder.join("usr/lib/riscv64-linux-gnu");
        script(&libraries.join("libnss_wrapper.so"), "");
        script(&libraries.join("slurm-wlm/auth_munge.so"), "");
        debian::stamp(folder, Vec::new()).unwrap();
    }

    #[test]
    fn unpacked_programs_are_found_under_debians_names_on_any_architecture() {
        let folder = tempfile::tempdir().unwrap();
        unpack(folder.path());
        let packages = unpacked(folder.path()).unwrap();
        let slurmd = folder.path().join("usr/sbin/slurmd-wlm");
        assert_eq!(packages.program("slurmd").unwrap(), slurmd);
        assert!(packages.plugins.unwrap().ends_with("usr/lib/riscv64-linux-gnu/slurm-wlm"));
    }

    #[test]
    fn packages_without_one_of_the_programs_are_not_used() {
        let folder = tempfile::tempdir().unwrap();
        unpack(folder.path());
        fs::remove_file(folder.path().join("usr/sbin/munged")).unwrap();
        assert_eq!(unpacked(folder.path()), None);
    }
}
