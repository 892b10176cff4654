//! ssh sockets that SkyPilot leaves in `/tmp`, regardless of `TMPDIR`.
//!
//! SkyPilot shares ssh connections to nodes through sockets in `/tmp/sky_ssh_<user>`
//! (`ssh_control_path` in `sky/utils/command_runner.py`). Both the connections and the
//! directories outlive the server. All user ids of a run have the same prefix, by which its
//! directories are found.

use std::fs;
use std::path::{Path, PathBuf};

use skyload::ids::RunId;

const FOLDER: &str = "/tmp";

/// Prefix of the paths of a run's sockets.
pub(super) fn prefix(run: &RunId) -> String {
    format!("{FOLDER}/sky_ssh_{}", run.user_prefix())
}

/// Removes a run's socket directories. Called when its processes are gone.
pub(super) fn remove(run: &RunId) {
    for folder in folders(Path::new(FOLDER), run) {
        // Another user's directory cannot be removed, and is not the run's.
        _ = fs::remove_dir_all(folder);
    }
}

fn folders(below: &Path, run: &RunId) -> Vec<PathBuf> {
    // Length of a SkyPilot user id, in hexadecimal digits.
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
    fn only_directories_of_the_runs_users_are_found() {
        let below = tempfile::tempdir().unwrap();
        for name in ["sky_ssh_3fa91234", "sky_ssh_3fa9_log", "sky_ssh_fcd1e5cf", "other"] {
            fs::create_dir(below.path().join(name)).unwrap();
        }
        let run = RunId::of_directory(Path::new("20261124-081512-3fa9"));
        assert_eq!(folders(below.path(), &run), [below.path().join("sky_ssh_3fa91234")]);
    }
}
