//! Control groups of a process, from its own group up to the outermost visible one.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// Version of the cgroup hierarchy that has a controller. On a hybrid system both versions
/// are mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V2,
}

/// Control groups of a process in the hierarchy of one controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Groups {
    pub(super) version: Version,
    root: PathBuf,
    /// Folders of the groups; the process's own group first.
    folders: Vec<PathBuf>,
}

impl Groups {
    /// Groups whose limits on `controller` apply to process `pid` (or `self`).
    pub(super) fn find(root: &Path, pid: &str, controller: &str) -> Option<Self> {
        let membership = fs::read_to_string(root.join("proc").join(pid).join("cgroup")).ok()?;
        // Always the mounts of this process: mount points of another mount namespace would be
        // paths below another root.
        let mounts = fs::read_to_string(root.join("proc/self/mountinfo")).ok()?;
        let (version, group) = group_of(&membership, controller)?;
        let mounts = mounts.lines().filter_map(Mount::parse);
        let mounts: Vec<Mount> = mounts.filter(|mount| mount.has(version, controller)).collect();
        let visible = |mount: &Mount| mount.folder_of(root, group).filter(|folder| folder.is_dir());
        // A hierarchy may be mounted more than once, and not every mount shows the group.
        let mount = mounts.iter().find(|mount| visible(mount).is_some()).or(mounts.first())?;
        let top = below(root, &mount.point);
        // In a container, `/proc/self/cgroup` may have the host's path of the group, while the
        // group is mounted as the top.
        let own = visible(mount).unwrap_or_else(|| top.clone());
        // Folders above the mount point are no groups.
        let folders = own.ancestors().take_while(|folder| folder.starts_with(&top));
        Some(Self {
            version,
            root: root.to_owned(),
            folders: folders.map(Path::to_owned).collect(),
        })
    }

    /// Folders of the groups, the process's own first.
    pub(super) fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// Absolute path of a file, without `root`, for messages.
    pub(super) fn name(&self, file: &Path) -> String {
        let inside = file.strip_prefix(&self.root).unwrap_or(file);
        Path::new("/").join(inside).display().to_string()
    }
}

/// Number in a file; `None` for `max`, for `-1`, and if there is no such file.
pub(super) fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// Value of `name` in a file with lines `NAME NUMBER`.
pub(super) fn entry(file: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.find(|(found, _)| *found == name)?.1.trim().parse().ok()
}

/// Path of a process's group in the hierarchy that has the controller, from
/// `/proc/PID/cgroup`.
fn group_of<'a>(membership: &'a str, controller: &str) -> Option<(Version, &'a str)> {
    let lines = membership.lines().filter_map(|line| {
        // `ID:CONTROLLERS:PATH`; only the path may contain further colons.
        let (_, rest) = line.split_once(':')?;
        rest.split_once(':')
    });
    let (mut v1, mut v2) = (None, None);
    for (controllers, group) in lines {
        if controllers.split(',').any(|name| name == controller) {
            v1 = Some((Version::V1, group));
        } else if controllers.is_empty() {
            v2 = Some((Version::V2, group));
        }
    }
    // The line of version 2 lists no controllers: it has those that version 1 does not have.
    v1.or(v2)
}

/// Line of `/proc/self/mountinfo` (proc(5)).
struct Mount {
    /// Path of the mounted group, below the root of its hierarchy.
    group: PathBuf,
    point: PathBuf,
    kind: String,
    options: String,
}

impl Mount {
    fn parse(line: &str) -> Option<Self> {
        // A varying number of optional fields precedes the separator, so fields are counted from
        // both.
        let (mount, file_system) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let mut file_system = file_system.split(' ');
        Some(Self {
            group: unescaped(mount.next()?).into(),
            point: unescaped(mount.next()?).into(),
            kind: file_system.next()?.to_owned(),
            options: file_system.nth(1)?.to_owned(),
        })
    }

    fn has(&self, version: Version, controller: &str) -> bool {
        match version {
            Version::V1 => {
                self.kind == "cgroup" && self.options.split(',').any(|name| name == controller)
            }
            Version::V2 => self.kind == "cgroup2",
        }
    }

    /// Folder of a group in this mount; `None` if the group is not below the mounted one.
    fn folder_of(&self, root: &Path, group: &str) -> Option<PathBuf> {
        let inside = Path::new(group).strip_prefix(&self.group).ok()?;
        // The path of a group outside of the cgroup namespace begins with `/..`.
        let is_inside = inside.components().all(|part| matches!(part, Component::Normal(_)));
        is_inside.then(|| below(root, &self.point).join(inside))
    }
}

fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// Path from `mountinfo`, where whitespace and backslashes are octal escapes.
fn unescaped(text: &str) -> String {
    // The backslash is last: replaced earlier, it could start another escape.
    let escapes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    escapes.iter().fold(text.to_owned(), |text, (escape, plain)| text.replace(escape, plain))
}
