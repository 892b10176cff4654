//! Check of the paths of an isolated server's programs, before anything is started.

use std::path::{Path, PathBuf};

use host::workspace::Workspace;
use skyload::env;
use skyload::plan::SkySelection;
use skyload::record::request::LoadRequest;

/// Usage errors about paths with characters that need quoting: SkyPilot starts its jobs
/// controllers with a shell command that does not quote paths.
pub(super) fn usage_errors(typed: &LoadRequest, workspace: &Workspace) -> Vec<String> {
    if typed.server.as_deref().is_some_and(|server| server != "isolated") {
        return Vec::new();
    }
    let state = format!("the state directory `{}`", workspace.state.display());
    let mut paths = vec![(state, workspace.state.clone(), env::STATE_DIR)];
    // What is built from source runs from the state directory.
    if let Some(sky) = typed.sky.as_deref()
        && let Ok(SkySelection::Executable(path)) = SkySelection::parse(sky)
    {
        // The current directory is part of a relative path.
        let path = std::path::absolute(&path).unwrap_or(path);
        paths.push((format!("--sky `{sky}`"), path, "--sky"));
    }
    let special = paths.into_iter().filter(|(_, path, _)| !is_plain(path));
    let message = |(name, _, setting): (String, PathBuf, &str)| {
        format!(
            "{name}: expected a path without blanks and special characters of the shell; SkyPilot \
             does not quote paths in the commands that start its controllers\n  hint: set another \
             path with {setting}"
        )
    };
    special.map(message).collect()
}

/// Usage error about a folder of catalogs without the one that emulated AWS needs.
pub(crate) fn catalog_error(folder: &Path) -> Option<String> {
    let instances = folder.join("aws/vms.csv");
    let error = std::fs::File::open(&instances).err()?;
    Some(format!(
        "--catalog: expected a folder with SkyPilot's catalogs, such as \
         `~/.sky/catalogs/v8`, but `{}` cannot be read: {error}",
        instances.display()
    ))
}

/// Whether a shell reads an unquoted path as one word, unchanged.
fn is_plain(path: &Path) -> bool {
    let is_plain = |c: char| match c.is_ascii() {
        true => c.is_ascii_alphanumeric() || "/._-+@:,=%^".contains(c),
        // Letters of other scripts are plain for a shell; blanks of any script are rejected.
        false => !c.is_whitespace(),
    };
    path.to_string_lossy().chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_instance_types_is_no_catalog() {
        let folder = tempfile::tempdir().unwrap();
        let error = catalog_error(folder.path()).unwrap();
        assert!(error.starts_with("--catalog: expected a folder") && error.contains("aws/vms.csv"));
        std::fs::create_dir(folder.path().join("aws")).unwrap();
        std::fs::write(folder.path().join("aws/vms.csv"), "InstanceType\n").unwrap();
        assert_eq!(catalog_error(folder.path()), None);
    }

    #[test]
    fn paths_with_special_characters_are_not_plain() {
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
