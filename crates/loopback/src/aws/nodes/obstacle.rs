//! Reasons why nodes cannot run on this machine, or with this SkyPilot.

use std::path::Path;
use std::process::{Command, Stdio};

use host::workspace::Workspace;
use xshell::Shell;

use super::packages;
use crate::image::{self, ImageKind};
use crate::skypilot::SkyPilot;

/// Programs that make a node.
const TOOLS: [&str; 9] =
    ["unshare", "nsenter", "bash", "mount", "umount", "pivot_root", "ip", "awk", "chrt"];

/// Namespaces and an overlay of the root, tried in a folder.
const TRY: &str = "mount --make-rprivate /; cd \"$1\"; mkdir system work root
mount -t overlay node -o \"lowerdir=/,upperdir=$1/system,workdir=$1/work\" root
mount -t proc proc root/proc; mount -t tmpfs tmpfs root/run";

/// Reason why nodes cannot run on this machine, in one line.
pub(crate) fn obstacle() -> Option<String> {
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
    let state = Workspace::locate().map(|workspace| workspace.state);
    let state = state.unwrap_or_else(|_| std::env::temp_dir());
    obstacle_in(&state).or_else(packages::obstacle)
}

/// Reason why `sky` cannot launch on nodes, in one line, as far as known without running `sky`.
pub(crate) fn obstacle_of(sky: &SkyPilot) -> Option<String> {
    image::obstacle(ImageKind::Aws, sky)
}

/// Reason why nodes cannot have their files in `folder`.
pub(super) fn obstacle_in(folder: &Path) -> Option<String> {
    let folder = match tempfile::tempdir_in(folder) {
        Ok(folder) => folder,
        Err(error) => return Some(format!("cannot write to `{}`: {error}", folder.display())),
    };
    let tried = Command::new("unshare")
        .args(["--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "--kill-child"])
        .args(["bash", "-euc", TRY, "try"])
        .arg(folder.path())
        .stdin(Stdio::null())
        .output();
    let cause = match tried {
        Ok(output) if output.status.success() => return None,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    let cause = cause.lines().next().unwrap_or("unknown error").trim().to_owned();
    let who = match nix::unistd::geteuid().is_root() {
        true => "this machine does not permit namespaces with an overlay of its root",
        false => "nodes of emulated AWS need root",
    };
    Some(format!("{who} ({cause})"))
}
