//! Git repositories with the source of a made-up SkyPilot.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Files of a SkyPilot that the probe finds complete, and that is built by a stand-in for uv.
const FILES: [(&str, &str); 8] = [
    ("setup.py", "raise SystemExit('built by a stand-in')\n"),
    (".gitignore", "ignored/\n"),
    (
        "sky/__init__.py",
        "_SKYPILOT_COMMIT_SHA = '{{SKYPILOT_COMMIT_SHA}}'\n__version__ = '0.14.1'\n",
    ),
    ("sky/server/__init__.py", ""),
    ("sky/server/server.py", ""),
    ("sky/server/config.py", "LONG_WORKER_MEM_GB = 0.4\nSHORT_WORKER_MEM_GB = 0.3\n"),
    ("sky/client/cli/command.py", "def api_start(port: int):\n    pass\n"),
    ("sky/skylet/constants.py", "A = 'SKYPILOT_API_SERVER_LOCAL_PORT consolidation_mode'\n"),
];

/// Writes the source into a new git repository, and commits it.
pub(crate) fn repository(folder: &Path) -> String {
    write_all(folder);
    git(folder, &["init", "--quiet", "--initial-branch=master"]);
    commit(folder)
}

/// Writes the source into a folder.
pub(crate) fn write_all(folder: &Path) {
    for (name, text) in FILES {
        write(folder, name, text);
    }
    // As in SkyPilot's repository, in which `setup.py` is such a link.
    std::os::unix::fs::symlink("sky/skylet/constants.py", folder.join("link.py"))
        .expect("a link can be made");
}

/// Writes a file with its folders.
pub(crate) fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    let parent = path.parent().expect("a file is in a folder");
    fs::create_dir_all(parent).expect("a folder can be made");
    fs::write(path, text).expect("a file can be written");
}

/// Commits all files. Returns the hash of the commit.
pub(crate) fn commit(folder: &Path) -> String {
    git(folder, &["add", "--all"]);
    git(folder, &["commit", "--quiet", "--message=x"]);
    git(folder, &["rev-parse", "HEAD"])
}

/// Output of git, which must succeed. Independent of the settings of the user.
pub(crate) fn git(folder: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    for role in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{role}_NAME"), "A")
            .env(format!("GIT_{role}_EMAIL"), "a@example.org")
            .env(format!("GIT_{role}_DATE"), "2026-10-20T12:00:00Z");
    }
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    let output = command.arg("-C").arg(folder).args(args).output().expect("git is installed");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
