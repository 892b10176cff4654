//! Programs of Slurm and of a login node: installed ones, or Debian packages that are unpacked
//! into a folder of skyload, without installing them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, ensure};
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

/// Library that must be found, too.
const NSS_WRAPPER: &str = "libnss_wrapper.so";

/// Programs that print their version and exit, and the option for it. Each needs other libraries.
const ANSWERING: [(&str, &str); 6] = [
    ("slurmctld", "-V"),
    ("slurmd", "-V"),
    ("munged", "-V"),
    ("sshd", "-V"),
    ("ssh", "-V"),
    ("rsync", "--version"),
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
    let missing = installed(&system_folders(), Path::new("/usr")).err()?;
    let shell = Shell::new().ok()?;
    (!debian::is_available(&shell)).then(|| obstacle_without(missing))
}

/// Text of the obstacle on a machine that lacks a file and Debian's programs.
fn obstacle_without(missing: &str) -> String {
    let names = WANTED.join(" ");
    format!(
        "`{missing}` for Slurm's nodes is not installed, and cannot be downloaded without apt-get \
         and dpkg (packages: {names})"
    )
}

impl Packages {
    /// Installed programs if complete, else the unpacked ones of an earlier run, else newly
    /// downloaded and unpacked ones.
    pub(super) fn prepare(base_dir: &BaseDir, state: &Path, progress: Progress) -> Result<Self> {
        if env::text(env::UNPACK_ALWAYS).is_none()
            && let Ok(installed) = installed(&system_folders(), Path::new("/usr"))
        {
            return Ok(installed);
        }
        let folder = base_dir.packages();
        if let Ok(unpacked) = unpacked(&folder) {
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

    /// Value of `LD_LIBRARY_PATH` for unpacked programs.
    pub(super) fn library_path(&self) -> String {
        let folders = self.libraries.iter().map(|folder| folder.display().to_string());
        folders.collect::<Vec<_>>().join(":")
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

    /// Packages that are complete, or the name of the first program that is missing.
    fn if_complete(self) -> Result<Self, &'static str> {
        match PROGRAMS.into_iter().find(|name| self.find(name).is_none()) {
            Some(missing) => Err(missing),
            None => Ok(self),
        }
    }
}

/// Packages in the folders of the system, whose libraries are below `usr`, or the name of the first
/// program or library that is missing.
fn installed(folders: &[PathBuf], usr: &Path) -> Result<Packages, &'static str> {
    let nss_wrapper = nss_wrapper(usr);
    let is_there = nss_wrapper.is_some();
    let packages = Packages {
        programs: folders.to_vec(),
        libraries: Vec::new(),
        plugins: None,
        nss_wrapper: nss_wrapper.unwrap_or_default(),
        root: None,
    };
    let packages = packages.if_complete()?;
    if is_there { Ok(packages) } else { Err(NSS_WRAPPER) }
}

/// Packages in a folder that they were unpacked into; an error if they are incomplete or do not
/// start on this machine.
fn unpacked(folder: &Path) -> Result<Packages> {
    let missing = |name: &str| format!("finding `{name}` in `{}`", folder.display());
    ensure!(debian::is_unpacked(folder), "no packages of this system in `{}`", folder.display());
    let nss_wrapper = nss_wrapper(&folder.join("usr")).with_context(|| missing(NSS_WRAPPER))?;
    let libraries = nss_wrapper.parent().with_context(|| missing(NSS_WRAPPER))?.to_owned();
    let plugins = libraries.join("slurm-wlm");
    let packages = Packages {
        programs: ["usr/bin", "usr/sbin"].map(|part| folder.join(part)).to_vec(),
        libraries: vec![libraries.clone(), plugins.clone(), libraries.join("pmix2/lib")],
        // Not unpacked if the plugins' package is installed: Slurm's default folder is right then.
        plugins: plugins.is_dir().then_some(plugins),
        nss_wrapper,
        root: Some(folder.to_owned()),
    };
    let packages = packages.if_complete().map_err(|name| anyhow!(missing(name)))?;
    for (name, option) in ANSWERING {
        debian::ensure_starts(&packages.program(name)?, option, &packages.library_path())?;
    }
    Ok(packages)
}

/// Path of `libnss_wrapper.so` below `usr`: in a folder of libraries (Fedora, RHEL, SUSE, Arch), or
/// in a subfolder with the name of the machine's architecture (Debian).
fn nss_wrapper(usr: &Path) -> Option<PathBuf> {
    let folders = ["lib64", "lib"].map(|name| usr.join(name));
    let below = fs::read_dir(usr.join("lib")).into_iter().flatten().flatten();
    let folders = folders.into_iter().chain(below.map(|entry| entry.path()));
    folders.map(|folder| folder.join(NSS_WRAPPER)).find(|library| library.is_file())
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
    use rstest::rstest;

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
        let error = unpacked(folder.path()).unwrap_err().to_string();
        assert!(error.starts_with("finding `munged` in "), "{error}");
    }

    #[test]
    fn packages_whose_programs_lack_a_library_are_not_used() {
        let folder = tempfile::tempdir().unwrap();
        unpack(folder.path());
        let missing = "error while loading shared libraries: libmunge.so.2";
        let slurmctld = folder.path().join("usr/sbin/slurmctld-wlm");
        script(&slurmctld, &format!("echo '{missing}' >&2; exit 127"));
        let error = unpacked(folder.path()).unwrap_err().to_string();
        assert!(error.contains("slurmctld-wlm -V` failed") && error.ends_with(missing), "{error}");
    }

    #[rstest]
    #[case::on_fedora("lib64")]
    #[case::on_arch("lib")]
    #[case::on_debian("lib/x86_64-linux-gnu")]
    fn installed_programs_are_used_with_the_library_of_names(#[case] place: &str) {
        let system = tempfile::tempdir().unwrap();
        let (programs, usr) = (system.path().join("bin"), system.path().join("usr"));
        for name in PROGRAMS {
            script(&programs.join(name), "");
        }
        fs::create_dir_all(usr.join("lib")).unwrap();
        let folders = [programs.clone()];
        let missing = installed(&folders, &usr).unwrap_err();
        assert!(obstacle_without(missing).starts_with("`libnss_wrapper.so` for Slurm's nodes"));
        let library = usr.join(place).join(NSS_WRAPPER);
        script(&library, "");
        assert_eq!(installed(&folders, &usr).unwrap().nss_wrapper, library);
        fs::remove_file(programs.join("munged")).unwrap();
        assert_eq!(installed(&folders, &usr), Err("munged"));
    }
}
