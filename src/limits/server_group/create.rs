//! Creation of a server's control groups.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use super::super::groups::Version;
use super::place::{Part, Place};
use super::{CpuLimit, ServerGroup, entering, remove};
use crate::machine_size::MachineSize;

/// Period of the quota of CPU time, in microseconds: the kernel's default.
const PERIOD_MICROS: u64 = 100_000;

/// Bytes of swap that a group of version 1 may use: a page of any machine. Its limit is on memory
/// and swap together, and with none left for swap, the kernel counts no hits of the memory limit.
const SWAP: u64 = 64 << 10;

/// Reason why a control group with limits is not granted.
#[derive(Debug, thiserror::Error)]
pub enum NotGranted {
    /// Group without the controller of memory.
    #[error("`{0}` does not pass the memory controller on")]
    NoController(PathBuf),
    /// Folder or file that cannot be made or written.
    #[error("cannot {act} `{path}`: {source}")]
    Io {
        /// Step that failed.
        act: &'static str,
        /// Folder or file.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// Group that a process of this user cannot enter.
    #[error("a process cannot enter `{path}` ({status})")]
    Closed {
        /// Folder of the group.
        path: PathBuf,
        /// End of the process that tried.
        status: ExitStatus,
    },
}

impl ServerGroup {
    /// Makes the groups of a place with the memory of `size`, and with its CPUs unless there is a
    /// reason against that. A process enters them to try them out.
    ///
    /// # Errors
    ///
    /// If memory cannot be limited. What was made is then removed.
    pub fn create(
        place: Place,
        size: MachineSize,
        without_cpus: Option<String>,
    ) -> Result<Self, NotGranted> {
        let made = make(&place, size, without_cpus);
        if made.is_err() {
            // The error of the creation says more than one of the removal.
            _ = remove(&place.folders());
        }
        made.map(|(pids, cpu, cpus)| Self { place: Place { pids, cpu, ..place }, cpus })
    }
}

type Optional = Option<Part>;

/// Makes the groups; returns those of pids and CPU that could be made, and the limit on CPU time.
fn make(
    place: &Place,
    size: MachineSize,
    without_cpus: Option<String>,
) -> Result<(Optional, Optional, CpuLimit), NotGranted> {
    make_part(&place.memory, "memory")?;
    limit_memory(&place.memory, size)?;
    try_out(&place.memory)?;
    let optional = |part: &Option<Part>, controller| {
        let Some(part) = part else {
            return Err(format!("this machine has no controller `{controller}`"));
        };
        make_part(part, controller).and_then(|()| try_out(part)).map_err(|error| error.to_string())
    };
    let pids = place.pids.clone().filter(|_| optional(&place.pids, "pids").is_ok());
    let limited = match without_cpus {
        Some(reason) => Err(reason),
        None => optional(&place.cpu, "cpu").and_then(|()| {
            let part = place.cpu.as_ref().ok_or("no controller `cpu`")?;
            limit_cpus(part, size.cpus).map_err(|error| error.to_string())
        }),
    };
    match limited {
        Ok(()) => Ok((pids, place.cpu.clone(), CpuLimit::Cpus(size.cpus))),
        Err(reason) => {
            // In version 2, the folder is also that of memory.
            let unused = place.cpu.as_ref().filter(|cpu| cpu.folder != place.memory.folder);
            _ = remove(&unused.map(|cpu| cpu.folder.clone()).into_iter().collect::<Vec<_>>());
            Ok((pids, None, CpuLimit::None(reason)))
        }
    }
}

fn make_part(part: &Part, controller: &str) -> Result<(), NotGranted> {
    if part.version == Version::V2 {
        pass_on(part.parent(), controller)?;
    }
    match fs::create_dir(&part.folder) {
        // Of an earlier attempt of the same run, or of another controller.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map_err(|source| failed("make the control group", &part.folder, source)),
    }
}

/// Makes a group of version 2 pass a controller on to its children. The kernel refuses for a group
/// that has processes, other than the outermost one.
fn pass_on(parent: &Path, controller: &str) -> Result<(), NotGranted> {
    let file = parent.join("cgroup.subtree_control");
    let has = |file: &Path| {
        let text = fs::read_to_string(file).unwrap_or_default();
        text.split_whitespace().any(|word| word.trim_start_matches('+') == controller)
    };
    if has(&file) {
        return Ok(());
    }
    if !has(&parent.join("cgroup.controllers")) {
        return Err(NotGranted::NoController(parent.to_owned()));
    }
    write(&file, format!("+{controller}"))?;
    if has(&file) { Ok(()) } else { Err(NotGranted::NoController(parent.to_owned())) }
}

fn limit_memory(part: &Part, size: MachineSize) -> Result<(), NotGranted> {
    let bytes = size.memory.as_u64();
    let in_group = |name: &str| part.folder.join(name);
    match part.version {
        Version::V1 => {
            write(&in_group("memory.limit_in_bytes"), bytes)?;
            match in_group("memory.memsw.limit_in_bytes") {
                with_swap if with_swap.exists() => write(&with_swap, bytes.saturating_add(SWAP)),
                // A kernel that does not count swap can still avoid it.
                _ => write(&in_group("memory.swappiness"), 0),
            }
        }
        Version::V2 => {
            write(&in_group("memory.max"), bytes)?;
            match in_group("memory.swap.max") {
                swap if swap.exists() => write(&swap, 0),
                // The kernel does not count swap, or has none.
                _ => Ok(()),
            }
        }
    }
}

fn limit_cpus(part: &Part, cpus: u32) -> Result<(), NotGranted> {
    let quota = u64::from(cpus).saturating_mul(PERIOD_MICROS);
    match part.version {
        Version::V1 => {
            write(&part.folder.join("cpu.cfs_period_us"), PERIOD_MICROS)?;
            write(&part.folder.join("cpu.cfs_quota_us"), quota)
        }
        Version::V2 => write(&part.folder.join("cpu.max"), format!("{quota} {PERIOD_MICROS}")),
    }
}

/// Tries a group out with a process that enters: whether that is permitted, depends on all groups
/// in between.
fn try_out(part: &Part) -> Result<(), NotGranted> {
    let folder = &part.folder;
    let mut command = entering(std::slice::from_ref(folder), "true");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let status = command.status().map_err(|source| failed("enter", folder, source))?;
    match status.success() {
        true => Ok(()),
        false => Err(NotGranted::Closed { path: folder.clone(), status }),
    }
}

fn write(file: &Path, value: impl ToString) -> Result<(), NotGranted> {
    fs::write(file, value.to_string()).map_err(|source| failed("write to", file, source))
}

fn failed(act: &'static str, path: &Path, source: io::Error) -> NotGranted {
    NotGranted::Io { act, path: path.to_owned(), source }
}
