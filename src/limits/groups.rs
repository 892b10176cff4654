//! Control groups that a process belongs to, from its own up to the outermost that can
//! be seen.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// Version of the hierarchy that has a controller. Both may be mounted at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

/// Groups of a process in the hierarchy of one controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Groups {
    pub(super) version: Version,
    root: PathBuf,
    /// The process's own group first.
    folders: Vec<PathBuf>,
}

impl Groups {
    /// Groups of process `pid` (or `self`), whose limits on `controller` apply to it.
    pub(super) fn find(root: &Path, pid: &str, controller: &str) -> Option<Self> {
        let membership = fs::read_to_string(root.join("proc").join(pid).join("cgroup")).ok()?;
        // Ours: mount points of another mount namespace would be paths of another root.
        let mounts = fs::read_to_string(root.join("proc/self/mountinfo")).ok()?;
        let (version, group) = membership_in(&membership, controller)?;
        let mounts = mounts.lines().filter_map(Mount::parse);
        let mounts: Vec<Mount> = mounts.filter(|mount| mount.has(version, controller)).collect();
        let seen = |mount: &Mount| mount.folder_of(root, group).filter(|folder| folder.is_dir());
        let mount = mounts.iter().find(|mount| seen(mount).is_some()).or(mounts.first())?;
        let top = below(root, &mount.point);
        // A container may be told its group by the host's name, and see it as the top.
        let own = seen(mount).unwrap_or_else(|| top.clone());
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

    /// The name by which users know a file.
    pub(super) fn name(&self, file: &Path) -> String {
        let inside = file.strip_prefix(&self.root).unwrap_or(file);
        Path::new("/").join(inside).display().to_string()
    }
}

/// The number in a file; `None` for `max`, `-1`, and where there is no such file.
pub(super) fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// The number behind a name, in a file with one of each a line.
pub(super) fn entry(file: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.find(|(found, _)| *found == name)?.1.trim().parse().ok()
}

/// The group's name in the hierarchy that has the controller. Version 2 lists none: it
/// has those that version 1 has not.
fn membership_in<'a>(membership: &'a str, controller: &str) -> Option<(Version, &'a str)> {
    let lines = membership.lines().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        rest.split_once(':')
    });
    let (mut first, mut second) = (None, None);
    for (controllers, group) in lines {
        if controllers.split(',').any(|name| name == controller) {
            first = Some((Version::One, group));
        } else if controllers.is_empty() {
            second = Some((Version::Two, group));
        }
    }
    first.or(second)
}

/// A line of `mountinfo`.
struct Mount {
    /// The group that is mounted.
    group: PathBuf,
    point: PathBuf,
    kind: String,
    options: String,
}

impl Mount {
    fn parse(line: &str) -> Option<Self> {
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
            Version::One => {
                self.kind == "cgroup" && self.options.split(',').any(|name| name == controller)
            }
            Version::Two => self.kind == "cgroup2",
        }
    }

    /// Where a group is seen, if it is below the one that is mounted.
    fn folder_of(&self, root: &Path, group: &str) -> Option<PathBuf> {
        let inside = Path::new(group).strip_prefix(&self.group).ok()?;
        let is_inside = inside.components().all(|part| matches!(part, Component::Normal(_)));
        is_inside.then(|| below(root, &self.point).join(inside))
    }
}

fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// A path as `mountinfo` writes it: blanks and the like are three octal digits.
fn unescaped(text: &str) -> String {
    let escapes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    escapes.iter().fold(text.to_owned(), |text, (escape, plain)| text.replace(escape, plain))
}
