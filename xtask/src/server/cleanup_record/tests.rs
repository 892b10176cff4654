//! Tests of cleanup records and of the cleanup by them.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use rstest::rstest;
use skyload::ids::RunId;

use super::semaphores::testing::mapping;
use super::*;

/// Record of a process that maps a semaphore, both in this folder.
fn record_of_mapping(folder: &Path) -> (CleanupRecord, PathBuf, Child) {
    let semaphore = folder.join("sem.mp-a1b2");
    let server = mapping(&semaphore);
    let known = ProcessIdentity::of(server.id()).into_iter().collect();
    let cleanup = CleanupRecord {
        file: folder.join("run.json"),
        record: Record {
            version: Version,
            owner: None,
            kept: false,
            is_users: false,
            start: None,
            belongings: Belongings {
                run: RunId::generate(),
                directory: None,
                known,
                groups: Vec::new(),
            },
            semaphores: BTreeSet::new(),
        },
        shared_memory: folder.to_owned(),
        seen: BTreeSet::new(),
    };
    (cleanup, semaphore, server)
}

/// Process that makes a named semaphore of `multiprocessing`, whose path it prints, and waits.
/// It ends the process that would remove the semaphore, as the kernel or a teardown does.
const MAKES_SEMAPHORE: &str = "
import multiprocessing, os, signal
from multiprocessing import resource_tracker
lock = multiprocessing.get_context('spawn').Lock()
os.kill(resource_tracker._resource_tracker._pid, signal.SIGKILL)
print('/dev/shm/sem.' + lock._semlock.name.lstrip('/'), flush=True)
input()
";

fn making_semaphore() -> (Child, PathBuf) {
    let mut command = Command::new("python3");
    command.args(["-c", MAKES_SEMAPHORE]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut path = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut path).unwrap();
    (child, path.trim().into())
}

#[test]
fn semaphores_of_a_server_that_was_killed_are_removed_and_no_others() {
    let ((mut server, ours), (mut other, others)) = (making_semaphore(), making_semaphore());
    assert!(ours.exists() && others.exists());
    let folder = tempfile::tempdir().unwrap();
    let (mut cleanup, _, mut mapping) = record_of_mapping(folder.path());
    mapping.kill().unwrap();
    mapping.wait().unwrap();
    cleanup.shared_memory = semaphores::FOLDER.into();
    cleanup.record.belongings.known = ProcessIdentity::of(server.id()).into_iter().collect();
    cleanup.note_semaphores().unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(ours.exists(), "nobody removes it");
    // As the next run, after this one was killed, too.
    CleanupRecord::read(&cleanup.file).unwrap().unwrap().clean_up().unwrap();
    let exist = [&ours, &others].map(|path| path.exists());
    other.kill().unwrap();
    other.wait().unwrap();
    _ = fs::remove_file(others);
    assert_eq!(exist, [false, true]);
}

#[test]
fn semaphores_that_could_not_be_recorded_are_recorded_later() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    let (mut cleanup, semaphore, mut server) = record_of_mapping(&path);
    cleanup.file = path.join("custody/run.json");
    cleanup.note_semaphores().unwrap_err();
    fs::create_dir(path.join("custody")).unwrap();
    let noted = cleanup.note_semaphores();
    server.kill().unwrap();
    server.wait().unwrap();
    noted.unwrap();
    let recorded = CleanupRecord::read(&cleanup.file).unwrap().unwrap().record.semaphores;
    assert_eq!(recorded, BTreeSet::from([semaphore]));
}

#[test]
fn a_server_is_stopped_and_removed_although_its_record_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    let (mut cleanup, semaphore, mut server) = record_of_mapping(&path);
    cleanup.file = path.join("absent/run.json");
    let stopped = cleanup.stop_and_clean_up(true, || {
        server.kill()?;
        server.wait().map(drop).map_err(Into::into)
    });
    assert!(!semaphore.exists());
    let error = format!("{:#}", stopped.unwrap_err());
    assert!(error.contains("writing the run's cleanup record"), "{error}");
}

#[rstest]
#[case::by_a_stop(true)]
#[case::by_cleaning_up_alone(false)]
fn semaphores_are_removed(#[case] is_stopped: bool) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    let (mut cleanup, semaphore, mut server) = record_of_mapping(&path);
    if is_stopped {
        let stop = || {
            server.kill()?;
            server.wait().map(drop).map_err(Into::into)
        };
        cleanup.stop_and_clean_up(true, stop).unwrap();
    } else {
        // Waiting for the child keeps it from staying a zombie; holding its standard input
        // keeps it from exiting by itself.
        let input = server.stdin.take();
        let reaper = std::thread::spawn(move || server.wait());
        cleanup.clean_up().unwrap();
        reaper.join().unwrap().unwrap();
        drop(input);
    }
    assert!(!semaphore.exists());
}

/// Record of a killed run with the user's server, which has this port and to which a process
/// belongs.
fn record_of_users(folder: &Path, port: u16) -> (CleanupRecord, Child) {
    let (mut cleanup, _, process) = record_of_mapping(folder);
    cleanup.record.is_users = true;
    cleanup.record.start = Some(Start { port, options: vec!["--deploy".to_owned()] });
    cleanup.write().unwrap();
    (CleanupRecord::read(&cleanup.file).unwrap().unwrap(), process)
}

#[test]
fn a_server_of_the_user_that_a_killed_run_left_stopped_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (cleanup, mut process) = record_of_users(folder.path(), fake_sky::free_port().unwrap());
    // Its input is held, without which it would exit by itself; it is reaped as it is killed.
    let input = process.stdin.take();
    let reaper = std::thread::spawn(move || process.wait());
    assert_eq!(cleanup.release().unwrap(), cleanup.record.start.as_ref());
    assert!(!reaper.join().unwrap().unwrap().success(), "what was left of it is killed");
    drop(input);
    assert!(!cleanup.file.exists());
}

#[test]
fn a_server_of_the_user_that_runs_after_a_killed_run_stays() {
    let folder = tempfile::tempdir().unwrap();
    let server = fake_sky::FakeServer::start(&[]).unwrap();
    let (cleanup, mut process) = record_of_users(folder.path(), server.port());
    assert_eq!(cleanup.release().unwrap(), None);
    assert!(process.try_wait().unwrap().is_none(), "nothing is killed");
    assert!(server.main().is_some());
    assert!(!cleanup.file.exists());
    process.kill().unwrap();
    process.wait().unwrap();
    server.finish().unwrap();
}

#[test]
fn a_record_of_an_earlier_build_has_no_start() {
    let folder = tempfile::tempdir().unwrap();
    let (mut cleanup, _, mut process) = record_of_mapping(folder.path());
    process.kill().unwrap();
    process.wait().unwrap();
    cleanup.record.is_users = true;
    cleanup.write().unwrap();
    assert!(!fs::read_to_string(&cleanup.file).unwrap().contains("\"start\""));
    let read = CleanupRecord::read(&cleanup.file).unwrap().unwrap();
    assert_eq!(read.release().unwrap(), None);
    assert!(!cleanup.file.exists());
}

/// Workspace in a temporary directory, with an empty directory of cleanup records.
fn workspace(folder: &Path) -> Workspace {
    let workspace = Workspace { root: folder.to_owned(), state: folder.to_owned() };
    fs::create_dir(workspace.custody()).unwrap();
    workspace
}

#[test]
fn a_record_that_cannot_be_read_is_an_error_that_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = workspace(folder.path());
    let file = workspace.custody().join("20261127-1.json");
    fs::write(&file, "{").unwrap();
    let error = clean_up_after_dead_runs(&workspace, true, Progress::new()).unwrap_err();
    let error = format!("{error:#}");
    assert!(error.contains(&format!("remove `{}`", file.display())), "{error}");
    assert!(error.contains("`SKYLOAD_SERVER_OF_RUN=20261127-1`"), "{error}");
    assert!(error.contains("is not a valid cleanup record"), "{error}");
}

#[test]
fn a_record_that_another_run_has_removed_meanwhile_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = workspace(folder.path());
    // In the list of files, and gone when it is read.
    let file = workspace.custody().join("20261127-1.json");
    std::os::unix::fs::symlink("absent", file).unwrap();
    clean_up_after_dead_runs(&workspace, true, Progress::new()).unwrap();
}
