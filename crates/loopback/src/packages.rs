//! The programs of Slurm and of a login node: installed ones, or Debian's packages
//! unpacked into a folder of ours. Nothing is installed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use host::progress::Progress;
use host::tools::lock::SetupLock;
use host::tools::{debian, is_program};
use skyload::env;
use xshell::Shell;

use super::place::{Place, open_all};

/// Where programs are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packages {
    /// Folders with programs, first come first served.
    pub(super) programs: Vec<PathBuf>,
    /// Folders with libraries that the system doesn't know.
    pub(super) libraries: Vec<PathBuf>,
    /// Where Slurm finds its plugins, unless it knows.
    pub(super) plugins: Option<PathBuf>,
    /// `libnss_wrapper.so`.
    pub(super) nss_wrapper: PathBuf,
    /// What was unpacked, if anything was.
    root: Option<PathBuf>,
}

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

/// The packages whose programs are used.
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

/// Why there can't be any packages on this machine.
pub(super) fn obstacle() -> Option<String> {
    let shell = Shell::new().ok()?;
    if installed(&system_folders()).is_some() || debian::is_available(&shell) {
        return None;
    }
    let names = WANTED.join(" ");
    Some(format!("Slurm is not installed, and there is no apt to fetch it with ({names})"))
}

impl Packages {
    /// The installed ones if all are there, else those of the last time, else new ones.
    pub(super) fn prepare(place: &Place, state: &Path, progress: Progress) -> Result<Self> {
        if env::text(env::UNPACK_ALWAYS).is_none()
            && let Some(installed) = installed(&system_folders())
        {
            return Ok(installed);
        }
        let folder = place.packages();
        if let Some(unpacked) = unpacked(&folder) {
            return Ok(unpacked);
        }
        let _lock = SetupLock::take(state)?;
        let step = progress.step("Fetching Slurm from the distribution's packages (once, 10 MB)");
        let count = debian::unpack(&WANTED, &folder, state, &step)?;
        open_all(&folder)?;
        let found = unpacked(&folder).context("finding Slurm in the unpacked packages")?;
        step.done(format!("{count} packages, in {}", folder.display()));
        Ok(found)
    }

    /// The program `name`. Debian calls Slurm's daemons by other names until an
    /// installation makes links to them.
    pub(super) fn program(&self, name: &str) -> Result<PathBuf> {
        self.find(name).with_context(|| format!("finding `{name}` in {}", shown(&self.programs)))
    }

    /// Whether they are ours, with libraries that nobody else finds.
    pub(super) fn is_unpacked(&self) -> bool {
        self.root.is_some()
    }

    /// Where `slurmstepd` is, if `slurmd` must be told.
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
        folders
            .flat_map(|folder| [folder.join(format!("{name}-wlm")), folder.join(name)])
            .find(|program| is_program(program))
    }
}

/// Everything from the system's own folders, or nothing.
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

/// Everything from a folder that packages were unpacked into.
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
        // Without them, the system's own are known to the programs.
        plugins: plugins.is_dir().then_some(plugins),
        nss_wrapper,
        root: Some(folder.to_owned()),
    };
    PROGRAMS.iter().all(|name| packages.find(name).is_some()).then_some(packages)
}

/// In the folder of this machine's architecture, whatever that is called.
fn nss_wrapper(libraries: &Path) -> Option<PathBuf> {
    const NAME: &str = "libnss_wrapper.so";
    let below = fs::read_dir(libraries).ok()?.flatten().map(|entry| entry.path());
    below.map(|folder| folder.join(NAME)).find(|library| library.is_file())
}

/// Those on PATH, and those of daemons, which only root's PATH names.
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
    fn one_missing_program_makes_an_installation_unfit() {
        let folder = tempfile::tempdir().unwrap();
        unpack(folder.path());
        fs::remove_file(folder.path().join("usr/sbin/munged")).unwrap();
        assert_eq!(unpacked(folder.path()), None);
    }
}
