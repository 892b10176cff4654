//! Where programs of an isolated server are: found unfit before anything is started.

use std::path::{Path, PathBuf};

use host::workspace::Workspace;
use skyload::env;
use skyload::record::request::LoadRequest;

/// Why a server of ours cannot be started from where its programs are: SkyPilot starts its jobs
/// controllers by a shell command that quotes no path.
pub(super) fn unfit(typed: &LoadRequest, workspace: &Workspace) -> Vec<String> {
    if typed.server.as_deref().is_some_and(|server| server != "isolated") {
        return Vec::new();
    }
    let state = format!("the state directory `{}`", workspace.state.display());
    let mut paths = vec![(state, workspace.state.clone(), env::STATE_DIR)];
    if let Some(sky) = typed.sky.as_deref().filter(|sky| sky.contains('/')) {
        // The folder that it was typed in is part of where it is.
        let path = std::path::absolute(sky).unwrap_or_else(|_| PathBuf::from(sky));
        paths.push((format!("--sky `{sky}`"), path, "--sky"));
    }
    let unfit = paths.into_iter().filter(|(_, path, _)| !is_plain(path));
    let message = |(what, _, cure): (String, PathBuf, &str)| {
        format!(
            "{what}: SkyPilot quotes no path in the commands that start its controllers, so none \
             may have a blank or another character of the shell's in it\n  hint: another place by \
             {cure}"
        )
    };
    unfit.map(message).collect()
}

/// Whether a shell takes a path for one word, as it is.
fn is_plain(path: &Path) -> bool {
    let is_plain = |c: char| match c.is_ascii() {
        true => c.is_ascii_alphanumeric() || "/._-+@:,=%^".contains(c),
        false => !c.is_whitespace(),
    };
    path.to_string_lossy().chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_a_shell_would_take_apart_are_told() {
        for (path, plain) in [
            ("/var/tmp/skyload-1.2", true),
            ("/home/jos\u{e9}/x", true),
            ("/a b", false),
            ("/a$b", false),
            ("/a'b", false),
            ("/a(b)", false),
        ] {
            assert_eq!(is_plain(Path::new(path)), plain, "{path}");
        }
    }
}
