//! Places where the control groups of a server can be made.

use std::path::{Path, PathBuf};

use super::super::groups::{Groups, Version, number};

/// Folders of control groups that are to be made, one for each controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub(super) memory: Part,
    /// `None` where this machine has no such controller.
    pub(super) cpu: Option<Part>,
    pub(super) pids: Option<Part>,
    /// Whether the group of memory is a child of this process's own group in version 2, whose
    /// counts include those of its children.
    pub(super) is_inside_own: bool,
}

/// Control group of one controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) version: Version,
    pub(super) folder: PathBuf,
}

impl Part {
    /// Group in which the group is made.
    pub(super) fn parent(&self) -> &Path {
        self.folder.parent().unwrap_or(Path::new("/"))
    }
}

impl Place {
    /// Places for groups called `name` on this machine, the preferred one first; none without
    /// control groups that limit memory.
    pub fn candidates(name: &str) -> Vec<Self> {
        Self::candidates_below(Path::new("/"), name)
    }

    /// Places by files below `root`.
    pub(super) fn candidates_below(root: &Path, name: &str) -> Vec<Self> {
        let Some(memory) = Groups::find(root, "self", "memory") else { return Vec::new() };
        let others = ["cpu", "pids"].map(|controller| Groups::find(root, "self", controller));
        let reachable = match memory.version {
            // A group of version 1 can always have children, so its own group is enough.
            Version::V1 => 1,
            Version::V2 => 1 + memory.folders().iter().take_while(|it| !has_limit(it)).count(),
        };
        let part = |groups: &Groups, depth: usize| {
            let depth = if groups.version == Version::V1 { 0 } else { depth };
            let parent = groups.folders().get(depth)?;
            Some(Part { version: groups.version, folder: parent.join(name) })
        };
        let place = |depth: usize| {
            let [cpu, pids] = others.each_ref().map(|it| part(it.as_ref()?, depth));
            Some(Self {
                memory: part(&memory, depth)?,
                cpu,
                pids,
                is_inside_own: memory.version == Version::V2 && depth == 0,
            })
        };
        (0..reachable).filter_map(place).collect()
    }

    /// Folders of the groups, each once.
    pub fn folders(&self) -> Vec<PathBuf> {
        let parts = [Some(&self.memory), self.cpu.as_ref(), self.pids.as_ref()];
        let mut folders: Vec<PathBuf> =
            parts.into_iter().flatten().map(|part| part.folder.clone()).collect();
        folders.dedup();
        folders
    }
}

/// Whether a group of version 2 has a limit of its own, which a process that leaves the group
/// would escape.
fn has_limit(folder: &Path) -> bool {
    let text = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap_or_default();
    let numbers = ["memory.max", "memory.high", "memory.swap.max", "memory.swap.high", "pids.max"];
    // Lists, which are empty without a limit: of CPUs, of NUMA nodes, and of devices.
    let lists = ["cpuset.cpus", "cpuset.mems", "io.max"];
    numbers.iter().any(|file| number(&folder.join(file)).is_some())
        || lists.iter().any(|file| !text(file).trim().is_empty())
        || text("cpu.max").split(' ').next().is_some_and(|quota| quota.parse::<u64>().is_ok())
}
