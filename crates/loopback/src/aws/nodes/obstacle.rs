//! Reasons why nodes cannot run on this machine, or with this SkyPilot.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use host::tools::remove_folder;
use host::workspace::Workspace;
use nix::unistd::geteuid;
use skyload::env;
use xshell::Shell;

use super::node::KEPT;
use super::packages;
use crate::base_dir::BaseDir;
use crate::image::{self, ImageKind};
use crate::skypilot::SkyPilot;

/// Programs that make a node.
const TOOLS: [&str; 11] = [
    "setpriv",
    "unshare",
    "nsenter",
    "bash",
    "mount",
    "umount",
    "pivot_root",
    "ip",
    "awk",
    "chrt",
    "hostname",
];

/// Namespaces and an overlay as those of a node, tried in a folder: for root one of the whole
/// root, and [`KEPT`] for sessions; as another user one of a folder in a user namespace, whose only
/// user gets another name.
const TRY: &str = "mount --make-rprivate /; cd \"$1\"; mkdir lower system work root
lower=/ option=volatile
[ \"$2\" = 0 ] || { lower=$1/lower; option+=,userxattr; mkdir lower/proc lower/run; }
mount -t overlay node -o \"lowerdir=$lower,upperdir=$1/system,workdir=$1/work,$option\" root
mount -t proc proc root/proc; mount -t tmpfs tmpfs root/run
if [ \"$2\" = 0 ]; then setpriv --bounding-set \"$3\" -- true
else unshare --user --map-user=59040 --map-group=59040 true; fi";

/// Reason why nodes cannot run on this machine with their files in the base folder of `workspace`,
/// in one line.
pub(crate) fn obstacle(workspace: &Workspace) -> Option<String> {
    if !cfg!(target_os = "linux") {
        return Some("nodes of emulated AWS require Linux".to_owned());
    }
    let shell = Shell::new().ok()?;
    let folders = std::env::split_paths(&shell.var_os("PATH")?)
        .chain(["/usr/sbin", "/sbin"].map(Into::into))
        .collect::<Vec<_>>();
    let is_missing = |tool: &&str| !folders.iter().any(|folder| folder.join(tool).exists());
    let missing: Vec<&str> = TOOLS.into_iter().filter(is_missing).collect();
    if !missing.is_empty() {
        return Some(format!("nodes need `{}`, which is not installed", missing.join("`, `")));
    }
    match BaseDir::of(workspace) {
        Ok(base_dir) => obstacle_in(base_dir.folder()).or_else(packages::obstacle),
        Err(error) => format!("{error:#}").lines().next().map(str::to_owned),
    }
}

/// Reason why `sky` cannot launch on nodes, in one line, as far as known without running `sky`.
pub(crate) fn obstacle_of(sky: &SkyPilot) -> Option<String> {
    image::obstacle(ImageKind::Aws, sky)
}

/// Reason why nodes cannot have their files in `folder`.
pub(crate) fn obstacle_in(folder: &Path) -> Option<String> {
    obstacle_with(&env::raw("PATH").unwrap_or_default(), folder)
}

/// [`obstacle_in`] with the programs in the folders of `path`.
fn obstacle_with(path: &OsStr, folder: &Path) -> Option<String> {
    let folder = match tempfile::tempdir_in(folder) {
        Ok(folder) => folder,
        Err(error) => return Some(format!("cannot write to `{}`: {error}", folder.display())),
    };
    let user = geteuid();
    let user_namespace: &[&str] = if user.is_root() { &[] } else { &["--user", "--map-root-user"] };
    let tried = Command::new("unshare")
        .args(user_namespace)
        .args(["--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "--kill-child"])
        .args(["bash", "-euc", TRY, "try"])
        .arg(folder.path())
        .args([user.to_string().as_str(), KEPT])
        .env("PATH", path)
        .stdin(Stdio::null())
        .output();
    // An ordinary user cannot enter all folders of an overlay, so dropping is not enough.
    _ = remove_folder(folder.path());
    let cause = match tried {
        Ok(output) if output.status.success() => return None,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    let cause = cause.lines().next().unwrap_or("unknown error").trim().to_owned();
    let what = match user.is_root() {
        true => "namespaces with an overlay of its root",
        false => "user namespaces with an overlay",
    };
    Some(format!("this machine does not permit {what}, which nodes are made of ({cause})"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::testing::script;

    #[test]
    fn a_setpriv_that_refuses_the_capabilities_of_a_node_is_an_obstacle() {
        let folder = tempfile::tempdir().unwrap();
        // An ordinary user's nodes do without it.
        if !geteuid().is_root() || obstacle_in(folder.path()).is_some() {
            return;
        }
        let refusal = "setpriv: unknown capability";
        script(&folder.path().join("bin/setpriv"), &format!("echo {refusal} >&2; exit 1"));
        let path = env::raw("PATH").unwrap();
        let folders = std::env::split_paths(&path);
        let path = std::env::join_paths([folder.path().join("bin")].into_iter().chain(folders));
        let found = obstacle_with(&path.unwrap(), folder.path()).unwrap();
        assert!(found.contains(refusal), "{found}");
    }

    #[test]
    fn the_folder_that_is_tried_is_that_of_nodes_and_not_the_state_directory() {
        let folder = tempfile::tempdir().unwrap();
        // Too long for sockets, and missing: nothing can be tried in it.
        let state = folder.path().join("x".repeat(120));
        let workspace = Workspace { root: "/".into(), state };
        let found = obstacle(&workspace).unwrap_or_default();
        assert!(!found.contains("cannot write to"), "{found}");
        fs::remove_dir_all(BaseDir::of(&workspace).unwrap().folder()).unwrap();
    }
}
