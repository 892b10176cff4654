//! Sockets that SkyPilot leaves in `/tmp`, whatever `TMPDIR` says.
//!
//! SkyPilot shares ssh connections to nodes through sockets in
//! `/tmp/sky_ssh_<user>` (`ssh_control_path` in `sky/utils/command_runner.py`), and
//! neither the connections nor the folders end with its server. The ids of a run's
//! users have a beginning of their own, which tells its folders from others.

use std::fs;
use std::path::{Path, PathBuf};

use skyload::ids::RunId;

const FOLDER: &str = "/tmp";

/// With what the paths of a run's sockets begin.
pub(super) fn prefix(run: &RunId) -> String {
    format!("{FOLDER}/sky_ssh_{}", run.user_prefix())
}

/// Removes a run's folders of sockets, once nobody uses them any more.
pub(super) fn remove(run: &RunId) {
    for folder in folders(Path::new(FOLDER), run) {
        // What belongs to somebody else can't be removed, and isn't ours.
        _ = fs::remove_dir_all(folder);
    }
}

fn folders(below: &Path, run: &RunId) -> Vec<PathBuf> {
    const ID_LENGTH: usize = 8;
    let is_ours = |name: &str| {
        let id = name.strip_prefix("sky_ssh_").unwrap_or_default();
        let is_id = id.len() == ID_LENGTH && id.chars().all(|c| c.is_ascii_hexdigit());
        is_id && id.starts_with(&run.user_prefix())
    };
    let entries = fs::read_dir(below).into_iter().flatten().filter_map(Result::ok);
    entries
        .filter(|entry| is_ours(&entry.file_name().to_string_lossy()))
        .map(|entry| entry.path())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_folders_of_the_runs_own_users_are_found() {
        let below = tempfile::tempdir().unwrap();
        for name in ["sky_ssh_3fa91234", "sky_ssh_3fa9_log", "sky_ssh_fcd1e5cf", "other"] {
            fs::create_dir(below.path().join(name)).unwrap();
        }
        let run = RunId::of_directory(Path::new("20261124-081512-3fa9"));
        assert_eq!(folders(below.path(), &run), [below.path().join("sky_ssh_3fa91234")]);
    }
}
